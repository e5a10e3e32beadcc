//go:build unix

package runtime_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/function"
	"github.com/esm-go/esm/function/runtime"
	"github.com/esm-go/esm/internal/functest"
)

func TestPython(t *testing.T) {
	p, j := begin(t, python(t, "app.handler"))
	// A line has the ID of the invocation that runs when it is read.
	functest.Eventually(t, "the output of the cold start is logged", func() bool { return strings.Contains(j.String(), "cold start") })
	r := esmtest.Invoke(t, mapping(1), p.Handle, esmtest.Values("ok", "item", "ok", "print hello")...)
	if len(r.Dropped) != 1 || len(r.Dropped[0].Records) != 1 || r.Dropped[0].Records[0].Offset != 1 || r.Attempts != 2 || r.Unresolved != 0 {
		t.Errorf("%d attempts, dropped %+v, last error %v", r.Attempts, r.Dropped, r.Err)
	}
	r = esmtest.Invoke(t, mapping(0), p.Handle, esmtest.Values("fail 7")...)
	fe, ok := errors.AsType[*function.Error](r.Err)
	if !ok || fe.Type != "ValueError" || fe.Message != "bad record 7" || len(fe.StackTrace) == 0 || !strings.Contains(strings.Join(fe.StackTrace, ""), "app.py") {
		t.Errorf("%#v", r.Err)
	}
	if s := p.Status(); s.State != "Ready" || s.Invocations != 3 || s.Errors != 1 || s.Starts != 1 || len(s.Workers) != 1 || s.Workers[0].Invocations != 3 {
		t.Errorf("status %+v", s)
	}
	// Output has the function's name and the request ID; output before the first request has no ID.
	functest.Eventually(t, "both lines are logged", func() bool { return strings.Count(j.String(), `"msg":"hello"`) == 2 })
	var streams []string
	for _, line := range j.lines(t) {
		switch id, _ := line["requestId"].(string); line["msg"] {
		case "hello":
			streams = append(streams, line["stream"].(string))
			if len(id) != 36 || line["function"] != "orders" {
				t.Errorf("line %v", line)
			}
		case "cold start":
			if id != "" {
				t.Errorf("line %v", line)
			}
		}
	}
	if slices.Sort(streams); !slices.Equal(streams, []string{"stderr", "stdout"}) {
		t.Errorf("streams %v", streams)
	}
}

// A function sees Lambda's values in its context and environment, and none of the host's.
func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "host")
	t.Setenv("ESM_TEST_SECRET", "host")
	t.Setenv("TZ", "Europe/Oslo")
	t.Setenv("LANG", "C.UTF-8")
	c := python(t, "app.handler")
	c.FunctionName = "arn:aws:lambda:eu-north-1:123456789012:function:orders:blue"
	c.Environment["GREETING"], c.Environment["LANG"], c.MemorySize, c.Timeout = "hei", "nb_NO.UTF-8", 512, 90*time.Second
	p, _ := begin(t, c)
	env, ctx := filepath.Join(t.TempDir(), "env"), filepath.Join(t.TempDir(), "context")
	if err := invoke(t, p, "env "+env, "context "+ctx); err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	read(t, env, &got)
	for key, want := range map[string]string{
		"AWS_LAMBDA_FUNCTION_NAME": "orders", "AWS_LAMBDA_FUNCTION_VERSION": "blue", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
		"_HANDLER": "app.handler", "AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-north-1", "LAMBDA_TASK_ROOT": testdata(t),
		"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/orders", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"GREETING": "hei", "LANG": "nb_NO.UTF-8", "TZ": "Europe/Oslo", "PATH": os.Getenv("PATH"),
		"AWS_SECRET_ACCESS_KEY": "", "ESM_TEST_SECRET": "", "HOME": "",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	if !strings.HasPrefix(got["AWS_LAMBDA_RUNTIME_API"], "127.0.0.1:") {
		t.Errorf("AWS_LAMBDA_RUNTIME_API is %q", got["AWS_LAMBDA_RUNTIME_API"])
	}
	var c1 struct {
		ID, ARN, Name, Version, Stream, Cwd string
		Memory                              any
		Left                                int
	}
	read(t, ctx, &c1)
	if len(c1.ID) != 36 || c1.ARN != c.FunctionName || c1.Name != "orders" || c1.Version != "blue" || c1.Cwd != testdata(t) ||
		c1.Left < 60_000 || c1.Left > 90_000 || !strings.Contains(c1.Stream, "[blue]") {
		t.Errorf("context %+v", c1)
	}
}

