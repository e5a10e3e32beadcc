package run

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// givingUp returns a rig whose mapping gives up after the first failure.
func givingUp(t *testing.T, b *membroker.Broker, d destination.Destination, h func(context.Context, event.KafkaEvent) error, opts ...Option) *rig {
	m := poisonMapping(10)
	m.MaximumRetryAttempts = new(0)
	return newMapped(t, b, m, h, append([]Option{WithDestination(d)}, opts...)...)
}

// The destination's answers for an ended assignment are ignored, and nothing waits for them.
func TestAnswersForAssignmentsThatAreOver(t *testing.T) {
	inBubble(t, "it comes late", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var sends atomic.Int32
		to := &scriptedDestination{answer: func(context.Context, *destination.Failure) error {
			if sends.Add(1) == 1 {
				time.Sleep(20 * time.Second)
			}
			return nil
		}}
		var takes atomic.Int64
		r := givingUp(t, b, to, func(context.Context, event.KafkaEvent) error {
			time.Sleep(time.Duration(takes.Load()))
			if takes.Load() > 0 {
				return nil
			}
			return errors.New("no")
		}).start()
		b.Produce("t", numbered(3)...)
		pass(2 * time.Second)
		b.Lose()
		pass(time.Minute)
		if n, k := sends.Load(), b.Committed("", "t", 0).Offset; n != 2 || k != 3 || r.runner.Status().BufferedBytes != 0 {
			t.Errorf("sent %d times, committed %d, %d bytes are held", n, k, r.runner.Status().BufferedBytes)
		}
		takes.Store(int64(5 * time.Second))
		b.Produce("t", numbered(1)...)
		pass(2 * time.Second)
		r.mustStop()
		if k := b.Committed("", "t", 0).Offset; k != 4 {
			t.Errorf("committed %d: the stop did not wait for the handler", k)
		}
	})
	inBubble(t, "it never comes", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var first atomic.Pointer[error]
		end := make(chan struct{})
		to := &scriptedDestination{answer: func(ctx context.Context, _ *destination.Failure) error {
			if first.Load() == nil {
				<-ctx.Done()
				err := context.Cause(ctx)
				first.Store(&err)
				<-end
				return err
			}
			return nil
		}}
		r := givingUp(t, b, to, poison).start()
		b.Produce("t", numbered(3)...)
		pass(2 * time.Second)
		b.Lose()
		pass(time.Minute)
		if err := first.Load(); err == nil || !errors.Is(*err, observe.ErrPartitionsGone) {
			t.Fatal("the destination was not told that the partition went")
		}
		begun := time.Now()
		r.cancel()
		pass(time.Second)
		close(end) // WithDestination's own stop waits for it
		err := <-r.done
		if took := time.Since(begun); took > 2*time.Second || err != nil || b.Committed("", "t", 0).Offset != 3 {
			t.Errorf("the stop took %v, committed %d: %v", took, b.Committed("", "t", 0).Offset, err)
		}
	})
}

// A stop recalls what the destination is being sent, and sends nothing more: the next reader of the records gives them
// up again.
func TestStopSendsNothing(t *testing.T) {
	inBubble(t, "what is being sent", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var cause atomic.Pointer[error]
		to := &scriptedDestination{answer: func(ctx context.Context, _ *destination.Failure) error {
			<-ctx.Done()
			err := context.Cause(ctx)
			cause.Store(&err)
			return err
		}}
		r := givingUp(t, b, to, poison).start()
		b.Produce("t", numbered(3)...)
		pass(2 * time.Second)
		begun := time.Now()
		r.mustStop()
		if err := cause.Load(); err == nil || !errors.Is(*err, observe.ErrStopping) || time.Since(begun) > time.Second {
			t.Errorf("the stop took %v; was the destination told: %t", time.Since(begun), err != nil)
		}
		if k := b.Committed("", "t", 0).Offset; k != 0 {
			t.Errorf("committed %d", k)
		}
	})
	inBubble(t, "what fails while it stops", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		to := &scriptedDestination{}
		r := givingUp(t, b, to, func(context.Context, event.KafkaEvent) error { time.Sleep(5 * time.Second); return errors.New("no") }).start()
		b.Produce("t", numbered(3)...)
		pass(2 * time.Second)
		r.mustStop()
		if n, k := len(to.ids()), b.Committed("", "t", 0).Offset; n != 0 || k != 0 {
			t.Errorf("sent %d, committed %d", n, k)
		}
	})
}

// What is being sent are copies: not even a handler that overwrites bytes that it may only read changes what the
// destination gets. What the destination has acknowledged is freed.
func TestSentRecordsAreTheEngines(t *testing.T) {
	inBubble(t, "a handler that writes over what it was given", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var kept event.KafkaEvent
		to := &scriptedDestination{answer: func(context.Context, *destination.Failure) error { time.Sleep(5 * time.Second); return nil }}
		r := givingUp(t, b, to, func(_ context.Context, e event.KafkaEvent) error { kept = e; return errors.New("no") }).start()
		b.Produce("t", numbered(3)...)
		pass(2 * time.Second)
		for _, one := range kept.Records["t-0"] {
			one.Value[0] = 'X'
		}
		if n := r.runner.Status().BufferedBytes; n == 0 {
			t.Error("what is being sent is not counted")
		}
		pass(time.Minute)
		for i, one := range to.got[0].Event.Records["t-0"] {
			if one.Value[0] != 'v' {
				t.Errorf("record %d is %s", i, one.Value)
			}
		}
		if n := r.runner.Status().BufferedBytes; n != 0 {
			t.Errorf("%d bytes are held when all is done", n)
		}
		r.mustStop()
	})
}

// Records that are too old go to the destination from the head of the waiting ones, without any others.
func TestExpiredAmongOthers(t *testing.T) {
	inBubble(t, "old, young, old, young", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		to := &scriptedDestination{}
		m := memoryMapping()
		m.MaximumRecordAgeInSeconds = new(60)
		r := newMapped(t, b, m, nil, WithDestination(to)).start()
		old := membroker.Record{Timestamp: time.Now().Add(-time.Hour)}
		b.Produce("t", old, membroker.Record{}, old, membroker.Record{})
		pass(10 * time.Second)
		if got := to.offsets(); !slices.Equal(got, []int64{0, 2}) || r.seen(0) != "[1 3]" || b.Committed("", "t", 0).Offset != 4 {
			t.Errorf("the destination has %v, the handler had %s, committed %d", got, r.seen(0), b.Committed("", "t", 0).Offset)
		}
		r.mustStop()
	})
}
