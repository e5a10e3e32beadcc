//go:build unix

package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/function"
	"github.com/esm-go/esm/function/runtime"
	"github.com/esm-go/esm/internal/functest"
	"github.com/esm-go/esm/scaling"
)

func TestBadConfig(t *testing.T) {
	good := worker("plain")
	for want, change := range map[string]func(*runtime.Config){
		"is empty: give the program": func(c *runtime.Config) { c.Command = nil },
		"executable file not found":  func(c *runtime.Config) { c.Command = []string{"no-such-program"} },
		"no such file":               func(c *runtime.Config) { c.Command = []string{"./no-such-program"} },
		"permission denied":          func(c *runtime.Config) { c.Command = []string{filepath.Join(testdata(t), "app.py")} },
		"ARN of sqs":                 func(c *runtime.Config) { c.FunctionName = "arn:aws:sqs:eu-west-1:123456789012:q" },
		"FunctionName":               func(c *runtime.Config) { c.FunctionName = "" },
		"Dir":                        func(c *runtime.Config) { c.Dir = "/no/such/directory" },
		"not a directory":            func(c *runtime.Config) { c.Dir = os.Args[0] },
		"_HANDLER is reserved":       func(c *runtime.Config) { c.Environment = map[string]string{"_HANDLER": "x"} },
		"is not a variable":          func(c *runtime.Config) { c.Environment = map[string]string{"A=B": "x"} },
		"Timeout":                    func(c *runtime.Config) { c.Timeout = time.Hour },
		"MemorySize":                 func(c *runtime.Config) { c.MemorySize = -1 },
	} {
		c := good
		change(&c)
		if _, err := runtime.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for want, o := range map[string]runtime.Option{
		"WithWorkerRange(3, 2)": runtime.WithWorkerRange(3, 2), "WithIdleTimeout": runtime.WithIdleTimeout(0), "WithStopTimeout": runtime.WithStopTimeout(-1),
		"WithInitTimeout": runtime.WithInitTimeout(0), "WithStartBackoff": runtime.WithStartBackoff(time.Hour),
	} {
		if _, err := runtime.New(good, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	c := good
	c.Dir, c.Timeout = "/no/such/directory", -1
	if _, err := runtime.New(c, runtime.WithIdleTimeout(0)); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not every fault is named: %v", err)
	}
}

func TestNotStarted(t *testing.T) {
	p, _ := pool(t, worker("plain"))
	if err := invoke(t, p, "a"); !errors.Is(err, runtime.ErrStopped) || !errors.Is(err, function.ErrNotInvoked) {
		t.Errorf("got %v", err)
	}
	if s := p.Status(); s.State != "Stopped" {
		t.Errorf("status %+v", s)
	}
}

// There are as many workers as concurrent invocations, within the range. Idle workers are ended.
func TestWorkersFollow(t *testing.T) {
	p, _ := begin(t, python(t, "app.handler"), runtime.WithWorkerRange(1, 3), runtime.WithIdleTimeout(300*time.Millisecond))
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if err := invoke(t, p, "sleep 1"); err != nil {
				t.Error(err)
			}
		})
	}
	functest.Eventually(t, "three workers are at work, two invocations wait", func() bool {
		busy, s := 0, p.Status()
		for _, w := range s.Workers {
			if w.State == "Busy" && w.RequestID != "" {
				busy++
			}
		}
		if len(s.Workers) > 3 {
			t.Fatalf("%d workers", len(s.Workers))
		}
		return busy == 3 && s.Waiting == 2
	})
	wg.Wait()
	functest.Eventually(t, "one is left", func() bool { return len(p.Status().Workers) == 1 })
	if s := p.Status(); s.Invocations != 5 || s.Crashes != 0 {
		t.Errorf("status %+v", s)
	}
}

// With Hooks the pool starts workers before their batches arrive, and ends those that the policy does not want.
func TestHooks(t *testing.T) {
	p, _ := begin(t, worker("plain"), runtime.WithWorkerRange(1, 6))
	ready := func(n int) func() bool {
		return func() bool { s := p.Status(); return len(s.Workers) == n && s.Workers[n-1].State == "Idle" }
	}
	scaled := p.Hooks().Scaled
	for _, tc := range [][2]int{{4, 4}, {9, 6}, {2, 2}, {0, 1}} {
		scaled(esm.ScaledInfo{To: scaling.Capacity{Workers: tc[0]}})
		functest.Eventually(t, fmt.Sprintf("%d workers are ready when %d are wanted", tc[1], tc[0]), ready(tc[1]))
	}
}