func read(t *testing.T, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

// If a worker is killed during a batch, exits by itself, or does not answer in time, the batch fails and another worker
// replaces it.
func TestWorkerFails(t *testing.T) {
	for _, tc := range []struct{ name, value, kind, text string }{
		{"killed", "die", "Runtime.ExitError", "signal: killed"},
		{"exit", "exit 3", "Runtime.ExitError", "exit status 3"},
		{"timeout", "sleep 60", "Sandbox.Timedout", "Task timed out after 1.50 seconds"},
		{"large answer", "big 10000000", "Function.ResponseSizeTooLarge", "6291456 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := python(t, "app.handler")
			c.Timeout = 1500 * time.Millisecond
			if tc.name != "timeout" {
				c.Timeout = time.Minute
			}
			p, j := begin(t, c)
			err := invoke(t, p, tc.value)
			fe, ok := errors.AsType[*function.Error](err)
			if !ok || fe.Type != tc.kind || !strings.Contains(fe.Message, tc.text) {
				t.Fatalf("got %v", err)
			}
			if err := invoke(t, p, "ok"); err != nil {
				t.Fatalf("the next batch: %v; log %s", err, j)
			}
			if n := p.Status().Starts; n > 2 {
				t.Errorf("%d processes were started", n)
			}
		})
	}
}

// The same with a mapping and retries: a record that kills its worker is given up after its attempts, and the others
// are handled.
func TestPoison(t *testing.T) {
	p, _ := begin(t, python(t, "app.handler"))
	m := mapping(1)
	m.BatchSize = 1
	r := esmtest.Invoke(t, m, p.Handle, esmtest.Values("ok", "die", "ok")...)
	if r.Attempts != 4 || len(r.Dropped) != 1 || r.Dropped[0].Records[0].Offset != 1 || r.Unresolved != 0 {
		t.Errorf("%d attempts, dropped %+v, unresolved %d", r.Attempts, r.Dropped, r.Unresolved)
	}
}

// If a function's initialization fails, Start returns the reason, Status shows it, and the pool retries with growing
// pauses. It recovers when the problem is fixed.
func TestInitFails(t *testing.T) {
	mended := filepath.Join(t.TempDir(), "mended")
	c := python(t, "broken.handler")
	c.Environment["MENDED"] = mended
	p, j := pool(t, c, runtime.WithStartBackoff(50*time.Millisecond))
	err := p.Start(t.Context())
	ce, ok := errors.AsType[*function.ConfigError](err)
	if !ok || ce.Code() != "FUNCTION_CONFIG_NOT_VALID" || !strings.Contains(err.Error(), "no database") {
		t.Fatalf("Start says %v", err)
	}
	if s := p.Status(); s.State != "Failing" || !strings.Contains(s.StateReason, "no database") || s.InitFailures == 0 {
		t.Errorf("status %+v", s)
	}
	err = invoke(t, p, "ok")
	if fe, ok := errors.AsType[*function.Error](err); !ok || fe.Type != "RuntimeError" && !strings.Contains(fe.Message, "no database") {
		t.Errorf("an invocation meanwhile: %v", err)
	}
	b := esmtest.NewBroker(t)
	b.Produce("t", esmtest.Values("ok")...)
	run := esmtest.Start(t, b, mapping(-1), p.Handle)
	functest.Eventually(t, "the mapping's Status says so", func() bool {
		s := run.Runner().Status()
		return len(s.Conditions) == 1 && s.Conditions[0].Kind == "FUNCTION_CONFIG_NOT_VALID" && strings.Contains(s.LastProcessingResult, "no database")
	})
	functest.Eventually(t, "three starts have failed", func() bool { return p.Status().InitFailures >= 3 })
	var pauses []float64
	for _, line := range j.lines(t) {
		if line["msg"] == "a worker did not start" {
			pauses = append(pauses, line["after"].(float64))
		}
	}
	if len(pauses) < 3 || pauses[0] != 50e6 || pauses[1] != 100e6 || pauses[2] != 200e6 {
		t.Errorf("pauses %v", pauses)
	}
	if err := os.WriteFile(mended, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for p.Start(t.Context()) != nil { // an earlier start may still fail
	}
	if err := invoke(t, p, "ok"); err != nil {
		t.Error(err)
	}
	if s := p.Status(); s.State != "Ready" || s.StateReason != "" {
		t.Errorf("status %+v", s)
	}
	functest.Eventually(t, "the mapping has recovered", func() bool {
		s := run.Runner().Status()
		return len(s.Conditions) == 0 && s.LastProcessingResult == "OK" && b.Lag(s.ConsumerGroupId) == 0
	})
	_ = run.Stop() // its error fails the test
}

// The runtime reports a missing handler.
func TestHandlerNotThere(t *testing.T) {
	for handler, want := range map[string]string{"app.nothing": "nothing", "nothing.handler": "nothing", "app": "app"} {
		p, _ := pool(t, python(t, handler))
		if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "FUNCTION_CONFIG_NOT_VALID") {
			t.Errorf("%s: %v", handler, err)
		}
	}
}
