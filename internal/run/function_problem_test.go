package run

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/observe"
)

// A Lambda function's ignored items are in Status and once in the log, until it names none; with FunctionResponseTypes
// nothing is reported.
func TestIgnoredItemsAreTold(t *testing.T) {
	inBubble(t, "ignored", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var log bytes.Buffer
		var names atomic.Bool
		names.Store(true)
		r := newRig(t, b, defaults(), func(ctx context.Context, e event.KafkaEvent) error {
			if names.Load() && !event.IgnoredItems(ctx, e.Len()) {
				t.Error("the mapping does not hear of items")
			}
			return nil
		}, WithLogger(slog.New(slog.NewTextHandler(&log, nil)))).start()
		standing := func() *observe.Condition {
			for _, c := range r.runner.Status().Conditions {
				if c.Op == observe.OpInvoke && strings.Contains(c.Err.Error(), "the function reports batchItemFailures") {
					return &c
				}
			}
			return nil
		}
		work := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); pass(time.Second) {
				b.Produce("t", numbered(1)...)
			}
		}
		work(time.Minute)
		c := standing()
		if c == nil || !strings.Contains(c.Err.Error(), "1 items") || !strings.Contains(c.String(), "ReportBatchItemFailures") {
			t.Fatalf("while it names items: %v", r.runner.Status().Conditions)
		}
		if got := r.runner.Status(); got.LastProcessingResult != "OK" || b.Committed("g", "t", 0).Offset == 0 {
			t.Errorf("its batches did not succeed: %q, committed %d", got.LastProcessingResult, b.Committed("g", "t", 0).Offset)
		}
		names.Store(false)
		work(condition.UnaskedPatience + 2*time.Second)
		if c := standing(); c != nil {
			t.Errorf("once it names none: %v", c)
		}
		r.mustStop()
		if n := strings.Count(log.String(), "a condition has begun"); n != 1 {
			t.Errorf("the log says %d times that it begins:\n%s", n, &log)
		}
	})
	inBubble(t, "asked for", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		s := defaults()
		s.Retry.Partial = true
		r := newRig(t, b, s, func(ctx context.Context, _ event.KafkaEvent) error {
			if event.IgnoredItems(ctx, 1) {
				t.Error("the mapping heard of items that count")
			}
			return nil
		}).start()
		pass(time.Second)
		r.mustStop()
	})
}

// The condition of a Go handler's ItemFailures ends too, once it returns none for a while.
func TestUnaskedItemFailuresEnd(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		var names atomic.Bool
		names.Store(true)
		r := newRig(t, b, defaults(), func(_ context.Context, e event.KafkaEvent) error {
			if names.Load() {
				return itemFailures(e.Records["t-0"][0].ItemID())
			}
			return nil
		}).start()
		pass(time.Minute)
		if len(r.runner.Status().Conditions) != 1 {
			t.Fatalf("conditions %v", r.runner.Status().Conditions)
		}
		names.Store(false)
		for range 7 {
			pass(time.Minute)
			b.Produce("t", numbered(1)...)
		}
		pass(time.Second)
		if c := r.runner.Status().Conditions; len(c) != 0 {
			t.Errorf("conditions %v", c)
		}
		r.mustStop()
	})
}

type broken struct{ code string }

func (e *broken) Error() string           { return e.code + ": function f: it does not exist: create it" }
func (e *broken) FunctionProblem() string { return e.code }

// A function that cannot be invoked is shown in Status and LastProcessingResult until it can, uses no attempt if the
// target says so, and is logged.
func TestFunctionProblem(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		var log bytes.Buffer
		var fails atomic.Pointer[error]
		with := func(err error) { fails.Store(&err) }
		s := defaults()
		s.Retry.MaximumRetryAttempts = 1
		r := newRig(t, b, s, func(context.Context, event.KafkaEvent) error { return *fails.Load() }, WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		with(fmt.Errorf("wrapped: %w", verdict.Throttled(&broken{observe.ReasonFunctionConfigNotValid})))
		r.start()
		pass(3 * time.Minute)
		want := "PROBLEM: FUNCTION_CONFIG_NOT_VALID: function f: it does not exist: create it"
		st := r.runner.Status()
		if len(st.Conditions) != 1 || st.Conditions[0].Kind != observe.ReasonFunctionConfigNotValid || st.Conditions[0].Op != observe.OpInvoke || st.LastProcessingResult != want {
			t.Errorf("%q, %v", st.LastProcessingResult, st.Conditions)
		}
		// Another problem replaces it: each ends by itself.
		with(verdict.Throttled(&broken{"ResourceNotFoundException"}))
		pass(time.Minute)
		if st := r.runner.Status(); len(st.Conditions) != 1 || st.Conditions[0].Kind != "ResourceNotFoundException" {
			t.Errorf("%v", st.Conditions)
		}
		with(nil)
		pass(time.Minute)
		if st := r.runner.Status(); len(st.Conditions) != 0 || st.LastProcessingResult != "OK" || b.Committed("g", "t", 0).Offset != 3 || st.Metrics.DroppedEventCount != 0 {
			t.Errorf("once it is mended: %q, %v, %d committed", st.LastProcessingResult, st.Conditions, b.Committed("g", "t", 0).Offset)
		}
		r.mustStop()
		if n := strings.Count(log.String(), "a condition has begun"); n != 2 {
			t.Errorf("the log says %d times that one begins, want once of each problem:\n%s", n, &log)
		}
	})
}

type busy struct{ d time.Duration }

func (e *busy) Error() string        { return "busy" }
func (e *busy) Pause() time.Duration { return e.d }

// The pause that a throttled function asks for is observed, up to a limit, and is never shorter than the mapping's own.
func TestThrottlesAskForAPause(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{0: time.Second, time.Millisecond: time.Second, 40 * time.Second: 40 * time.Second, 24 * time.Hour: time.Minute} {
		inBubble(t, asked.String(), func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.Produce("t", numbered(1)...)
			first := true
			r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error {
				if first {
					first = false
					return verdict.Throttled(&busy{asked})
				}
				return nil
			}, WithRetryBackoff(time.Second, time.Minute)).start()
			pass(10 * time.Minute)
			r.mustStop()
			if got := r.at[1].Sub(r.at[0]); got > want || got < want/2 || want > time.Second && got != want {
				t.Errorf("tried again after %v, want %v", got, want)
			}
		})
	}
}
