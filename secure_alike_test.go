package esm_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/leaktest"
)

// signed issues certificates of every kind, from a CA with an RSA key, which can still sign with SHA-1.
type signed struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

func newSigned(t *testing.T, parent *signed, name string) *signed {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	s := &signed{key: key}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	if parent == nil {
		parent = &signed{template, key}
	}
	s.cert = parent.sign(t, template, key.Public())
	return s
}

func (s *signed) sign(t *testing.T, template *x509.Certificate, key any) *x509.Certificate {
	t.Helper()
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(90*24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, s.cert, key, s.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// leaf issues a certificate with a key on a curve.
func (s *signed) leaf(t *testing.T, curve elliptic.Curve, template x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	return s.sign(t, &template, key.Public()), key
}

func pemOf(certs ...*x509.Certificate) string {
	var b strings.Builder
	for _, c := range certs {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return b.String()
}

// namedListener reports a host name as its address, which the broker then advertises.
type namedListener struct {
	net.Listener
	name namedAddr
}

type namedAddr string

func (namedAddr) Network() string  { return "tcp" }
func (a namedAddr) String() string { return string(a) }

func (l namedListener) Addr() net.Addr { return l.name }

func listenAs(host string) func(network, address string) (net.Listener, error) {
	return func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		if err != nil {
			return nil, err
		}
		_, port, err := net.SplitHostPort(l.Addr().String())
		return namedListener{l, namedAddr(net.JoinHostPort(host, port))}, err
	}
}

// TestDriversAlike runs the situations of docs/auth.md's table with each driver: the verdict is the same, or the table
// has both.
func TestDriversAlike(t *testing.T) {
	t.Parallel()
	root := newSigned(t, nil, "root")
	middle := newSigned(t, root, "middle")
	stranger := newSigned(t, nil, "stranger")
	names := x509.Certificate{Subject: pkix.Name{CommonName: "broker"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	nameless := x509.Certificate{Subject: pkix.Name{CommonName: "localhost"}, ExtKeyUsage: names.ExtKeyUsage}
	old := names
	old.SignatureAlgorithm = x509.SHA1WithRSA
	server := func(s *signed, template x509.Certificate, above ...*signed) tls.Certificate {
		cert, key := s.leaf(t, elliptic.P256(), template)
		pair := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
		for _, a := range above {
			pair.Certificate = append(pair.Certificate, a.cert.Raw)
		}
		return pair
	}
	client := func(s *signed, curve elliptic.Curve, algorithm x509.SignatureAlgorithm) string {
		cert, key := s.leaf(t, curve, x509.Certificate{Subject: pkix.Name{CommonName: "alice"}, SignatureAlgorithm: algorithm,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return asJSON(t, map[string]string{"certificate": pemOf(cert), "privateKey": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	}
	ca := func(certs ...*x509.Certificate) string {
		return asJSON(t, map[string]string{"certificate": pemOf(certs...)})
	}
	good := server(middle, names, middle)
	pinned, err := x509.ParseCertificate(good.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	type verdict struct {
		cause auth.Cause
		text  string // a part of the error or the detail
	}
	const basic, scram256, scram512, mtls = auth.BasicAuth, auth.SASLSCRAM256Auth, auth.SASLSCRAM512Auth, auth.ClientCertificateTLSAuth
	const requested = tls.VerifyClientCertIfGiven
	works := verdict{}
	noRoot := verdict{auth.CauseCertificate, "OpenSSL trusts roots alone"}
	for _, c := range []struct {
		name     string
		kind     auth.SourceAccessType
		user     string // and password, with white space
		secret   string
		ca       string
		server   tls.Certificate
		asks     tls.ClientAuthType
		host     string
		franz    verdict
		librdkfk verdict
	}{
		{"password that begins with white space", basic, "alice\x00  \tsecret", "", ca(root.cert), good, 0, "127.0.0.1", works, works},
		{"password that ends with white space", scram512, "alice\x00secret \n", "", ca(root.cert), good, 0, "127.0.0.1", works, works},
		{"SCRAM password that begins with white space", scram256, "alice\x00 secret", "", ca(root.cert), good, 0, "127.0.0.1", works, works},
		{"user name that begins with white space", basic, " alice\x00secret", "", ca(root.cert), good, 0, "127.0.0.1", works, works},
		{"password beyond ASCII", scram512, "alice\x00pässwörd€😀", "", ca(root.cert), good, 0, "127.0.0.1", works, works},
		{"root CA", "", "", "", ca(root.cert), good, 0, "127.0.0.1", works, works},
		{"intermediate CA without its root", "", "", "", ca(middle.cert), good, 0, "127.0.0.1", works, noRoot},
		{"the broker's own certificate as CA", "", "", "", ca(pinned), good, 0, "127.0.0.1", works, noRoot},
		{"intermediate CA with its root", "", "", "", ca(middle.cert, root.cert), good, 0, "127.0.0.1", works, works},
		{"broker with a common name alone", "", "", "", ca(root.cert), server(root, nameless), 0, "localhost", works, works},
		{"broker with a common name alone, by address", "", "", "", ca(root.cert), server(root, nameless), 0, "127.0.0.1",
			verdict{auth.CauseServerName, "lacks the name"}, verdict{auth.CauseServerName, "lacks the name"}},
		{"broker with a SHA-1 certificate", "", "", "", ca(root.cert), server(root, old), 0, "127.0.0.1",
			verdict{auth.CauseServerInvalid, "SHA1-RSA"}, verdict{auth.CauseServerInvalid, "SHA1-RSA"}},
		{"unknown root above an intermediate", "", "", "", ca(stranger.cert), good, 0, "127.0.0.1",
			verdict{auth.CauseServerCA, `leads to "CN=root"`}, verdict{auth.CauseServerCA, `leads to "CN=root"`}},
		{"SHA-1 client certificate", mtls, "", client(root, elliptic.P256(), x509.SHA1WithRSA), ca(root.cert), good, tls.RequireAnyClientCert, "127.0.0.1",
			works, verdict{auth.CauseCertificate, "SHA1-RSA"}},
		{"P-224 client certificate", mtls, "", client(root, elliptic.P224(), 0), ca(root.cert), good, requested, "127.0.0.1",
			verdict{auth.CauseCertificate, "P-224"}, verdict{auth.CauseCertificate, "P-224"}},
		{"certificate requested, of another CA", mtls, "", client(stranger, elliptic.P256(), 0), ca(root.cert), good, requested, "127.0.0.1",
			verdict{auth.CauseClientCertificateRejected, "client certificate"}, verdict{auth.CauseClientCertificateRejected, "client certificate"}},
		{"certificate requested, of the right CA", mtls, "", client(root, elliptic.P256(), 0), ca(root.cert), good, requested, "127.0.0.1", works, works},
		{"certificate requested, none given", "", "", "", ca(root.cert), good, requested, "127.0.0.1", works, works},
	} {
		for name, d := range drivers {
			want := c.franz
			if name == "confluent" {
				want = c.librdkfk
			}
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				pool := x509.NewCertPool()
				pool.AddCert(root.cert)
				opts := []kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"), kfake.ListenFn(listenAs(c.host)),
					kfake.TLS(&tls.Config{Certificates: []tls.Certificate{c.server}, ClientCAs: pool, ClientAuth: c.asks})}
				// The test's own client does not verify the name; that is not tested here.
				admin := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{server(root, x509.Certificate{ //nolint:gosec // loopback
					Subject: pkix.Name{CommonName: "admin"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})}}
				producing := []kgo.Opt{kgo.DialTLSConfig(admin)}
				secret := c.secret
				if user, password, ok := strings.Cut(c.user, "\x00"); ok {
					opts = append(opts, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "admin", leaktest.Password(t, "admin")))
					for _, m := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
						opts = append(opts, kfake.Superuser(m, user, password))
					}
					producing = append(producing, kgo.SASL(scram.Auth{User: "admin", Pass: leaktest.Password(t, "admin")}.AsSha512Mechanism()))
					secret = asJSON(t, map[string]string{"username": user, "password": password})
				}
				cluster, err := kfake.NewCluster(opts...)
				if err != nil {
					t.Fatal(err)
				}
				defer cluster.Close()
				producer, err := kgo.NewClient(append(producing, kgo.SeedBrokers(cluster.ListenAddrs()...))...)
				if err != nil {
					t.Fatal(err)
				}
				defer producer.Close()
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				if err := producer.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte("one")}).FirstErr(); err != nil {
					t.Fatal(err)
				}
				m := esm.Mapping{FunctionName: "f", Topics: []string{"orders"},
					SelfManagedEventSource:     esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: cluster.ListenAddrs()}},
					SourceAccessConfigurations: []auth.SourceAccessConfiguration{{Type: auth.ServerRootCACertificate, URI: "ca"}}}
				if c.kind != "" {
					m.SourceAccessConfigurations = append(m.SourceAccessConfigurations, auth.SourceAccessConfiguration{Type: c.kind, URI: "secret"})
				}
				got := make(chan struct{}, 1)
				problems := make(chan auth.Diagnosis, 100)
				runner, err := esm.New(m, func(context.Context, esm.KafkaEvent) error {
					got <- struct{}{}
					return nil
				}, esm.WithDriver(d), esm.WithSecrets(auth.NewStatic(map[string]string{"ca": c.ca, "secret": secret})),
					esm.WithHooks(esm.Hooks{Error: func(i esm.ErrorInfo) {
						select {
						case problems <- i.Diagnosis:
						default:
						}
					}}))
				if err != nil {
					t.Fatal(err)
				}
				run, stop := context.WithCancel(ctx)
				defer stop()
				done := make(chan error, 1)
				go func() { done <- runner.Run(run) }()
				for settled := false; !settled; {
					select {
					case <-got:
						if settled = true; want != works {
							t.Errorf("works, want %q", want.cause)
						}
					case p := <-problems:
						settled = want != works && p.Cause == want.cause && strings.Contains(p.Detail, want.text)
						if !settled && p.Code != "" && !p.Vague() {
							t.Errorf("refused as %q: %v", p.Cause, p)
						}
					case err := <-done:
						settled = true
						if p := auth.Classify(err); want == works || p.Cause != want.cause || !strings.Contains(p.Detail, want.text) || strings.Contains(err.Error(), "client options") {
							t.Errorf("Run: %v, %q", err, p.Cause)
						}
						done <- nil
					case <-ctx.Done():
						t.Fatalf("want %q; last %q", want.cause, runner.Status().LastProcessingResult)
					}
				}
				stop()
				if err := <-done; err != nil && auth.Classify(err).Cause != want.cause {
					t.Error(err)
				}
			})
		}
	}
}
