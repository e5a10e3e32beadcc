package integration

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/idptest"
	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/internal/leaktest"
)

// bearerDoor is a listener that accepts tokens, validated by Kafka itself, and makes clients re-authenticate
// often.
func bearerDoor(reauth string) kafkatest.Door {
	return kafkatest.Door{Name: "OAUTH", Protocol: "SASL_SSL", Properties: map[string]string{
		"sasl.enabled.mechanisms":                        "OAUTHBEARER",
		"oauthbearer.sasl.jaas.config":                   "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;",
		"oauthbearer.sasl.server.callback.handler.class": "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
		"oauthbearer.connections.max.reauth.ms":          reauth,
	}}
}

// bearerCluster starts an Apache Kafka that accepts tokens of an issuer for an audience.
func bearerCluster(t *testing.T, jwks, issuer, reauth string) *kafkatest.Cluster {
	t.Helper()
	return kafkatest.Start(t, kafkatest.ACLs(), kafkatest.Open(bearerDoor(reauth)), kafkatest.JVM("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls="+jwks),
		kafkatest.Property("sasl.oauthbearer.jwks.endpoint.url", jwks), kafkatest.Property("sasl.oauthbearer.expected.audience", "kafka"),
		kafkatest.Property("sasl.oauthbearer.expected.issuer", issuer), kafkatest.Property("sasl.oauthbearer.jwks.endpoint.refresh.ms", "5000"))
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rotating is a store whose secrets change.
type rotating struct {
	mu     sync.Mutex
	values map[string]string
}

func (r *rotating) set(uri, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values[uri] = value
}

func (r *rotating) Secret(ctx context.Context, uri string) ([]byte, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return auth.NewStatic(r.values).Secret(ctx, uri)
}

// stream is a mapping under load.
type stream struct {
	t       *testing.T
	c       *kafkatest.Cluster
	topic   string
	sent    atomic.Int64
	mu      sync.Mutex
	seen    map[string]int
	revoked atomic.Int64
	errors  atomic.Int64
	runner  *esm.Runner
	watch   *leaktest.Watch
	stop    func()
}

func startStream(t *testing.T, c *kafkatest.Cluster, driver, topic, group string, secrets auth.Secrets, configs []auth.SourceAccessConfiguration, opts ...esm.Option) *stream {
	t.Helper()
	s := &stream{t: t, c: c, topic: topic, seen: map[string]int{}, watch: leaktest.New(t)}
	var err error
	s.runner, err = esm.New(esm.Mapping{FunctionName: "f", Topics: []string{topic}, SourceAccessConfigurations: configs,
		SelfManagedEventSource:            esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: c.BootstrapOf("OAUTH")}},
		SelfManagedKafkaEventSourceConfig: &esm.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: group},
	}, func(_ context.Context, e esm.KafkaEvent) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, records := range e.Records {
			for _, r := range records {
				s.seen[string(r.Value)]++
			}
		}
		return nil
	}, append(append(s.watch.Options(), esm.WithDriver(talkative[driver]), esm.WithSecrets(secrets), esm.WithSecretsRefresh(time.Second),
		esm.WithHooks(esm.Hooks{Revoked: func(esm.AssignmentInfo) { s.revoked.Add(1) }, Lost: func(esm.AssignmentInfo) { s.revoked.Add(1) },
			Error: func(i esm.ErrorInfo) {
				if s.errors.Add(1) < 50 {
					t.Logf("%s: %s: %v: %v", driver, i.Op, i.Diagnosis, i.Err)
				}
			}})), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.runner.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(s.stop)
	return s
}

// load produces until ok returns true, or fails when the time is up.
func (s *stream) load(what string, within time.Duration, ok func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
			s.c.Produce(s.t, &kgo.Record{Topic: s.topic, Value: fmt.Appendf(nil, "%d", s.sent.Add(1))})
		case <-ctx.Done():
			status := s.runner.Status()
			s.watch.Say(status)
			s.t.Fatalf("waiting for %s: sent %d, received %d, %s, %v, credentials %+v", what, s.sent.Load(), s.received(), status.LastProcessingResult, status.Diagnosis, status.Credentials)
		}
	}
	s.watch.Say(s.runner.Status())
}

