package esm_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/auth/secretsmanager"
	"github.com/esm-go/esm/internal/leaktest"
	"github.com/esm-go/esm/internal/secretserver"
)

// awsSecrets returns the SDK's configuration for Secrets Manager: moto if ESM_MOTO names its server, otherwise our own.
func awsSecrets(t *testing.T) aws.Config {
	t.Helper()
	url := os.Getenv("ESM_MOTO")
	if url == "" {
		server := httptest.NewServer(new(secretserver.Server))
		t.Cleanup(server.Close)
		url = server.URL
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "x", ""),
		HTTPClient: &http.Client{Transport: transport}, BaseEndpoint: &url}
}

// TestRotateInSecretsManager changes a password under load in Secrets Manager, in the order of AWS's rotation: first at
// the broker, then the secret's new version, read with AWS's SDK.
func TestRotateInSecretsManager(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	server, _, _ := ca.issue(t, "broker")
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	for name, d := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := awsSecrets(t)
			manager := awssm.NewFromConfig(config)
			create := func(name, text string) string {
				out, err := manager.CreateSecret(t.Context(), &awssm.CreateSecretInput{Name: aws.String(fmt.Sprintf("%s/%s-%d", t.Name(), name, time.Now().UnixNano())), SecretString: &text})
				if err != nil {
					t.Fatal(err)
				}
				return *out.ARN
			}
			login := func(password string) string {
				return asJSON(t, map[string]string{"username": "alice", "password": password})
			}
			user, root := create("login", login(leaktest.Password(t, "old"))), create("ca", asJSON(t, map[string]string{"certificate": ca.pem}))
			store, err := secretsmanager.New(t.Context(), secretsmanager.WithConfig(config))
			if err != nil {
				t.Fatal(err)
			}
			rotateFrom(t, d, store, 100*time.Millisecond, []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "alice", leaktest.Password(t, "old")),
				kfake.Superuser("PLAIN", "admin", leaktest.Password(t, "admin")), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}})},
				[]kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: pool}), kgo.SASL(plain.Auth{User: "admin", Pass: leaktest.Password(t, "admin")}.AsMechanism())},
				[]auth.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: user}, {Type: auth.ServerRootCACertificate, URI: root}},
				func(r *rotation) {
					// From here until the secret follows, no new connection succeeds.
					_, err := kadm.NewClient(r.client).AlterUserSCRAMs(r.ctx, nil, []kadm.UpsertSCRAM{{User: "alice",
						Mechanism: kadm.ScramSha512, Iterations: 4096, Password: leaktest.Password(t, "new")}})
					if err != nil {
						t.Fatal(err)
					}
					r.fresh("records over connections from before")
					if _, err := manager.PutSecretValue(r.ctx, &awssm.PutSecretValueInput{SecretId: &user, SecretString: aws.String(login(leaktest.Password(t, "new")))}); err != nil {
						t.Fatal(err)
					}
					r.load("the rotation", func() bool { return r.runner.Status().Credentials.Rotations == 1 })
					r.reconnect()
					r.stays()
				})
		})
	}
}
