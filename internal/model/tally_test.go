package model

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/esm-go/esm"
)

// tally is what the handlers of one process recorded to compare with its metrics.
type tally struct {
	mu sync.Mutex
	// invoked counts the records passed to handlers, calls the calls that started, and returned those that
	// returned.
	invoked, calls, returned int64
	// failed counts calls that the engine had not ended and that did not return nil, records their records,
	// and throttled those of them that returned Throttled.
	failed, records, throttled int64
	// dropped counts the records that the Drop hook was told of, and late those told after a stop had
	// started, which does not wait for every hook.
	dropped, late int64
	stopping      bool
	stopped       time.Time
	// edge is the part of failed, records and throttled that was added at the moment at. If a stop started at
	// that moment, it may have ended the handler's context after the handler returned and before the engine
	// checked: then the call counts as interrupted.
	edge struct{ failed, records, throttled int64 }
	at   time.Time
}

var errThrottled = errors.New("slow down")

// count wraps the handler of a process.
func (t *tally) count(next esm.Handler) esm.Handler {
	return func(ctx context.Context, e esm.KafkaEvent) (err error) {
		n := int64(e.Len()) // before the handler does anything to it
		t.mu.Lock()
		t.calls++
		t.invoked += n
		t.mu.Unlock()
		panics := true
		defer func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.returned++
			if (err != nil || panics) && !endedByEngine(ctx) {
				if now := time.Now(); !now.Equal(t.at) {
					t.at, t.edge.failed, t.edge.records, t.edge.throttled = now, 0, 0, 0
				}
				t.failed++
				t.records += n
				t.edge.failed++
				t.edge.records += n
				if errors.Is(err, errThrottled) {
					t.throttled++
					t.edge.throttled++
				}
			}
		}()
		err = next(ctx, e)
		panics = false
		return err
	}
}

func (t *tally) drops(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropped += int64(n)
	if t.stopping {
		t.late += int64(n)
	}
}

func (t *tally) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopping, t.stopped = true, time.Now()
}

// differs returns how the metrics of a stopped process differ from what its handlers recorded. They are equal
// if nothing was left behind; what was left behind is only in the handlers' counts.
func (t *tally) differs(m *esm.Metrics, behind bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	edge := t.edge
	if !t.at.Equal(t.stopped) {
		edge.failed, edge.records, edge.throttled = 0, 0, 0
	}
	for _, c := range []struct {
		name             string
		got, want, slack int64
	}{
		{"InvokeCount", m.InvokeCount, t.returned, 0}, {"InvokeErrorCount", m.InvokeErrorCount, t.failed, edge.failed},
		{"FailedInvokeEventCount", m.FailedInvokeEventCount, t.records, edge.records}, {"ThrottleCount", m.ThrottleCount, t.throttled, edge.throttled},
	} {
		if c.got > c.want || !behind && c.got < c.want-c.slack {
			errs = append(errs, fmt.Errorf("%s is %d, and it was %d", c.name, c.got, c.want))
		}
	}
	if m.InvokedEventCount != t.invoked {
		errs = append(errs, fmt.Errorf("InvokedEventCount is %d, and it was %d", m.InvokedEventCount, t.invoked))
	}
	// Records of a hook call that a stop did not wait for are delivered again, and counted then.
	if m.DroppedEventCount > t.dropped || !behind && m.DroppedEventCount < t.dropped-t.late {
		errs = append(errs, fmt.Errorf("DroppedEventCount is %d, and it was %d", m.DroppedEventCount, t.dropped))
	}
	if !behind && t.calls != t.returned {
		errs = append(errs, fmt.Errorf("%d calls began, and %d returned", t.calls, t.returned))
	}
	return errors.Join(errs...)
}