func (s *stream) received() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.seen))
}

// whole checks that everything arrived, and ends the mapping.
func (s *stream) whole() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.received() < s.sent.Load() && ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	s.stop()
	if got := s.received(); got != s.sent.Load() {
		s.t.Errorf("received %d of %d", got, s.sent.Load())
	}
}

func allowAll(t *testing.T, c *kafkatest.Cluster, principal, topic, group string) {
	t.Helper()
	for _, acls := range []*kadm.ACLBuilder{kadm.NewACLs().Topics(topic), kadm.NewACLs().Groups(group).ResourcePatternType(kadm.ACLPatternPrefixed)} {
		if _, err := c.Admin().CreateACLs(t.Context(), acls.Allow(principal).AllowHosts().Operations(kadm.OpRead)); err != nil {
			t.Fatal(err)
		}
	}
}

// gateway puts TLS in front of an identity provider, and can be made unavailable.
func gateway(t *testing.T, base string) (endpoint, ca string, asked *atomic.Int64, away *atomic.Bool) {
	t.Helper()
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	asked, away = new(atomic.Int64), new(atomic.Bool)
	proxy := &httputil.ReverseProxy{Transport: &http.Transport{DisableKeepAlives: true}, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = target.Host
	}}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if away.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/default/token", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), asked, away
}

// TestKafkaOAuth runs mappings with tokens of a third-party identity provider on Apache Kafka, which makes
// them re-authenticate every few seconds under load. In between the secret is rotated to another client. ACLs
// bind to the token's sub.
func TestKafkaOAuth(t *testing.T) {
	mock := kafkatest.MockOAuth2(t)
	c := bearerCluster(t, mock+"/default/jwks", mock+"/default", "3000")
	ca := jsonOf(t, map[string]string{"certificate": string(c.PKI().CA())})
	for name := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endpoint, idpCA, asked, _ := gateway(t, mock)
			topic := c.NewTopic(t, 2)
			secret := func(client string) string {
				return jsonOf(t, map[string]string{"oauthTokenEndpointUrl": endpoint, "oauthClientId": client, "oauthClientSecret": leaktest.Password(t, client), "oauthIdpCaCertificate": idpCA})
			}
			allowAll(t, c, "User:first-"+name, topic, name)
			allowAll(t, c, "User:second-"+name, topic, name)
			secrets := &rotating{values: map[string]string{"oauth": secret("first-" + name), "ca": ca}}
			s := startStream(t, c, name, topic, name+"-oauth", secrets, []auth.SourceAccessConfiguration{{Type: auth.OAuthBearerAuth, URI: "oauth"},
				{Type: auth.OAuthBearerScope, URI: "kafka"}, {Type: auth.ServerRootCACertificate, URI: "ca"}})
			s.load("the first records", patience, func() bool { return s.received() > 20 })
			before := asked.Load()
			begun := time.Now()
			s.load("several re-authentications", patience, func() bool { return time.Since(begun) > 8*time.Second })
			if n := asked.Load() - before; n > 0 {
				t.Errorf("a token of an hour was asked for %d times in 8 s", n)
			}
			secrets.set("oauth", secret("second-"+name))
			s.load("the rotation", patience, func() bool { return s.runner.Status().Credentials.Rotations == 1 })
			// librdkafka reports that the broker disconnects a client whose principal changes; kgo reconnects
			// silently.
			changed := s.errors.Load()
			// A connection that still uses the first client is no longer admitted.
			denied := kadm.NewACLs().Topics(topic).Deny("User:first-" + name).DenyHosts().Operations(kadm.OpAll)
			time.Sleep(4 * time.Second) // the life of a session
			if _, err := c.Admin().CreateACLs(t.Context(), denied); err != nil {
				t.Fatal(err)
			}
			more := s.received() + 100
			s.load("records as another client", patience, func() bool { return s.received() > more })
			if n := s.revoked.Load(); n > 0 {
				t.Errorf("partitions were taken away %d times", n)
			}
			s.whole()
			if n := s.errors.Load(); name == "franz" && n > 0 || n > changed+2 {
				t.Errorf("%d errors, %d of the rotation", n, changed)
			}
		})
	}
}

