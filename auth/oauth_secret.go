package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The fields of a secret of OAUTHBEARER_AUTH. Source: Lambda Developer Guide, kafka-cluster-auth.
const (
	fieldEndpoint   = "oauthTokenEndpointUrl"
	fieldClientID   = "oauthClientId"
	fieldSecret     = "oauthClientSecret"
	fieldEmail      = "oauthClientEmail"
	fieldOAuthKey   = "oauthPrivateKey"
	fieldExpiration = "oauthTokenExpirationSeconds"
	fieldIdPCA      = "oauthIdpCaCertificate"
)

// maxAssertion is the longest lifetime of an assertion that is accepted; a longer one is taken for a mistake.
const maxAssertion = 24 * time.Hour

// oauth parses a secret of OAUTHBEARER_AUTH.
func (p *secretParser) oauth(c *Credentials) error {
	o := &OAuth{Scope: c.scope, Audience: c.audience}
	var err1, err2 error
	o.TokenEndpointURL, err1 = p.required(fieldEndpoint)
	o.ClientID, err2 = p.required(fieldClientID)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if problem, hint := endpointProblem(o.TokenEndpointURL); problem != "" {
		return p.fail(ErrSecretInvalid, fieldEndpoint, problem, hint)
	}
	if err := p.oauthGrant(o); err != nil {
		return err
	}
	if err := p.oauthCA(o); err != nil {
		return err
	}
	tokens, err := o.Tokens()
	if err != nil {
		return p.fail(ErrPrivateKey, fieldOAuthKey, "signs no JWT", "use RSA, ECDSA on P-256, P-384 or P-521, or Ed25519")
	}
	c.Protocol, c.Mechanism, c.Tokens = ProtocolSASLSSL, MechanismOAuthBearer, tokens
	return nil
}

// oauthGrant parses the fields of one of the two grants.
func (p *secretParser) oauthGrant(o *OAuth) error {
	secret, hasSecret, err := p.optional(fieldSecret)
	if err != nil {
		return err
	}
	email, hasEmail, err := p.optional(fieldEmail)
	if err != nil {
		return err
	}
	key, hasKey, err := p.optional(fieldOAuthKey)
	if err != nil {
		return err
	}
	_, hasExpiration := p.fields[fieldExpiration]
	switch {
	case hasSecret && (hasEmail || hasKey || hasExpiration):
		return p.fail(ErrSecretInvalid, "", "has the fields of two grants",
			fmt.Sprintf("keep %s (client credentials), or %s and %s (JWT bearer)", fieldSecret, fieldEmail, fieldOAuthKey))
	case hasSecret && secret == "":
		return p.fail(ErrSecretInvalid, fieldSecret, "is empty", "set it")
	case hasSecret:
		o.ClientSecret = NewSecret(secret)
		if strings.TrimSpace(secret) != secret {
			p.warnf(fieldSecret, "begins or ends with white space: if that is not meant, remove it")
		}
		return nil
	case !hasEmail && !hasKey:
		return p.fail(ErrSecretInvalid, fieldSecret, "is missing", p.missingHint(fieldSecret)+
			fmt.Sprintf("; or %s and %s for the JWT bearer grant", fieldEmail, fieldOAuthKey))
	case strings.TrimSpace(email) == "":
		return p.fail(ErrSecretInvalid, fieldEmail, "is missing", fmt.Sprintf("%s and %s go together", fieldEmail, fieldOAuthKey))
	case strings.TrimSpace(key) == "":
		return p.fail(ErrSecretInvalid, fieldOAuthKey, "is missing", fmt.Sprintf("%s and %s go together", fieldEmail, fieldOAuthKey))
	}
	o.ClientEmail = email
	if o.PrivateKey, err = p.oauthKey(key); err != nil {
		return err
	}
	o.AssertionLifetime, err = p.seconds(fieldExpiration)
	return err
}

// oauthKey parses the key that signs assertions. There is no field for its password.
func (p *secretParser) oauthKey(text string) (Secret, error) {
	blocks, pemErr := parsePEM(text)
	if pemErr != nil {
		return Secret{}, p.fail(ErrPrivateKey, fieldOAuthKey, pemErr.problem, pemErr.hint)
	}
	block, keyErr := keyBlock(blocks)
	if keyErr != nil {
		return Secret{}, p.asSecretError(fieldOAuthKey, keyErr)
	}
	key, _, keyErr := readKey(block, password{}, defaultBounds)
	if keyErr != nil && errors.Is(keyErr.kind, ErrKeyPassword) {
		return Secret{}, p.fail(ErrPrivateKey, fieldOAuthKey, "is encrypted", "remove the password: openssl pkcs8 -in FILE -topk8 -nocrypt")
	}
	if keyErr != nil {
		return Secret{}, p.asSecretError(fieldOAuthKey, keyErr)
	}
	encoded, keyErr := encodeKey(key)
	if keyErr != nil {
		return Secret{}, p.asSecretError(fieldOAuthKey, keyErr)
	}
	return encoded, nil
}

// seconds parses a number of seconds, which may be in quotes.
func (p *secretParser) seconds(name string) (time.Duration, error) {
	raw, ok := p.fields[name]
	if !ok || string(raw) == "null" {
		return 0, nil
	}
	text := string(raw)
	if unquoted := ""; json.Unmarshal(raw, &unquoted) == nil {
		text = strings.TrimSpace(unquoted)
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 || time.Duration(n)*time.Second > maxAssertion {
		return 0, p.fail(ErrSecretInvalid, name, "is not a number of seconds", fmt.Sprintf("1 to %d", int(maxAssertion.Seconds())))
	}
	return time.Duration(n) * time.Second, nil
}

// oauthCA parses the CA of the identity provider.
func (p *secretParser) oauthCA(o *OAuth) error {
	text, present, err := p.optional(fieldIdPCA)
	if err != nil || !present || strings.TrimSpace(text) == "" {
		return err
	}
	all, pemErr := readCertificates(text)
	if pemErr != nil {
		return p.fail(ErrCertificate, fieldIdPCA, pemErr.problem, pemErr.hint)
	}
	if err := p.rootDates(fieldIdPCA, all); err != nil {
		return err
	}
	o.IdPRootCAs = encodeCertificates(all)
	return nil
}