// Of many concurrent invocations, each gets its own answer.
func TestConcurrent(t *testing.T) {
	p, _ := begin(t, worker("lambda"), runtime.WithWorkerRange(2, 4))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 25 {
				e := esmtest.Event("t", esmtest.Values("item")...)
				e.Records["t-0"][0].Offset = int64(i*1000 + k)
				want := esm.ItemFailures(esm.ItemID{Partition: "t-0", Offset: int64(i*1000 + k)})
				if err := p.Handle(t.Context(), e); err == nil || err.Error() != want.Error() {
					t.Errorf("got %v, want %v", err, want)
				}
			}
		})
	}
	wg.Wait()
	if s := p.Status(); s.Invocations != 200 || s.Starts > 4 {
		t.Errorf("status %+v", s)
	}
}

// A worker that hits its memory or file limit fails its invocation and lives on.
func TestLimits(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("limits are Linux's")
	}
	p, _ := begin(t, python(t, "app.handler"), runtime.WithMemoryLimit(200<<20), runtime.WithOpenFiles(64))
	for value, kind := range map[string]string{"eat 500000000": "MemoryError", "files 100": "OSError"} {
		if fe, ok := errors.AsType[*function.Error](invoke(t, p, value)); !ok || fe.Type != kind {
			t.Errorf("%s: %#v", value, fe)
		}
	}
	if err := invoke(t, p, "eat 1000000", "files 10"); err != nil {
		t.Error(err)
	}
	if s := p.Status(); s.Starts != 1 || s.Workers[0].Memory < 5<<20 || s.Workers[0].Memory > 300<<20 {
		t.Errorf("status %+v", s)
	}
}

// The pool logs nothing of an event.
func TestLogHoldsNoEvent(t *testing.T) {
	c := python(t, "app.handler")
	p, j := begin(t, c)
	r := esmtest.Invoke(t, mapping(1), p.Handle, esmtest.Values("die 4242-SECRET", "ok", "sleep 0 5353-SECRET")...)
	if r.Unresolved != 0 {
		t.Errorf("unresolved %d", r.Unresolved)
	}
	if strings.Contains(j.String(), "SECRET") {
		t.Errorf("log %s", j)
	}
}

// When a mapping stops, its invocations finish before the pool stops: nothing is lost, and nothing keeps running.
func TestMappingStops(t *testing.T) {
	p, _ := begin(t, python(t, "app.handler"), runtime.WithWorkerRange(1, 4))
	b := esmtest.NewBroker(t)
	b.CreateTopic("t", 4)
	for i := range 4 {
		b.Produce("t", esmtest.Record{Partition: int32(i), Value: []byte("sleep 0.3")})
	}
	m := mapping(0)
	m.BatchSize = 1
	m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = []string{"broker.test:9092"}
	m.StartingPosition = esm.TrimHorizon
	ctx, cancel := context.WithCancel(t.Context())
	runner, err := esm.New(m, p.Handle, esmtest.Option(b), esm.WithHooks(p.Hooks()), esm.WithHooks(esm.Hooks{
		BatchBegin: func(context.Context, esm.BatchInfo) { cancel() }}))
	if err != nil {
		t.Fatal(err)
	}
	if err := runner.Run(ctx); err != nil {
		t.Fatal(err)
	}
	handled := p.Status().Invocations
	if handled == 0 {
		t.Error("nothing was handled")
	}
	committed := int64(0)
	for i := range int32(4) {
		committed += max(b.Committed(m.GroupID(), "t", i).Offset, 0)
	}
	if committed != handled {
		t.Errorf("%d were handled, %d are committed", handled, committed)
	}
}

// The mapping's guarantees, with workers that fail and crash: see functest.Invariants.
func TestInvariants(t *testing.T) {
	for _, batch := range []int{1, 5} {
		c := python(t, "journal.handler")
		dir := t.TempDir()
		c.Environment["JOURNAL"] = dir
		p, _ := begin(t, c, runtime.WithWorkerRange(1, 3))
		functest.Invariants(t, dir, p.Handle, batch, "fail", "item", "die")
	}
}

// keeper is an Invoker that remembers the addresses of payloads without keeping them alive.
type keeper struct {
	function.Invoker
	payloads []weak.Pointer[byte]
}

func (k *keeper) Invoke(ctx context.Context, req function.Request) (function.Answer, error) {
	k.payloads = append(k.payloads, weak.Make(&req.Payload[0]))
	return k.Invoker.Invoke(ctx, req)
}

// The event's JSON is not kept after the call.
func TestPayloadIsNotKept(t *testing.T) {
	p, _ := begin(t, worker("plain"))
	k := &keeper{Invoker: p}
	c := function.NewCaller("orders", k, 0, nil)
	for range 5 {
		if err := c.Handle(t.Context(), esmtest.Event("t", esmtest.Record{Value: make([]byte, 1<<20)})); err != nil {
			t.Fatal(err)
		}
	}
	functest.Eventually(t, "the payloads are gone", func() bool {
		goruntime.GC()
		for _, w := range k.payloads {
			if w.Value() != nil {
				return false
			}
		}
		return true
	})
}
