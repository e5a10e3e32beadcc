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
	for name, inAWS := range map[string]bool{"files": false, "Secrets Manager": true} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var out strings.Builder
			if err := run(ctx, &out, inAWS, 200, false); err != nil {
				t.Fatal(err, out.String())
			}
			text := out.String()
			for _, want := range []string{"protocol SASL_SSL, mechanism SCRAM-SHA-512, user alice", `root CA "CN=Example Private CA"`,
				"handled 400 orders; credentials rotated 1 time, rebalances 1, last result OK\n"} {
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
