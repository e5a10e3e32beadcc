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

// Invocation is a finished call of a handler.
type Invocation struct {
	// Invocation holds what the handler could read from its context.
	esm.Invocation
	Event esm.KafkaEvent
	// Began is when the call started, Took how long it ran.
	Began time.Time
	Took  time.Duration
	// Err is what the handler returned, an *esm.PanicError if it panicked.
	Err error
}

// Recorder holds the invocations of a mapping that Start runs. Its methods are safe for concurrent use.
type Recorder struct {
	runner *esm.Runner
	stop   func() error

	mu      sync.Mutex
	begun   map[uint64]Invocation
	ended   []Invocation
	changed chan struct{} // closed and replaced when an invocation has ended
}

// Start runs a mapping on the broker until the test ends (tb.Cleanup) or Stop is called. An error of New
// fails the test at once, an error of Run at its end. Start does not wait: see Ready.
//
// What the mapping needs and leaves out is filled in (FunctionName, Topics "topic", servers). Its
// SourceAccessConfigurations are checked but not used: a Broker asks for no credentials. Nothing is logged
// unless opts has a logger. With a nil tb, for examples, whatever would fail the test panics, and only Stop
// ends the mapping.
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

// options returns the options that run a mapping on the broker and record it.
func (r *Recorder) options(b *Broker) []esm.Option {
	return []esm.Option{
		Option(b), esm.WithSeed(1), esm.WithLogger(slog.New(slog.DiscardHandler)),
		esm.WithMiddleware(r.begin), esm.WithHooks(esm.Hooks{BatchEnd: r.end}),
	}
}

// begin records the event of an invocation. It is the outermost middleware, so it sees every invocation.
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

// Ready returns a channel that is closed when the mapping's first assignment has started. It is never closed
// if nothing can be assigned: the topic does not exist, or the mapping is disabled.
func (r *Recorder) Ready() <-chan struct{} { return r.runner.Ready() }

// Stop ends the mapping and returns what Run returned. The end of the test does the same.
func (r *Recorder) Stop() error { return r.stop() }

// Invocations returns the invocations that have ended so far, in the order in which they ended.
func (r *Recorder) Invocations() []Invocation {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ended)
}

// TakeAll returns what Invocations does and forgets it: the next call, and the next Expect, starts after
// these.
func (r *Recorder) TakeAll() []Invocation {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.ended
	r.ended = nil
	return all
}

// await waits until ok accepts the invocations so far, for at most timeout, and returns them.
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
