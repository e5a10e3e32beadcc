package run

import (
	"context"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// A member that was granted a slot but no longer needs it gives it back.
func TestASlotIsGivenBackWhereThereIsNothingToDo(t *testing.T) {
	inBubble(t, "what waited for it has expired meanwhile", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		s := polling(2, 2)
		s.MaxAge = time.Minute
		took := 90 * time.Second
		r := newRig(t, b, s, func(context.Context, event.KafkaEvent) error { time.Sleep(took); return nil }, WithWorkers(1)).start()
		pass(time.Minute)
		wantMembers(t, b, r, 2)
		b.Produce("t", membroker.Record{Partition: 0})
		pass(time.Second)
		b.Produce("t", membroker.Record{Partition: 1}) // belongs to the other member
		pass(2 * time.Minute)
		if n := r.runner.Metrics().DroppedEventCount; n != 1 {
			t.Fatalf("%d dropped", n)
		}
		took = 0
		b.Produce("t", membroker.Record{Partition: 0}, membroker.Record{Partition: 0})
		pass(10 * time.Second)
		for p, want := range []int64{3, 1} {
			if k := b.Committed("g", "t", int32(p)).Offset; k != want {
				t.Errorf("t-%d is committed at %d, want %d", p, k, want)
			}
		}
		r.mustStop()
	})
}
