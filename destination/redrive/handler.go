package redrive

import (
	"context"
	"errors"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/observe"
)

// Handler is a function, such as a mapping's handler or a function target's Handle, that is a Target. What it returns means
// what it means to a mapping: esm.ItemFailures names the records that failed, and the others were taken. After
// esm.Throttled the batch is tried again, with pauses that grow or that the error asks for, for a minute; then the run
// stops. Any other error, and a panic, mean that the batch failed.
type Handler func(ctx context.Context, e event.KafkaEvent) error

// Redrive calls the function.
func (h Handler) Redrive(ctx context.Context, e event.KafkaEvent) error {
	return patiently(ctx, time.Minute, func() (again bool, err error) {
		v := verdict.Classify(h.call(ctx, e))
		switch {
		case v.Outcome == verdict.Overloaded:
			return true, v.Err
		case v.Partial:
			return false, &ItemsError{Items: v.Items}
		}
		return false, v.Err
	})
}

// call gives the function an event of its own, with which it may do what it likes but for the bytes.
func (h Handler) call(ctx context.Context, e event.KafkaEvent) (err error) {
	e.Records = maps.Clone(e.Records)
	for key, records := range e.Records {
		e.Records[key] = slices.Clone(records)
	}
	defer func() {
		if v := recover(); v != nil {
			err = &observe.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return h(ctx, e)
}

// patiently tries until there is nothing to try again. What is still to be tried again when the time is up, or ctx ends,
// is unavailable.
func patiently(ctx context.Context, most time.Duration, try func() (again bool, err error)) error {
	limit := time.Now().Add(most)
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		again, err := try()
		if err == nil || !again {
			return err
		}
		pause := wait
		if asks, ok := errors.AsType[observe.Pauser](err); ok {
			pause = max(pause, asks.Pause())
		}
		if ctx.Err() != nil || time.Now().Add(pause).After(limit) {
			return &UnavailableError{err}
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return &UnavailableError{err}
		}
	}
}
