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

// Handler turns a function, such as a mapping's handler or a function target's Handle, into a Target. Its errors mean
// what they mean to a mapping: esm.ItemFailures names the records that failed, and the others succeeded. After
// esm.Throttled the batch is retried for a minute, with pauses that grow or that the error asks for; then the run
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

// call passes the function its own copy of the event. The function may modify everything but the bytes of the records.
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

// patiently retries while try asks for it. If try still asks when the time is up or ctx ends, the target counts as
// unavailable.
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
