package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/esm-go/esm"
)

func runIt(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out strings.Builder
	err := run(ctx, args, &out)
	if ctx.Err() != nil {
		t.Fatalf("not drained in time:\n%s", out.String())
	}
	return out.String(), err
}

func TestRun(t *testing.T) {
	out, err := runIt(t)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"mapping of shipping: topics [orders], group shipping, batches of 50\n",
		"order 301 has no address\n",
		"RetryAttemptsExhausted after 3 attempts: order 301 has no address\n",
		"\nread 600 orders: 400 filtered out, 199 shipped, 1 dropped\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestRunOnOtherBrokers(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	file := filepath.Join(t.TempDir(), "mine.json")
	if err := os.WriteFile(file, []byte(`{"FunctionName": "mine", "Topics": ["mine"], "MaximumRetryAttempts": 0, "BatchSize": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := runIt(t, "-mapping", file, "-bootstrap", strings.Join(cluster.ListenAddrs(), ","))
	if err != nil || !strings.Contains(out, "read 600 orders: 0 filtered out, 599 shipped, 1 dropped\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRunRefuses(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "mapping.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, err := runIt(t, "-mapping", filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	for name, text := range map[string]string{
		"no JSON": "{", "a wrong limit": `{"FunctionName": "f", "Topics": ["t"], "BatchSize": 10001}`, "no topic": `{"FunctionName": "f"}`,
	} {
		if _, err := runIt(t, "-mapping", file(text)); !errors.Is(err, esm.ErrInvalidMapping) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