// TestKafkaOAuthRefusals makes Apache Kafka reject tokens and the identity provider reject clients, and rolls
// keys over.
func TestKafkaOAuthRefusals(t *testing.T) {
	idp := idptest.New(t)
	c := bearerCluster(t, idp.JWKS, "https://idp.test", "2000")
	ca := jsonOf(t, map[string]string{"certificate": string(c.PKI().CA())})
	idp.Scopes("read")
	for name := range drivers {
		for _, tc := range []struct {
			name, client, audience, scope, secret string
			cause                                 auth.Cause
			detail                                string
		}{
			{"audience", "alice", "other", "", "right", auth.CauseToken, `audience "other"`},
			{"scope", "alice", "kafka", "admin", "right", auth.CauseTokenScope, "invalid_scope"},
			{"secret", "alice", "kafka", "", "wrong", auth.CauseTokenClient, "invalid_client"},
			{"ACL", "nobody", "kafka", "read", "right", "", "the principal of the token lacks an ACL"},
		} {
			t.Run(tc.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				idp.Client(tc.client, leaktest.Mark+"-right")
				topic := c.NewTopic(t, 1)
				secrets := auth.NewStatic(map[string]string{"ca": ca, "oauth": jsonOf(t, map[string]string{"oauthTokenEndpointUrl": idp.URL,
					"oauthClientId": tc.client, "oauthClientSecret": leaktest.Mark + "-" + tc.secret, "oauthIdpCaCertificate": idp.CA})})
				configs := []auth.SourceAccessConfiguration{{Type: auth.OAuthBearerAuth, URI: "oauth"}, {Type: auth.OAuthBearerAudience, URI: tc.audience}, {Type: auth.ServerRootCACertificate, URI: "ca"}}
				if tc.scope != "" {
					configs = append(configs, auth.SourceAccessConfiguration{Type: auth.OAuthBearerScope, URI: tc.scope})
				}
				s := startStream(t, c, name, topic, name+"-refused-"+tc.name, secrets, configs)
				s.load("the refusal", patience, func() bool {
					d := s.runner.Status().Diagnosis
					return (tc.cause == "" || d.Cause == tc.cause) && strings.Contains(d.Detail, tc.detail)
				})
			})
		}
		t.Run("key rollover/"+name, func(t *testing.T) {
			t.Parallel()
			client := "roll-" + name
			idp.Client(client, leaktest.Mark+"-right")
			topic := c.NewTopic(t, 1)
			allowAll(t, c, "User:"+client, topic, name)
			secrets := auth.NewStatic(map[string]string{"ca": ca, "oauth": jsonOf(t, map[string]string{"oauthTokenEndpointUrl": idp.URL,
				"oauthClientId": client, "oauthClientSecret": leaktest.Mark + "-right", "oauthIdpCaCertificate": idp.CA})})
			idp.Lifetime(20 * time.Second)
			s := startStream(t, c, name, topic, name+"-roll", secrets, []auth.SourceAccessConfiguration{{Type: auth.OAuthBearerAuth, URI: "oauth"}, {Type: auth.ServerRootCACertificate, URI: "ca"}})
			s.load("the first records", patience, func() bool { return s.received() > 5 })
			idp.NewKey(t)
			begun := time.Now()
			s.load("tokens of the new key", patience, func() bool { return time.Since(begun) > 25*time.Second })
			more := s.received() + 20
			s.load("records with them", patience, func() bool { return s.received() > more })
			s.whole()
		})
	}
}
