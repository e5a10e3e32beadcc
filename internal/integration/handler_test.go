package integration

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/observe"
)

func TestWhatNewAndRunRefuse(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1)
		handler := func(context.Context, esm.KafkaEvent) error { return nil }
		if _, err := esm.New(e.mapping("t"), nil, e.options()...); !errors.Is(err, esm.ErrNilHandler) {
			t.Errorf("nil handler: %v, want ErrNilHandler", err)
		}
		wrong := e.mapping("t")
		wrong.BatchSize = 10_001
		var field *esm.FieldError
		if _, err := esm.New(wrong, handler, e.options()...); !errors.Is(err, esm.ErrInvalidMapping) || !errors.As(err, &field) || field.Field != "BatchSize" {
			t.Errorf("BatchSize 10001: %v, want a *FieldError of BatchSize", err)
		}
		p := e.run(t, e.mapping("t"), nil).ready()
		if err := p.runner.Run(t.Context()); !errors.Is(err, esm.ErrAlreadyRun) {
			t.Errorf("second Run while the first runs: %v, want ErrAlreadyRun", err)
		}
		p.endClean()
		if err := p.runner.Run(t.Context()); !errors.Is(err, esm.ErrAlreadyRun) {
			t.Errorf("second Run after the first: %v, want ErrAlreadyRun", err)
		}
	})
}

func TestAnUnreachableBroker(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		closed, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m := e.mapping("t")
		m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers = []string{closed.Addr().String()}
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		p := e.run(t, m, nil, esm.WithStartTimeout(500*time.Millisecond))
		<-p.ended
		var source *esm.SourceError
		if !errors.Is(p.err, esm.ErrNotReady) || !errors.As(p.err, &source) || !strings.Contains(p.err.Error(), "Connection error") {
			t.Errorf("Run: %v, want a *SourceError that wraps ErrNotReady and says what is wrong", p.err)
		}
	})
}

func TestAHandlerThatPanics(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 2)
		e.fillAll(t, "t", 2, 50)
		var tries atomic.Int32
		p := e.run(t, e.mapping("t"), func(_ context.Context, event esm.KafkaEvent) error {
			if len(event.Records["t-1"]) > 0 && tries.Add(1) < 4 {
				panic("no")
			}
			return nil
		})
		e.committed(t, "t", map[int32]int64{0: 50, 1: 50}, p)
		p.endClean()
		wantOffsets(t, offsets("t", p), map[int32][]int64{0: span(0, 50), 1: span(0, 50)})
		if len(p.retries) < 3 {
			t.Fatalf("%d retries, want 3 at least", len(p.retries))
		}
		for _, r := range p.retries {
			var panicked *esm.PanicError
			if !errors.As(r.Err, &panicked) || panicked.Value != "no" || len(panicked.Stack) == 0 {
				t.Errorf("retry after %v, want a *PanicError with its stack", r.Err)
			}
		}
	})
}

// blockForEver is a named function so that the goroutine leak check can ignore it: Run reports it as left
// behind.
func blockForEver() { select {} }

// A handler that never returns also ignores its context. This takes the five seconds that Run gives it.
func TestAHandlerThatBlocksForEver(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 2)
		e.fillAll(t, "t", 2, 10)
		entered := make(chan struct{})
		m := e.mapping("t")
		m.BatchSize = 4
		p := e.run(t, m, func(_ context.Context, event esm.KafkaEvent) error {
			if rs := event.Records["t-1"]; len(rs) > 0 && rs[0].Offset == 4 {
				close(entered)
				blockForEver()
			}
			return nil
		}, esm.WithStopTimeout(0))
		<-entered
		e.committed(t, "t", map[int32]int64{0: 10, 1: 4}, p)
		var stuck *esm.StuckError
		if err := p.end(); !errors.As(err, &stuck) {
			t.Fatalf("Run: %v, want a *StuckError", err)
		}
		if len(stuck.Handlers) != 1 || len(stuck.Calls) != 0 || stuck.Handlers[0].Partitions["t-1"] != (observe.OffsetRange{First: 4, Last: 7}) {
			t.Errorf("stuck: %+v, want the handler of t-1 from 4 to 7", stuck)
		}
		if !strings.Contains(stuck.Error(), "t-1[4..7]") {
			t.Errorf("stuck: %q does not name t-1[4..7]", stuck)
		}
		e.committed(t, "t", map[int32]int64{0: 10, 1: 4}, p)
	})
}

func TestAHandlerThatWaitsForItsContext(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1)
		e.fill(t, "t", 0, 10)
		entered, cause := make(chan struct{}), make(chan error, 1)
		p := e.run(t, e.mapping("t"), func(ctx context.Context, _ esm.KafkaEvent) error {
			close(entered)
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return ctx.Err()
		}, esm.WithStopTimeout(2*time.Second))
		<-entered
		p.endClean()
		if err := <-cause; !errors.Is(err, esm.ErrStopping) {
			t.Errorf("its context ended with %v, want ErrStopping", err)
		}
		if c := e.Committed(t, e.group, "t"); c[0] != 0 {
			t.Errorf("committed %v, nothing was handled", c)
		}
		again := e.run(t, e.mapping("t"), nil)
		e.committed(t, "t", map[int32]int64{0: 10}, again)
		again.endClean()
		wantOffsets(t, offsets("t", again), map[int32][]int64{0: span(0, 10)})
	})
}

func TestAnInvocationTimeoutIsRetried(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1)
		e.fill(t, "t", 0, 10)
		var tries atomic.Int32
		p := e.run(t, e.mapping("t"), func(ctx context.Context, _ esm.KafkaEvent) error {
			if tries.Add(1) > 2 {
				return nil
			}
			<-ctx.Done()
			return context.Cause(ctx)
		}, esm.WithInvocationTimeout(20*time.Millisecond))
		e.committed(t, "t", map[int32]int64{0: 10}, p)
		p.endClean()
		if len(p.retries) != 2 || !errors.Is(p.retries[0].Err, esm.ErrInvocationTimeout) {
			t.Errorf("retries %+v, want two after ErrInvocationTimeout", p.retries)
		}
	})
}
