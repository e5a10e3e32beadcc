package manager_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/store/files"
	"github.com/esm-go/esm/manager/store/memory"
)

func TestMain(m *testing.M) {
	if servers := os.Getenv(replicaVariable); servers != "" {
		if err := replica(servers); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// TestDisabledLeavesTheGroup: what is in flight finishes first, and then the group is empty, so that its positions can
// be changed.
func TestDisabledLeavesTheGroup(t *testing.T) {
	h := newHarness(t)
	release := make(chan struct{})
	begun := make(chan struct{}, 1)
	h.handlers["slow"] = func(context.Context, esm.KafkaEvent) error {
		begun <- struct{}{}
		<-release
		return nil
	}
	m, _ := h.start(memory.New(), h.handlers)
	slow := mapping("orders")
	slow.FunctionName = "slow"
	id := create(t, m, slow)
	awaitState(t, m, id, esm.Enabled)
	h.broker.Produce("orders", esmtest.Values("a")...)
	<-begun
	disable := func(m *esm.Mapping) error { m.Enabled = new(false); return nil }
	if d, err := m.Update(t.Context(), id, 0, disable); err != nil || d.State != esm.Disabling {
		t.Fatal(d.State, err)
	}
	if d, err := m.Get(id); err != nil || d.State != esm.Disabling {
		t.Error(d.State, err)
	}
	close(release)
	awaitState(t, m, id, esm.Disabled)
	if n := len(h.broker.Members(id)); n != 0 {
		t.Errorf("%d members are left", n)
	}
	if got := h.broker.Committed(id, "orders", 0); got.Offset != 1 {
		t.Errorf("committed %v", got)
	}
	if _, err := m.Update(t.Context(), id, 0, func(m *esm.Mapping) error { m.Enabled, m.FunctionName = nil, "orders"; return nil }); err != nil {
		t.Fatal(err)
	}
	awaitState(t, m, id, esm.Enabled)
	h.delivered("orders", "b", "c")
}

// TestUpdates: batching and the function change in the running Runner; for other secrets a new Runner replaces it, and
// the old one stays in the group until the new one is ready.
func TestUpdates(t *testing.T) {
	h := newHarness(t)
	var audited atomic.Int64
	h.handlers["audit"] = func(ctx context.Context, e esm.KafkaEvent) error {
		if inv, _ := esm.InvocationFromContext(ctx); inv.FunctionName != "audit" {
			t.Errorf("the invocation names %q", inv.FunctionName)
		}
		audited.Add(int64(e.Len()))
		return nil
	}
	m, _ := h.start(memory.New(), h.handlers)
	first := mapping("orders")
	first.SourceAccessConfigurations = []esm.SourceAccessConfiguration{{Type: auth.BasicAuth, URI: "s1"}}
	id := create(t, m, first)
	awaitState(t, m, id, esm.Enabled)
	runner, err := m.Runner(id)
	if err != nil {
		t.Fatal(err)
	}
	update := func(change func(*esm.Mapping)) {
		t.Helper()
		d, err := m.Update(t.Context(), id, 0, func(m *esm.Mapping) error { change(m); return nil })
		if err != nil || d.State != esm.Updating {
			t.Fatal(d.State, err)
		}
		awaitState(t, m, id, esm.Enabled)
	}
	update(func(m *esm.Mapping) { m.BatchSize = 7 })
	update(func(m *esm.Mapping) { m.FunctionName = "audit" })
	h.broker.Produce("orders", esmtest.Values("a", "b")...)
	within(t, "the other function", func() bool { return audited.Load() == 2 })
	if now, _ := m.Runner(id); now != runner {
		t.Error("the Runner was replaced for a change that it can take")
	}
	update(func(m *esm.Mapping) { m.FunctionName = "orders" })
	update(func(m *esm.Mapping) { m.SourceAccessConfigurations[0].URI = "s2" })
	within(t, "the new credentials", func() bool {
		s, err := m.Status(id)
		return err == nil && strings.Contains(s.Credentials.InUse, "c") && s.State == esm.Enabled
	})
	h.delivered("orders", "c")
	// Missing secrets: the update is accepted, the old Runner continues, and the mapping shows the problem.
	if _, err := m.Update(t.Context(), id, 0, func(m *esm.Mapping) error { m.SourceAccessConfigurations[0].URI = "missing"; return nil }); err != nil {
		t.Fatal(err)
	}
	within(t, "a PROBLEM", func() bool {
		d, _ := m.Get(id)
		return d.State == esm.Enabled && strings.HasPrefix(d.LastProcessingResult, "PROBLEM")
	})
	h.delivered("orders", "d")
}

// TestWrongFunction: a mapping whose function is gone is Enabled with a PROBLEM, keeps retrying, and can be disabled.
func TestWrongFunction(t *testing.T) {
	h := newHarness(t)
	var gone atomic.Bool
	functions := manager.FunctionsFunc(func(name string) (esm.Handler, error) {
		if gone.Load() {
			return nil, fmt.Errorf("%w: %s", manager.ErrFunctionNotFound, name)
		}
		return h.handlers.Resolve(name)
	})
	s := memory.New()
	m, stop := h.start(s, functions)
	id := create(t, m, mapping("orders"))
	awaitState(t, m, id, esm.Enabled)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	gone.Store(true)
	m, _ = h.start(s, functions)
	<-m.Ready()
	d := awaitState(t, m, id, esm.Enabled)
	if d.StateTransitionReason != esm.ReasonFunctionConfigNotValid || !strings.HasPrefix(d.LastProcessingResult, "PROBLEM: Function does not exist") {
		t.Errorf("%+v", d)
	}
	if _, err := m.Update(t.Context(), id, 0, func(m *esm.Mapping) error { m.Enabled = new(false); return nil }); err != nil {
		t.Error(err)
	}
	awaitState(t, m, id, esm.Disabled)
	gone.Store(false)
	if _, err := m.Update(t.Context(), id, 0, func(m *esm.Mapping) error { m.Enabled = nil; return nil }); err != nil {
		t.Error(err)
	}
	awaitState(t, m, id, esm.Enabled)
	h.delivered("orders", "a")
}

// TestRestart: the mappings in the files run again after a restart; editing a file changes its mapping.
func TestRestart(t *testing.T) {
	h := newHarness(t)
	directory := t.TempDir()
	open := func() *files.Store {
		s, err := files.Open(directory, files.WithPollInterval(5*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	s := open()
	m, stop := h.start(s, h.handlers)
	id := create(t, m, mapping("orders"))
	awaitState(t, m, id, esm.Enabled)
	h.delivered("orders", "a")
	if err := errors.Join(stop(), s.Close()); err != nil {
		t.Fatal(err)
	}
	m, _ = h.start(open(), h.handlers)
	<-m.Ready()
	awaitState(t, m, id, esm.Enabled)
	h.delivered("orders", "b")
	name := filepath.Join(directory, id+".json")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(text), `"orders"`+"\n  ]", `"others"`+"\n  ]", 1)
	if edited == string(text) {
		t.Fatalf("no topic in %s", text)
	}
	if err := errors.Join(os.WriteFile(name+"~", []byte(edited), 0o600), os.Rename(name+"~", name)); err != nil {
		t.Fatal(err)
	}
	h.delivered("others", "c") // another topic needs a new Runner
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	within(t, "its end", func() bool {
		_, err := m.Get(id)
		return errors.Is(err, manager.ErrNotFound)
	})
}

func TestRefused(t *testing.T) {
	h := newHarness(t)
	m, _ := h.start(memory.New(), h.handlers, manager.WithAllowed(manager.Allowed{
		Servers: []string{"b:*"}, Secrets: []string{"s*"}, Destinations: []string{}, Registries: nil,
	}))
	id := create(t, m, mapping("orders"))
	d, _ := m.Get(id)
	for name, c := range map[string]struct {
		change func(*esm.Mapping)
		want   string
	}{
		"server": {func(m *esm.Mapping) { m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = []string{"evil:1"} }, "KAFKA_BOOTSTRAP_SERVERS[0] = \"evil:1\": is not allowed here"},
		"secret": {func(m *esm.Mapping) {
			m.SourceAccessConfigurations = []esm.SourceAccessConfiguration{{Type: auth.BasicAuth, URI: "other"}}
		}, "SourceAccessConfigurations[0].URI"},
		"destination": {func(m *esm.Mapping) {
			m.DestinationConfig = &esm.DestinationConfig{OnFailure: &esm.Destination{Destination: "kafka://dead"}}
		}, "DestinationConfig.OnFailure.Destination"},
		"function":    {func(m *esm.Mapping) { m.FunctionName = "nobody" }, "Function does not exist"},
		"no function": {func(m *esm.Mapping) { m.FunctionName = "" }, "FunctionName: is required"},
		"tags":        {func(m *esm.Mapping) { m.Tags = map[string]string{"": "x"} }, "Tags"},
		"its UUID":    {func(m *esm.Mapping) { m.UUID = strings.ToUpper(id) }, "is that of an existing mapping"},
		"group": {func(m *esm.Mapping) {
			m.SelfManagedKafkaEventSourceConfig = &esm.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: id}
		}, "A group belongs to one mapping"},
		"everything bad": {func(m *esm.Mapping) { m.BatchSize, m.MaximumRetryAttempts = -1, new(-7) }, "MaximumRetryAttempts"},
	} {
		t.Run(name, func(t *testing.T) {
			n := mapping("others")
			c.change(&n)
			if _, err := m.Create(t.Context(), n); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
	if _, err := m.Update(t.Context(), id, d.Revision+7, func(*esm.Mapping) error { return nil }); !errors.Is(err, manager.ErrStale) {
		t.Errorf("%v", err)
	}
	if _, err := m.Update(t.Context(), id, 0, func(m *esm.Mapping) error { m.Topics = []string{"others"}; return nil }); !errors.Is(err, esm.ErrImmutable) {
		t.Errorf("%v", err)
	}
	if page, more := m.List(manager.Filter{}); len(page) != 1 || more {
		t.Errorf("%v", page)
	}
	if err := m.Run(t.Context()); !errors.Is(err, manager.ErrAlreadyRun) {
		t.Error(err)
	}
}

// TestPanic: a handler that panics is retried like any failure, and does not harm the other mapping.
func TestPanic(t *testing.T) {
	h := newHarness(t)
	h.handlers["panics"] = func(context.Context, esm.KafkaEvent) error { panic("no") }
	m, _ := h.start(memory.New(), h.handlers)
	bad := mapping("others")
	bad.FunctionName = "panics"
	wrong, right := create(t, m, bad), create(t, m, mapping("orders"))
	awaitState(t, m, right, esm.Enabled)
	awaitState(t, m, wrong, esm.Enabled)
	h.broker.Produce("others", esmtest.Values("x")...)
	h.delivered("orders", "a")
	within(t, "the failure", func() bool {
		d, _ := m.Get(wrong)
		return d.LastProcessingResult == "PROBLEM: Function call failed"
	})
}

func TestFunctionNames(t *testing.T) {
	const account = "arn:aws:lambda:us-east-1:000000000000:function:"
	h := newHarness(t)
	m, err := manager.New(memory.New(), h.handlers)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"orders": account + "orders", "orders:$LATEST": account + "orders:$LATEST", "orders:1": account + "orders:1", "orders:blue": account + "orders:blue",
		"123456789012:function:orders": "arn:aws:lambda:us-east-1:123456789012:function:orders", account + "orders:1": account + "orders:1",
		"arn:aws-cn:lambda:cn-north-1:123456789012:function:orders": "arn:aws-cn:lambda:cn-north-1:123456789012:function:orders",
	} {
		if got, err := m.Function(name); got != want || err != nil {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
	if _, err := m.Function("order"); !errors.Is(err, manager.ErrFunctionNotFound) {
		t.Error(err)
	}
}
