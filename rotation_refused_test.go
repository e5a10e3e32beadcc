package esm_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/leaktest"
)

// TestRotateWhenRefused makes brokers refuse a changed password while the secret is not due to be read for an hour: the
// refusal makes the mapping read it at once, and no record is lost.
func TestRotateWhenRefused(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	server, _, _ := ca.issue(t, "broker")
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	for name, d := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			login := func(password string) string {
				return asJSON(t, map[string]string{"username": "alice", "password": leaktest.Password(t, password)})
			}
			secrets := &changing{values: map[string]string{"login": login("old"), "ca": asJSON(t, map[string]string{"certificate": ca.pem})}}
			rotateFrom(t, d, secrets, time.Hour, []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "alice", leaktest.Password(t, "old")),
				kfake.Superuser("PLAIN", "admin", leaktest.Password(t, "admin")), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}})},
				[]kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: pool}), kgo.SASL(plain.Auth{User: "admin", Pass: leaktest.Password(t, "admin")}.AsMechanism())},
				[]auth.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: "login"}, {Type: auth.ServerRootCACertificate, URI: "ca"}},
				func(r *rotation) {
					secrets.set("login", login("new"))
					if _, err := kadm.NewClient(r.client).AlterUserSCRAMs(r.ctx, nil, []kadm.UpsertSCRAM{{User: "alice",
						Mechanism: kadm.ScramSha512, Iterations: 4096, Password: leaktest.Password(t, "new")}}); err != nil {
						t.Fatal(err)
					}
					r.fresh("records over connections from before")
					if n := r.runner.Status().Credentials.Rotations; n != 0 {
						t.Errorf("%d rotations before anything was refused", n)
					}
					at := time.Now()
					r.conns.cut()
					r.load("the rotation", func() bool { return r.runner.Status().Credentials.Rotations == 1 })
					t.Logf("rotated %v after connections were cut", time.Since(at).Round(time.Millisecond))
					r.fresh("records over new connections")
					r.stays()
				})
		})
	}
}
