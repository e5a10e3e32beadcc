package esm

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
)

// With a unit that has expired its failures are over: the next one begins with none, and with the first pause.
func TestExpiredUnitTakesItsFailuresAlong(t *testing.T) {
	inBubble(t, "tried in vain until it was too old", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		s := defaults()
		s.MaxAge = 5 * time.Minute
		r := newRig(t, b, s, func(context.Context, KafkaEvent) error { return errors.New("no") }).start()
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
		r.mustStop()
	})
}
