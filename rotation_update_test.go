package esm_test

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/leaktest"
)

// TestUpdateSourceAccess updates a mapping under load: to a secret that the brokers refuse, which changes nothing; then
// to another user, in place; then to another mechanism, with a new member. The secrets are not due to be read for an
// hour.
func TestUpdateSourceAccess(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	server, _, _ := ca.issue(t, "broker")
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	for name, d := range drivers {
		for next, kind := range map[string]auth.SourceAccessType{"another user": auth.SASLSCRAM512Auth, "another mechanism": auth.BasicAuth} {
			t.Run(name+"/"+next, func(t *testing.T) {
				t.Parallel()
				login := func(user, password string) string {
					return asJSON(t, map[string]string{"username": user, "password": leaktest.Password(t, password)})
				}
				secrets := &changing{values: map[string]string{"alice": login("alice", "alice"), "wrong": login("robert", "wrong"), "robert": login("robert", "robert"),
					"ca": asJSON(t, map[string]string{"certificate": ca.pem})}}
				access := func(t auth.SourceAccessType, uri string) []auth.SourceAccessConfiguration {
					return []auth.SourceAccessConfiguration{{Type: t, URI: uri}, {Type: auth.ServerRootCACertificate, URI: "ca"}}
				}
				rotateFrom(t, d, secrets, time.Hour, []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "alice", leaktest.Password(t, "alice")),
					kfake.Superuser("SCRAM-SHA-512", "robert", leaktest.Password(t, "robert")), kfake.Superuser("PLAIN", "robert", leaktest.Password(t, "robert")),
					kfake.Superuser("PLAIN", "admin", leaktest.Password(t, "admin")), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}})},
					[]kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: pool}), kgo.SASL(plain.Auth{User: "admin", Pass: leaktest.Password(t, "admin")}.AsMechanism())},
					access(auth.SASLSCRAM512Auth, "alice"), func(r *rotation) {
						m := esm.Mapping{FunctionName: "f", Topics: []string{"orders"},
							SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: r.cluster.ListenAddrs()}}}
						m.SourceAccessConfigurations = access(kind, "wrong")
						if err := r.runner.Update(m); err != nil {
							t.Fatal(err)
						}
						r.load("the refusal", func() bool { return r.runner.Status().Credentials.Err != nil })
						r.fresh("records as before")
						m.SourceAccessConfigurations = access(kind, "robert")
						if err := r.runner.Update(m); err != nil {
							t.Fatal(err)
						}
						r.load("the update", func() bool { return r.runner.Status().Credentials.Rotations == 1 })
						r.reconnect()
						if n := r.revocations.Load(); kind == auth.SASLSCRAM512Auth && n > 0 {
							t.Errorf("partitions were taken away %d times", n)
						}
					})
			})
		}
	}
}
