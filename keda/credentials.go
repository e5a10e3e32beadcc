package keda

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/esm-go/esm/auth"
)

// SecretsOf returns the secrets that the ScaledObjects of one namespace may name. It is called for each new
// ScaledObject and must be safe for concurrent use. A nil result means none.
//
// The author of a ScaledObject chooses both the secret's name and the brokers that it is sent to, so a
// namespace must never reach the secrets of another one.
type SecretsOf func(namespace string) auth.Secrets

// NamespacedFiles reads secrets from files below directory, with one folder per namespace: file:kafka.json of
// a ScaledObject in shop is directory/shop/kafka.json, and no path leads out of directory/shop. The files are
// read again after every failed connection, so a rotated secret takes effect.
func NamespacedFiles(directory string) SecretsOf {
	return func(namespace string) auth.Secrets {
		if namespace == "" || strings.ContainsAny(namespace, `./\`) { // not a Kubernetes name, and perhaps a path
			return nil
		}
		return auth.NewFiles(filepath.Join(directory, namespace))
	}
}

// credentials resolves the secrets that the metadata names.
func (c *config) credentials(ctx context.Context, secrets auth.Secrets) (*auth.Credentials, error) {
	if len(c.sourceAccess) == 0 {
		return &auth.Credentials{}, nil
	}
	if secrets == nil {
		return nil, &secretsError{errNoSecrets}
	}
	credentials, _, err := auth.Resolve(ctx, secrets, c.sourceAccess)
	if err != nil {
		return nil, &secretsError{err}
	}
	return credentials, nil
}

// errNoSecrets means that the scaler was started without secrets.
var errNoSecrets = errors.New("this scaler has no secrets for the namespace: start it with -secrets-dir, and mount them there")

// secretsError wraps an error about secrets that cannot be read or used.
type secretsError struct{ err error }

func (e *secretsError) Error() string { return "credentials: " + e.err.Error() }
func (e *secretsError) Unwrap() error { return e.err }

// Limits of one connection and one request. A reading has its own limit, see readTimeout.
const (
	dialTimeout    = 5 * time.Second
	requestRetries = 2
)

// newClient returns a client that reads and never joins the group.
func newClient(c *config, credentials *auth.Credentials) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.bootstrapServers...),
		kgo.ClientID("esm-keda-scaler"),
		kgo.DisableClientMetrics(),
		kgo.AlwaysRetryEOF(),
		kgo.DialTimeout(dialTimeout),
		// After a few retries the error says what is wrong; after many it would only say that time was up.
		kgo.RequestRetries(requestRetries),
		kgo.MetadataMinAge(time.Second),
	}
	config, err := credentials.TLSConfig()
	if err != nil {
		return nil, &secretsError{err}
	}
	if config != nil {
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	password := credentials.Password.Reveal()
	switch credentials.Mechanism {
	case "":
	case auth.MechanismPlain:
		opts = append(opts, kgo.SASL(plain.Auth{User: credentials.Username, Pass: password}.AsMechanism()))
	case auth.MechanismSCRAMSHA256:
		opts = append(opts, kgo.SASL(scram.Auth{User: credentials.Username, Pass: password}.AsSha256Mechanism()))
	case auth.MechanismSCRAMSHA512:
		opts = append(opts, kgo.SASL(scram.Auth{User: credentials.Username, Pass: password}.AsSha512Mechanism()))
	default:
		return nil, &secretsError{fmt.Errorf("SASL mechanism %s is not supported", credentials.Mechanism)}
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("make the client: %w", err)
	}
	return client, nil
}
