package run

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/verdict"
)

// plainContext is not one of package context's types: contexts derived from it learn of its end through a goroutine.
type plainContext struct {
	done  chan struct{}
	ended atomic.Bool
}

func (c *plainContext) Deadline() (at time.Time, ok bool) { return at, false }
func (c *plainContext) Done() <-chan struct{}             { return c.done }
func (c *plainContext) Value(any) any                     { return nil }
func (c *plainContext) Err() error {
	if c.ended.Load() {
		return context.Canceled
	}
	return nil
}

// A handler that watches the context of Run may see its end and return before the members do: it still counts as
// interrupted, and nothing is given up.
func TestHandlerHearsOfTheStopFirst(t *testing.T) {
	for range 30 {
		inBubble(t, "a context of the caller's own", func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.Produce("t", numbered(4)...)
			run := &plainContext{done: make(chan struct{})}
			s := defaults()
			s.Retry = verdict.Policy{MaximumRetryAttempts: 0}
			r := newRig(t, b, s, func(context.Context, event.KafkaEvent) error { <-run.Done(); return fmt.Errorf("query: %w", run.Err()) })
			r.cancel = func() { run.ended.Store(true); close(run.done) }
			go func() { r.done <- r.runner.Run(run) }()
			pass(time.Second)
			r.mustStop()
			if k, m := b.Committed("g", "t", 0).Offset, r.runner.Metrics(); k > 0 || m.DroppedEventCount != 0 {
				t.Errorf("committed %d, dropped %d", k, m.DroppedEventCount)
			}
		})
	}
}
