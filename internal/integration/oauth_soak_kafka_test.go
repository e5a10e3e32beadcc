package integration

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/idptest"
	"github.com/esm-go/esm/internal/leaktest"
)

// lineCounter counts the lines of a log from Info up, by their text, in each minute.
type lineCounter struct {
	mu    sync.Mutex
	lines map[string]map[int64]int
}

func (*lineCounter) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (c *lineCounter) WithAttrs([]slog.Attr) slog.Handler         { return c }
func (c *lineCounter) WithGroup(string) slog.Handler              { return c }
func (c *lineCounter) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lines == nil {
		c.lines = map[string]map[int64]int{}
	}
	text := r.Level.String() + " " + r.Message
	if c.lines[text] == nil {
		c.lines[text] = map[int64]int{}
	}
	c.lines[text][r.Time.Unix()/60]++
	return nil
}

// TestKafkaOAuthSoak runs a mapping of each driver for ten minutes with tokens of a minute, a rotation of the secret, and an
// identity provider that is away for two minutes. It takes ESM_SOAK=1 to run.
func TestKafkaOAuthSoak(t *testing.T) {
	if os.Getenv("ESM_SOAK") != "1" {
		t.Skip("takes ten minutes: set ESM_SOAK=1")
	}
	const soak, away = 10 * time.Minute, 2 * time.Minute
	idp := idptest.New(t)
	c := bearerCluster(t, idp.JWKS, "https://idp.test", "30000")
	ca := jsonOf(t, map[string]string{"certificate": string(c.PKI().CA())})
	for name := range drivers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := "soak-" + name
			secret := func(n string) string {
				idp.Client(client, leaktest.Password(t, n))
				return jsonOf(t, map[string]string{"oauthTokenEndpointUrl": idp.URL, "oauthClientId": client, "oauthClientSecret": leaktest.Password(t, n), "oauthIdpCaCertificate": idp.CA})
			}
			topic := c.NewTopic(t, 2)
			allowAll(t, c, "User:"+client, topic, client)
			secrets := &rotating{values: map[string]string{"oauth": secret("one"), "ca": ca}}
			counter := &lineCounter{}
			s := startStream(t, c, name, topic, client, secrets, []auth.SourceAccessConfiguration{{Type: auth.OAuthBearerAuth, URI: "oauth"}, {Type: auth.ServerRootCACertificate, URI: "ca"}},
				esm.WithDriver(drivers[name]), esm.WithLogger(slog.New(counter)), esm.WithSessionTimeout(5*time.Minute), esm.WithSecretsRefresh(10*time.Second))
			begun := time.Now()
			until := func(what string, d time.Duration) {
				s.load(what, d+time.Minute, func() bool { return time.Since(begun) > d })
				t.Logf("%v, %s: sent %d, received %d, %d errors, %d revocations, tokens asked for %d times, %s", time.Since(begun).Round(time.Second), what,
					s.sent.Load(), s.received(), s.errors.Load(), s.revoked.Load(), idp.Asked(), s.runner.Status().LastProcessingResult)
			}
			until("start", 2*time.Minute)
			secrets.set("oauth", secret("two"))
			until("after the rotation", 4*time.Minute)
			if n := s.runner.Status().Credentials.Rotations; n != 1 {
				t.Errorf("%d rotations", n)
			}
			idp.Away(true)
			until("the provider was away", 4*time.Minute+away)
			idp.Away(false)
			until("after it came back", soak)
			if n := s.revoked.Load(); name == "franz" && n > 0 {
				t.Errorf("partitions were taken away %d times", n)
			}
			s.whole()
			counter.mu.Lock()
			defer counter.mu.Unlock()
			for _, text := range slices.Sorted(maps.Keys(counter.lines)) {
				most, all := 0, 0
				for _, n := range counter.lines[text] {
					most, all = max(most, n), all+n
				}
				if all > 2 {
					t.Logf("%3d lines, at most %d in a minute: %s", all, most, text)
				}
			}
		})
	}
}
