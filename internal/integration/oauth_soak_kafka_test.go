package integration

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/idptest"
	"github.com/esm-go/esm/internal/leaktest"
)

var numbers = regexp.MustCompile(`,? ?[0-9]+ identical error\(s\) suppressed|[0-9]+ms`)

// lineClock records when each log line from Info up was written. Lines count as the same if text, Op, kind
// and subject are.
type lineClock struct {
	mu    sync.Mutex
	lines map[string][]time.Time
	texts map[string][]string
}

func (*lineClock) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (c *lineClock) WithAttrs([]slog.Attr) slog.Handler         { return c }
func (c *lineClock) WithGroup(string) slog.Handler              { return c }
func (c *lineClock) Handle(_ context.Context, r slog.Record) error {
	// librdkafka's texts contain durations, and how often a line was suppressed.
	key, text := r.Level.String()+" "+numbers.ReplaceAllString(r.Message, "#"), ""
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "op", "kind", "topic", "partition", "from", "to":
			key += " " + a.Key + "=" + a.Value.String()
		default:
			text += " " + a.Key + "=" + a.Value.String()
		}
		return true
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lines == nil {
		c.lines, c.texts = map[string][]time.Time{}, map[string][]string{}
	}
	c.lines[key] = append(c.lines[key], r.Time)
	c.texts[key] = append(c.texts[key], text)
	return nil
}

// often checks that no line came more often than once a minute.
func (c *lineClock) often(t *testing.T, begun time.Time) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(c.lines)) {
		for i, at := range c.lines[key] {
			t.Logf("%v %s:%s", at.Sub(begun).Round(time.Second/10), key, c.texts[key][i])
			if i > 0 && at.Sub(c.lines[key][i-1]) < time.Minute-time.Second {
				t.Errorf("%v after the one before it: %s", at.Sub(c.lines[key][i-1]).Round(time.Second/10), key)
			}
		}
	}
}

// causes returns the causes that lines named.
func (c *lineClock) causes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[string]bool{}
	for _, texts := range c.texts {
		for _, text := range texts {
			if _, after, ok := strings.Cut(text, " cause="); ok {
				cause, _, _ := strings.Cut(after, " ")
				found[cause] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// TestKafkaOAuthSoak runs a mapping of each driver for ten minutes with tokens of a minute, a rotation of the
// secret, and an identity provider that is unavailable for two minutes. It needs ESM_SOAK=1.
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
			clock, begun := &lineClock{}, time.Now()
			s := startStream(t, c, name, topic, client, secrets, []auth.SourceAccessConfiguration{{Type: auth.OAuthBearerAuth, URI: "oauth"}, {Type: auth.ServerRootCACertificate, URI: "ca"}},
				esm.WithDriver(drivers[name]), esm.WithLogger(slog.New(clock)), esm.WithSessionTimeout(5*time.Minute), esm.WithSecretsRefresh(10*time.Second))
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
			clock.often(t, begun)
			for _, cause := range clock.causes() {
				if cause != string(auth.CauseTokenEndpoint) && cause != string(auth.CauseTimeout) && cause != string(auth.CauseDisconnected) {
					t.Errorf("a line of the log names the cause %s: the identity provider alone was away", cause)
				}
			}
		})
	}
}
