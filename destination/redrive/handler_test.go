package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/destination/redrive"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/verdict"
)

// busy is throttled for a given pause.
type busy struct{ pause time.Duration }

func (b *busy) Error() string        { return "busy" }
func (b *busy) Pause() time.Duration { return b.pause }

// TestHandler: the errors of a handler mean what they mean to a mapping, whatever the handler has done with its event.
func TestHandler(t *testing.T) {
	failed := errors.New("no")
	for name, test := range map[string]struct {
		// handle is the handler; call counts its calls. The event has the records 0 to 3.
		handle         func(call int, e event.KafkaEvent) error
		done, returned int
		calls          int
		took           time.Duration
		stops          string
	}{
		"taken":           {func(int, event.KafkaEvent) error { return nil }, 4, 0, 1, 0, ""},
		"failed":          {func(int, event.KafkaEvent) error { return failed }, 0, 4, 7, 0, ""},
		"refused":         {func(int, event.KafkaEvent) error { return verdict.Permanent(failed) }, 0, 4, 7, 0, ""},
		"panics":          {func(int, event.KafkaEvent) error { panic("boom") }, 0, 4, 7, 0, ""},
		"throttled":       {func(call int, _ event.KafkaEvent) error { return throttledUntil(call, 3, failed) }, 4, 0, 3, 300 * time.Millisecond, ""},
		"asks for a time": {func(call int, _ event.KafkaEvent) error { return throttledUntil(call, 2, &busy{20 * time.Second}) }, 4, 0, 2, 20 * time.Second, ""},
		"asks for too long": {func(call int, _ event.KafkaEvent) error { return verdict.Throttled(&busy{time.Hour}) }, 0, 0, 1, 0,
			"the target is unavailable: busy"},
		"always throttled": {func(int, event.KafkaEvent) error { return verdict.Throttled(failed) }, 0, 0, 10, 51100 * time.Millisecond,
			"the target is unavailable: no"},
		"some of them": {func(_ int, e event.KafkaEvent) error {
			return fmt.Errorf("two: %w", verdict.ItemFailures([]event.ItemID{{Partition: "orders-1", Offset: 0}, {Partition: "orders-0", Offset: 1}}))
		}, 2, 2, 1, 0, ""},
		"takes its event apart": {func(call int, e event.KafkaEvent) error {
			if n := e.Len(); n != 4 {
				return fmt.Errorf("%d records", n)
			}
			for key, records := range e.Records {
				clear(records)
				delete(e.Records, key)
			}
			return throttledUntil(call, 3, failed)
		}, 4, 0, 3, 300 * time.Millisecond, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, calls, began := listOf(t, 4), 0, time.Now()
				_, err := redrive.Run(t.Context(), l, redrive.Handler(func(_ context.Context, e event.KafkaEvent) error {
					calls++
					return test.handle(calls, e)
				}), redrive.Options{})
				if took := time.Since(began); took != test.took || calls != test.calls {
					t.Errorf("%d calls in %v, want %d in %v", calls, took, test.calls, test.took)
				}
				if l.count("done") != test.done || l.count("returned") != test.returned || len(l.fate) != test.done+test.returned {
					t.Errorf("%v", l.fate)
				}
				var unavailable *redrive.UnavailableError
				if errors.As(err, &unavailable) != (test.stops != "") || err != nil && !strings.Contains(err.Error(), test.stops) {
					t.Error(err)
				}
			})
		})
	}
}

// throttledUntil throttles the calls before call number good.
func throttledUntil(call, good int, err error) error {
	if call < good {
		return verdict.Throttled(err)
	}
	return nil
}
