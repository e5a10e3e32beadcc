package main

import (
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRun runs the program and checks that its output has everything that it promises.
func TestRun(t *testing.T) {
	var out strings.Builder
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	if err := run(t.Context(), "127.0.0.1:0", &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"blocked: orders-", "last: the stock does not answer", "process orders (consumer", "└ write to the database (internal", `~ links to "orders publish" of trace `,
		"commit orders (client", `esm_polled_records_total{consumer_group=`, `esm_retries_total{`, `reason="failed"`, "POLLER_STATUS_EVENT", "partitions assigned"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not show %q:\n%s", want, out.String())
		}
	}
}
