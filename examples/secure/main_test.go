package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "")
	for name, c := range map[string]struct {
		how   string
		inAWS bool
		want  []string
	}{
		"files":           {"scram", false, []string{"protocol SASL_SSL, mechanism SCRAM-SHA-512, user alice", "rebalances 1,"}},
		"Secrets Manager": {"scram", true, []string{"protocol SASL_SSL, mechanism SCRAM-SHA-512, user alice", "rebalances 1,"}},
		"mTLS":            {"mtls", false, []string{"protocol SSL\nprincipal User:CN=alice\n"}},
		"OAuth":           {"oauth", false, []string{`mechanism OAUTHBEARER, tokens of client "consumer" from https://`, "rebalances 1,"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var out strings.Builder
			if err := run(ctx, &out, c.how, c.inAWS, 200, false); err != nil {
				t.Fatal(err, out.String())
			}
			text := out.String()
			for _, want := range append(c.want, `root CA "CN=Example Private CA"`, "handled 400 orders; credentials rotated 1 time", "last result OK\n") {
				if !strings.Contains(text, want) {
					t.Errorf("lacks %q:\n%s", want, text)
				}
			}
			for _, secret := range []string{first, second} {
				if strings.Contains(text, secret) {
					t.Errorf("prints %q", secret)
				}
			}
		})
	}
}
