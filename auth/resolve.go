package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Resolve reads the secrets that configs name, parses them, decrypts the private key and checks everything that can be
// checked without a connection.
//
// Without an entry that authenticates, the result is PLAINTEXT; with only SERVER_ROOT_CA_CERTIFICATE it is TLS. SASL is
// always SASL_SSL. Warnings are in the order of configs. The error joins one [*SecretError] for each invalid secret, or
// is [ErrSourceAccess] with the [*Problem]s. Limits that apply only to AWS ([Problem.AWSLimit]) are not enforced.
func Resolve(ctx context.Context, secrets Secrets, configs []SourceAccessConfiguration) (*Credentials, []Warning, error) {
	if err := refuse(configs); err != nil {
		return nil, nil, err
	}
	credentials := &Credentials{Protocol: ProtocolPlaintext}
	var warnings []Warning
	var failures []error
	versions := sha256.New()
	credentials.literals(configs)
	for _, config := range configs {
		if config.Type == IAMAuth || config.Type == IAMOAuthBearerAuth {
			if err := resolveIAM(secrets, config, credentials); err != nil {
				failures = append(failures, err)
			}
			continue
		}
		if !config.Type.traits().secret {
			continue
		}
		value, version, err := fetch(ctx, secrets, config)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		p := secretParser{config: config, now: time.Now()}
		if err := p.into(credentials, value); err != nil {
			failures = append(failures, err)
		}
		warnings = append(warnings, p.warnings...)
		// Lengths keep ("ab","c") and ("a","bc") apart.
		_, _ = fmt.Fprintf(versions, "%s %d:%s %d:%s\n", config.Type, len(config.URI), config.URI, len(version), version)
		credentials.Version = hex.EncodeToString(versions.Sum(nil)[:12])
	}
	if len(failures) > 0 {
		return nil, warnings, errors.Join(failures...)
	}
	if err := credentials.Validate(); err != nil {
		return nil, warnings, err
	}
	return credentials, warnings, nil
}

// literals sets the options that the configurations themselves contain.
func (c *Credentials) literals(configs []SourceAccessConfiguration) {
	for _, config := range configs {
		extension := ""
		switch config.Type {
		case OAuthBearerScope:
			c.scope = config.URI
		case OAuthBearerAudience:
			c.audience = config.URI
		case OAuthBearerLogicalCluster:
			extension = "logicalCluster"
		case OAuthBearerIdentityPool:
			extension = "identityPoolId"
		}
		if extension != "" {
			if c.Extensions == nil {
				c.Extensions = map[string]string{}
			}
			c.Extensions[extension] = config.URI
		}
	}
}

// refuse joins the problems from ValidateSourceAccess, except AWS's limits, into one error.
func refuse(configs []SourceAccessConfiguration) error {
	all := []error{ErrSourceAccess}
	for _, problem := range ValidateSourceAccess(configs) {
		if !problem.AWSLimit {
			all = append(all, problem)
		}
	}
	if len(all) == 1 {
		return nil
	}
	return errors.Join(all...)
}

// fetch reads one secret and checks its size.
func fetch(ctx context.Context, secrets Secrets, config SourceAccessConfiguration) ([]byte, string, error) {
	if secrets == nil {
		return nil, "", &SecretError{URI: config.URI, Type: config.Type, Kind: ErrSecretUnavailable,
			Problem: "no store of secrets is configured", Hint: "configure AWS Secrets Manager, files, environment or a static map"}
	}
	value, version, err := secrets.Secret(ctx, config.URI)
	if err != nil {
		if known, ok := errors.AsType[*SecretError](err); ok {
			named := *known
			named.URI, named.Type = config.URI, config.Type
			return nil, "", &named
		}
		return nil, "", &SecretError{URI: config.URI, Type: config.Type, Kind: ErrSecretUnavailable,
			Problem: "cannot be read", Err: err}
	}
	if len(value) > MaxSecretSize {
		large := tooLarge(config.URI, int64(len(value)))
		large.Type = config.Type
		return nil, "", large
	}
	return value, version, nil
}
