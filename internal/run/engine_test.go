package run

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

func TestDeliversAndCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(250)...)
		r := newRig(t, b, defaults(), nil).start()
		pass(2 * time.Second)
		got := 0
		for _, e := range r.events() {
			for _, rec := range e.Records["t-0"] {
				if rec.Offset != int64(got) {
					t.Fatalf("offset %d came where %d was due", rec.Offset, got)
				}
				got++
			}
		}
		if got != 250 || len(r.events()) != 3 {
			t.Errorf("got %d records in %d batches, want 250 in 3", got, len(r.events()))
		}
		if c := b.Committed("g", "t", 0); c.Offset != 250 {
			t.Errorf("committed %d, want 250", c.Offset)
		}
		if s := r.runner.Status(); s.State != observe.Enabled || s.LastProcessingResult != "OK" || s.SumOffsetLag != 0 {
			t.Errorf("status %+v", s)
		}
		r.mustStop()
	})
}

func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		s := defaults()
		s.Window = 3300 * time.Millisecond // when nothing else wakes the loop
		r := newRig(t, b, s, nil).start()
		begin := time.Now()
		b.Produce("t", membroker.Record{Value: []byte("a")})
		pass(time.Second)
		b.Produce("t", membroker.Record{Partition: 1, Value: []byte("b")})
		pass(10 * time.Second)
		if len(r.events()) != 1 || r.events()[0].Len() != 2 {
			t.Fatalf("want one batch of both partitions, got %v", r.events())
		}
		if d := r.at[0].Sub(begin); d != s.Window {
			t.Errorf("the window of the first record was %v, want %v", d, s.Window)
		}
		r.mustStop()
	})
}

func TestPoisonPartitionStopsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		for i := range 20 {
			b.Produce("t", membroker.Record{Partition: int32(i % 2), Value: []byte{byte(i)}})
		}
		s := defaults()
		bad := errors.New("poison")
		r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
			for _, rec := range e.Records["t-0"] {
				if rec.Offset == 3 {
					return bad
				}
			}
			return nil
		}).start()
		pass(10 * time.Second)
		if c := b.Committed("g", "t", 1); c.Offset != 10 {
			t.Errorf("the healthy partition is committed at %d, want 10", c.Offset)
		}
		if c := b.Committed("g", "t", 0); c.Offset != 0 {
			t.Errorf("the poisoned partition is committed at %d, want 0", c.Offset)
		}
		st := r.runner.Status()
		if p := st.Partitions[0]; p.Attempts < 3 || !errors.Is(p.LastError, bad) || p.Position != 0 {
			t.Errorf("partition status %+v", p)
		}
		r.mustStop()
	})
}
