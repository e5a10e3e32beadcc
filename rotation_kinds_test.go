package esm_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/leaktest"
)

// names records the names under which clients authenticated.
type names struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (n *names) add(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen == nil {
		n.seen = map[string]bool{}
	}
	n.seen[name] = true
}

func (n *names) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken := slices.Sorted(maps.Keys(n.seen))
	clear(n.seen)
	return taken
}

// TestRotateUser changes user and password under load, for each SASL mechanism: every connection from then on uses the
// new user, and the member stays.
func TestRotateUser(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	server, _, _ := ca.issue(t, "broker")
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	for kind, mechanism := range map[auth.SourceAccessType]string{
		auth.BasicAuth: "PLAIN", auth.SASLSCRAM256Auth: "SCRAM-SHA-256", auth.SASLSCRAM512Auth: "SCRAM-SHA-512",
	} {
		for name, d := range drivers {
			t.Run(name+"/"+mechanism, func(t *testing.T) {
				login := func(user string) string {
					return asJSON(t, map[string]string{"username": user, "password": leaktest.Password(t, user)})
				}
				var users names
				rotate(t, d, []kfake.Opt{kfake.EnableSASL(), kfake.Superuser(mechanism, "alice", leaktest.Password(t, "alice")),
					kfake.Superuser(mechanism, "robert", leaktest.Password(t, "robert")), kfake.Superuser("PLAIN", "admin", leaktest.Password(t, "admin")),
					kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}})},
					[]kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: pool}), kgo.SASL(plain.Auth{User: "admin", Pass: leaktest.Password(t, "admin")}.AsMechanism())},
					[]auth.SourceAccessConfiguration{{Type: kind, URI: "login"}, {Type: auth.ServerRootCACertificate, URI: "ca"}},
					map[string]string{"login": login("alice"), "ca": asJSON(t, map[string]string{"certificate": ca.pem})},
					func(r *rotation) {
						r.cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
							for _, user := range []string{"alice", "robert"} {
								if bytes.Contains(req.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes, []byte(user)) {
									users.add(user)
								}
							}
							return nil, nil, false
						})
						r.secrets.set("login", login("robert"))
						r.load("the rotation", func() bool { return r.runner.Status().Credentials.Rotations == 1 })
						r.reconnect() // this also ends connections that were authenticating when the user changed
						users.take()
						r.reconnect()
						if got := users.take(); !slices.Equal(got, []string{"robert"}) {
							t.Errorf("%v authenticated after the rotation, want robert alone", got)
						}
						r.stays()
					})
			})
		}
	}
}

// stays checks that the member was neither replaced nor left without its partitions.
func (r *rotation) stays() {
	r.t.Helper()
	if n, rebalances := r.revocations.Load(), r.runner.Metrics().RebalanceCount; n != 0 || rebalances != 1 {
		r.t.Errorf("partitions were taken away %d times in %d rebalances, want the first assignment alone", n, rebalances)
	}
}

// replaced checks that the member was replaced once. The leaving member's partitions are revoked, and its successor is
// assigned them: two changes after the first assignment.
func (r *rotation) replaced() {
	r.t.Helper()
	r.load("the new member", func() bool { return len(r.runner.Status().Partitions) == 4 && r.runner.Metrics().RebalanceCount > 1 })
	if n, rebalances := r.revocations.Load(), r.runner.Metrics().RebalanceCount; n != 1 || rebalances != 3 {
		r.t.Errorf("partitions were taken away %d times in %d changes, want once, and assigned, revoked and assigned", n, rebalances)
	}
}

// TestRotateCertificate changes a client's certificate under load: franz uses it for each connection from then on, and
// confluent replaces its member.
func TestRotateCertificate(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	server, _, _ := ca.issue(t, "broker")
	pair, _, _ := ca.issue(t, "admin")
	_, oldCert, oldKey := ca.issue(t, "old")
	_, newCert, newKey := ca.issue(t, "new")
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	for name, d := range drivers {
		t.Run(name, func(t *testing.T) {
			var users names
			rotate(t, d, []kfake.Opt{kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
				VerifyConnection: func(s tls.ConnectionState) error {
					users.add(s.PeerCertificates[0].Subject.CommonName)
					return nil
				}})},
				[]kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}})},
				[]auth.SourceAccessConfiguration{{Type: auth.ClientCertificateTLSAuth, URI: "mtls"}, {Type: auth.ServerRootCACertificate, URI: "ca"}},
				map[string]string{"mtls": asJSON(t, map[string]string{"certificate": oldCert, "privateKey": oldKey}), "ca": asJSON(t, map[string]string{"certificate": ca.pem})},
				func(r *rotation) {
					r.secrets.set("mtls", asJSON(t, map[string]string{"certificate": newCert, "privateKey": newKey}))
					r.load("the rotation", func() bool { return r.runner.Status().Credentials.Rotations == 1 })
					if name == "confluent" {
						r.replaced()
					}
					r.reconnect()
					users.take()
					r.reconnect()
					if got := users.take(); !slices.Contains(got, "new") || slices.Contains(got, "old") {
						t.Errorf("%v connected after the rotation, want new and not old", got)
					}
					if name == "franz" {
						r.stays()
					}
				})
		})
	}
}

// TestRotateCA changes the brokers' CA under load: first too early, which keeps the old one; then the secret trusts
// both CAs, and the brokers present a certificate of the new one.
func TestRotateCA(t *testing.T) {
	t.Parallel()
	oldCA, newCA := newAuthority(t), newAuthority(t)
	oldServer, _, _ := oldCA.issue(t, "broker")
	newServer, _, _ := newCA.issue(t, "broker")
	pool := x509.NewCertPool()
	pool.AddCert(oldCA.cert)
	pool.AddCert(newCA.cert)
	for name, d := range drivers {
		t.Run(name, func(t *testing.T) {
			var shown atomic.Pointer[tls.Certificate]
			shown.Store(&oldServer)
			rotate(t, d, []kfake.Opt{kfake.TLS(&tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return shown.Load(), nil }})},
				[]kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: pool})},
				[]auth.SourceAccessConfiguration{{Type: auth.ServerRootCACertificate, URI: "ca"}},
				map[string]string{"ca": asJSON(t, map[string]string{"certificate": oldCA.pem})},
				func(r *rotation) {
					r.secrets.set("ca", asJSON(t, map[string]string{"certificate": newCA.pem}))
					r.load("the new CA to be refused", func() bool { return r.runner.Status().Credentials.Err != nil })
					if s := r.runner.Status(); auth.Classify(s.Credentials.Err).Cause != auth.CauseServerCA || s.Credentials.Rotations != 0 {
						t.Errorf("after %d rotations refused as %q: %v", s.Credentials.Rotations, auth.Classify(s.Credentials.Err).Cause, s.Credentials.Err)
					}
					r.secrets.set("ca", asJSON(t, map[string]string{"certificate": oldCA.pem + newCA.pem}))
					r.load("the rotation", func() bool { return r.runner.Status().Credentials.Rotations == 1 })
					if name == "confluent" {
						r.replaced()
					}
					shown.Store(&newServer)
					r.reconnect()
					if name == "franz" {
						r.stays()
					}
				})
		})
	}
}
