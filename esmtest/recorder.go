package esmtest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm"
)

// Invocation is one call of a handler that has ended.
type Invocation struct {
	// Invocation has the facts that the handler could read from its context.
	esm.Invocation
	Event esm.KafkaEvent
	// Began is when it began, Took how long it ran.
	Began time.Time
	Took  time.Duration
	// Err is what the handler returned, an *esm.PanicError when it panicked.
	Err error
}

// Recorder has the invocations of a mapping that Start began. Its methods are safe for concurrent use.
type Recorder struct {
	runner *esm.Runner
	stop   func() error

	mu      sync.Mutex
	begun   map[uint64]Invocation
	ended   []Invocation
	changed chan struct{} // closed, and made anew, when an invocation has ended
}

// Start runs a mapping on the broker until the test ends (tb.Cleanup), or Stop. An error of New fails the test at
// once, one of Run at its end. It does not wait: see Ready.
//
// What the mapping leaves out and needs is filled in (FunctionName, Topics "topic", servers). Its
// SourceAccessConfigurations are checked and not used: a Broker asks for no credentials. Nothing is logged unless opts
// has a logger. With a nil tb, for examples, what would fail the test panics, and Stop is the only end.
func Start(tb testing.TB, b *Broker, m esm.Mapping, h esm.Handler, opts ...esm.Option) *Recorder {
	if tb != nil {
		tb.Helper()
	}
	r := newRecorder()
	runner, err := esm.New(complete(tb, m), h, append(r.options(b), opts...)...)
	if err != nil {
		fatal(tb, err)
	}
	r.runner = runner
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }() // awaited by stop
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	if tb != nil {
		tb.Cleanup(func() {
			if err := r.stop(); err != nil {
				tb.Errorf("esmtest: Run: %v", err)
			}
		})
	}
	return r
}

func newRecorder() *Recorder {
	return &Recorder{begun: make(map[uint64]Invocation), changed: make(chan struct{})}
}

// options make a mapping run on the broker and be recorded.
func (r *Recorder) options(b *Broker) []esm.Option {
	return []esm.Option{
		Option(b), esm.WithSeed(1), esm.WithLogger(slog.New(slog.DiscardHandler)),
		esm.WithMiddleware(r.begin), esm.WithHooks(esm.Hooks{BatchEnd: r.end}),
	}
}

// begin notes the event of an invocation. It is the outermost middleware, so it sees every one.
func (r *Recorder) begin(next esm.Handler) esm.Handler {
	return func(ctx context.Context, e esm.KafkaEvent) error {
		info, _ := esm.InvocationFromContext(ctx)
		r.mu.Lock()
		r.begun[info.ID] = Invocation{Invocation: info, Event: e, Began: time.Now()}
		r.mu.Unlock()
		return next(ctx, e)
	}
}

func (r *Recorder) end(_ context.Context, info esm.BatchEndInfo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	inv := r.begun[info.Invocation]
	delete(r.begun, info.Invocation)
	inv.Took, inv.Err = info.Duration, info.Err
	r.ended = append(r.ended, inv)
	close(r.changed)
	r.changed = make(chan struct{})
}

// Runner returns the Runner, for Pause, Resume, Update, Status and Healthy.
func (r *Recorder) Runner() *esm.Runner { return r.runner }

// Ready is closed when the mapping's first assignment is started. It is never closed where nothing can be assigned:
// with no topic there, or a mapping that is disabled.
func (r *Recorder) Ready() <-chan struct{} { return r.runner.Ready() }

// Stop ends the mapping and returns what Run did. The test's end does the same.
func (r *Recorder) Stop() error { return r.stop() }

// Invocations returns those that have ended so far, in the order in which they did.
func (r *Recorder) Invocations() []Invocation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ended)
}

// TakeAll returns what Invocations does, and forgets them: the next call, and the next Expect, begins behind them.
func (r *Recorder) TakeAll() []Invocation {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.ended
	r.ended = nil
	return all
}

// await waits until ok says so of the invocations so far, for at most timeout; it returns them as they are then.
func (r *Recorder) await(timeout time.Duration, ok func([]Invocation) bool) []Invocation {
	late := time.NewTimer(timeout)
	defer late.Stop()
	for {
		r.mu.Lock()
		ended, changed := slices.Clone(r.ended), r.changed
		r.mu.Unlock()
		if ok(ended) {
			return ended
		}
		select {
		case <-changed:
		case <-late.C:
			return ended
		}
	}
}

var errUnmatched = errors.New("esmtest: the expected invocations did not come")
