package run

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// The failures of an expired unit do not count for the next one: that starts with none, and with the first pause.
func TestExpiredUnitTakesItsFailuresAlong(t *testing.T) {
	inBubble(t, "tried in vain until it was too old", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		s := defaults()
		s.MaxAge = 5 * time.Minute
		r := newRig(t, b, s, func(context.Context, event.KafkaEvent) error { return errors.New("no") },
			WithCircuitBreaker(Breaker{Failures: 1000, Cooldown: time.Minute})).start()
		b.Produce("t", membroker.Record{})
		pass(10 * time.Minute)
		st := r.runner.Status()
		if p := st.Partitions[0]; st.Metrics.DroppedEventCount != 1 || p.LastError != nil || p.Attempts != 0 || !p.FirstFailure.IsZero() || !p.NextTry.IsZero() {
			t.Errorf("%d dropped; %+v", st.Metrics.DroppedEventCount, p)
		}
		tries := len(r.events())
		if tries < 5 {
			t.Fatalf("%d tries", tries)
		}
		b.Produce("t", membroker.Record{})
		pass(4 * time.Second)
		if n := len(r.events()) - tries; n < 3 {
			t.Errorf("the next one was tried %d times within 4s: its pauses are those of the one before", n)
		}
		if used := r.runner.shared.Budget.Used.Load(); used <= 0 {
			t.Errorf("the budget has %d bytes while one waits", used)
		}
		pass(10 * time.Minute)
		if used, k := r.runner.shared.Budget.Used.Load(), b.Committed("g", "t", 0).Offset; used != 0 || k != 2 {
			t.Errorf("in the end the budget has %d bytes, committed %d", used, k)
		}
		if n := r.runner.shared.Circuit.Busy(); n != 0 { // an opening circuit lets nothing start while it waits for these
			t.Errorf("the circuit waits for %d invocations", n)
		}
		r.mustStop()
	})
	inBubble(t, "some of a batch", func(t *testing.T) {
		b := membroker.NewBroker(t)
		old := time.Now().Add(-time.Hour)
		b.Produce("t", membroker.Record{Value: []byte("a")}, membroker.Record{Value: make([]byte, 1000), Timestamp: old}, membroker.Record{Value: []byte("c")})
		s := defaults()
		s.MaxAge = time.Minute
		r := newRig(t, b, s, nil).start()
		pass(time.Second)
		if len(r.events()) != 1 || r.events()[0].Len() != 2 || b.Committed("g", "t", 0).Offset != 3 {
			t.Fatalf("events %+v, committed %d", r.events(), b.Committed("g", "t", 0).Offset)
		}
		if got := r.infos[0].Bytes; got > 1000 {
			t.Errorf("an invocation of two small records says %d bytes", got)
		}
		r.mustStop()
	})
}

// A smaller BatchSize also applies to what waits for its retry.
func TestSmallerBatchSizeSplitsWhatWaits(t *testing.T) {
	inBubble(t, "ten, then three", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(10)...)
		s := defaults()
		s.BatchSize = 10
		var mu sync.Mutex
		fails := true
		var sizes []int
		r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
			mu.Lock()
			defer mu.Unlock()
			sizes = append(sizes, e.Len())
			if fails {
				return errors.New("not yet")
			}
			return nil
		}).start()
		pass(20 * time.Second)
		mu.Lock()
		if n := len(sizes); n < 4 || sizes[n-1] != 10 {
			t.Errorf("tried %v", sizes)
		}
		mu.Unlock()
		smaller := *s
		smaller.BatchSize = 3
		r.runner.shared.Current.Store(&smaller)
		mu.Lock()
		fails, sizes = false, nil
		mu.Unlock()
		pass(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if got := r.seen(0); len(sizes) == 0 || sizes[0] != 3 || len(sizes) > 4 {
			t.Errorf("batches of %v with a BatchSize of 3; handled %s", sizes, got)
		}
		for _, n := range sizes {
			if n > 3 {
				t.Errorf("a batch of %d", n)
			}
		}
		if k := b.Committed("g", "t", 0).Offset; k != 10 {
			t.Errorf("committed %d", k)
		}
		r.mustStop()
	})
}

func TestRecordAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		now := time.Now()
		b.Produce("t",
			membroker.Record{Value: []byte("old"), Timestamp: now.Add(-2 * time.Minute)},
			membroker.Record{Value: []byte("new")},
			membroker.Record{Value: []byte("old too"), Timestamp: now.Add(-90 * time.Second)},
			membroker.Record{Value: []byte("younger"), Timestamp: now.Add(30 * time.Second)})
		s := defaults()
		s.MaxAge = time.Minute
		var drops []string
		r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error { return errors.New("boom") }, dropsInto(&drops)).start()
		pass(10 * time.Minute)
		r.mustStop()
		if len(drops) != 3 || drops[0] != "t-0[0 2] RecordAgeExceeded after 0" ||
			!strings.HasPrefix(drops[1], "t-0[1] RecordAgeExceeded") || !strings.HasPrefix(drops[2], "t-0[3] RecordAgeExceeded") {
			t.Errorf("drops %q", drops)
		}
		got := slices.Compact(r.briefs())
		wantLines(t, "invocations", got, "t-0[1 3]", "t-0[3]")
		if d := r.at[len(r.at)-1].Sub(now); d > 91*time.Second {
			t.Errorf("the last try was after %v", d)
		}
		if k := b.Committed("g", "t", 0).Offset; k != 4 {
			t.Errorf("committed %d, want 4", k)
		}
	})
}
