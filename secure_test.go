package esm_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/internal/leaktest"
)

// drivers are the drivers in this build.
var drivers = map[string]driver.Driver{"franz": franz.Driver()}

// authority is a private CA for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// issue issues a certificate for the loopback address and for a client.
func (a *authority) issue(t *testing.T, name string) (tls.Certificate, string, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	keyPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
	pair, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
	if err != nil {
		t.Fatal(err)
	}
	return pair, certPEM, keyPEM
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSecureConnections connects to an in-process broker over TLS with a private CA, with each kind of secret that the
// broker supports.
func TestSecureConnections(t *testing.T) {
	t.Parallel()
	password := leaktest.Password(t, "alice")
	ca := newAuthority(t)
	server, _, _ := ca.issue(t, "broker")
	_, clientCert, clientKey := ca.issue(t, "alice")
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	login := asJSON(t, map[string]string{"username": "alice", "password": password})
	wrong := asJSON(t, map[string]string{"username": "alice", "password": leaktest.Password(t, "wrong")})
	root := auth.SourceAccessConfiguration{Type: auth.ServerRootCACertificate, URI: "ca"}
	secrets := auth.NewStatic(map[string]string{
		"ca": asJSON(t, map[string]string{"certificate": ca.pem}), "login": login, "wrong": wrong,
		"mtls": asJSON(t, map[string]string{"certificate": clientCert, "privateKey": clientKey}),
	})
	for name, d := range drivers {
		for _, tc := range []struct {
			name    string
			configs []auth.SourceAccessConfiguration
			mtls    bool
			problem string
		}{
			{"SCRAM-512", []auth.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: "login"}, root}, false, ""},
			{"SCRAM-256", []auth.SourceAccessConfiguration{{Type: auth.SASLSCRAM256Auth, URI: "login"}, root}, false, ""},
			{"PLAIN", []auth.SourceAccessConfiguration{{Type: auth.BasicAuth, URI: "login"}, root}, false, ""},
			{"mTLS", []auth.SourceAccessConfiguration{{Type: auth.ClientCertificateTLSAuth, URI: "mtls"}, root}, true, ""},
			{"wrong password", []auth.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: "wrong"}, root}, false, "PROBLEM: SASL authentication failed."},
			{"unknown CA", []auth.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: "login"}}, false, "PROBLEM: Lambda failed to authenticate server"},
		} {
			t.Run(name+"/"+tc.name, func(t *testing.T) {
				t.Parallel()
				config := &tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: pool}
				opts := []kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(1, "orders")}
				client := []kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: pool})}
				if tc.mtls {
					config.ClientAuth = tls.RequireAndVerifyClientCert
					pair, err := tls.X509KeyPair([]byte(clientCert), []byte(clientKey))
					if err != nil {
						t.Fatal(err)
					}
					client = []kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}})}
				} else {
					opts = append(opts, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "alice", password),
						kfake.Superuser("SCRAM-SHA-256", "alice", password), kfake.Superuser("PLAIN", "alice", password))
					client = append(client, kgo.SASL(scram.Auth{User: "alice", Pass: password}.AsSha512Mechanism()))
				}
				cluster, err := kfake.NewCluster(append(opts, kfake.TLS(config))...)
				if err != nil {
					t.Fatal(err)
				}
				defer cluster.Close()
				producer, err := kgo.NewClient(append(client, kgo.SeedBrokers(cluster.ListenAddrs()...))...)
				if err != nil {
					t.Fatal(err)
				}
				defer producer.Close()
				if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("one")}).FirstErr(); err != nil {
					t.Fatal(err)
				}
				watch := leaktest.New(t)
				got := make(chan string, 1)
				problems := make(chan string, 64)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				runner, err := esm.New(esm.Mapping{
					FunctionName:               "f",
					SelfManagedEventSource:     esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: cluster.ListenAddrs()}},
					Topics:                     []string{"orders"},
					SourceAccessConfigurations: tc.configs,
				}, func(_ context.Context, e esm.KafkaEvent) error {
					got <- string(e.Records["orders-0"][0].Value)
					return nil
				}, append(watch.Options(), esm.WithDriver(d), esm.WithSecrets(secrets), esm.WithHooks(esm.Hooks{Error: func(i esm.ErrorInfo) {
					select {
					case problems <- i.LastProcessingResult:
					default:
					}
				}}))...)
				if err != nil {
					t.Fatal(err)
				}
				done := make(chan error, 1)
				go func() { done <- runner.Run(ctx) }()
				if tc.problem == "" {
					select {
					case v := <-got:
						if v != "one" {
							t.Errorf("got %q", v)
						}
					case <-ctx.Done():
						t.Errorf("no record came; last result %q", runner.Status().LastProcessingResult)
					}
				} else {
					for found := false; !found; {
						select {
						case p := <-problems:
							found = p == tc.problem
						case <-ctx.Done():
							t.Fatalf("want %q, last result %q", tc.problem, runner.Status().LastProcessingResult)
						}
					}
				}
				watch.Say(runner.Status())
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		}
	}
}
