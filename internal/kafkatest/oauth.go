package kafkatest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// mockOAuth2Version is the version of no.nav.security:mock-oauth2-server, an independent identity provider.
const mockOAuth2Version = "3.0.1"

// MockOAuth2 starts mock-oauth2-server, which ends with the test, and returns its base URL. The issuer is /default
// below it, its keys are at /default/jwks and its token endpoint is /default/token. It accepts any client and secret,
// and issues tokens whose audience is the requested scope.
func MockOAuth2(tb testing.TB) string {
	tb.Helper()
	admit(tb)
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Fatalf("kafkatest: find the user's cache folder: %v", err)
	}
	pom := pomOf(release{jars: []string{"no.nav.security:mock-oauth2-server:" + mockOAuth2Version}})
	jars, err := fetchInto(ctx, filepath.Join(cache, "esm-kafka"), "mock-oauth2-server-"+mockOAuth2Version, pom, mavenCopy)
	if err != nil {
		tb.Fatalf("kafkatest: %v", err)
	}
	java, err := findJava()
	if err != nil {
		tb.Fatalf("kafkatest: %v", err)
	}
	ports, err := freePorts(1)
	if err != nil {
		tb.Fatalf("kafkatest: %v", err)
	}
	out := newLastLines(50)
	p, err := startProcessEnv(out, []string{fmt.Sprintf("SERVER_PORT=%d", ports[0]), "SERVER_HOSTNAME=127.0.0.1"}, java,
		"-Xmx256m", "-cp", filepath.Join(jars, "*"), "no.nav.security.mock.oauth2.StandaloneMockOAuth2ServerKt")
	if err != nil {
		tb.Fatalf("kafkatest: start mock-oauth2-server: %v", err)
	}
	tb.Cleanup(p.kill)
	base := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	wait, done := context.WithTimeout(ctx, time.Minute)
	defer done()
	if err := poll(wait, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/default/jwks", http.NoBody)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}); err != nil {
		tb.Fatalf("kafkatest: mock-oauth2-server does not answer: %v\n%s", err, out)
	}
	return base
}
