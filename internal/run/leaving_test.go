package run

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// twoPollers runs two pollers on a topic of two partitions. Each partition gets a record that is handled as long as its
// handler may run.
func twoPollers(t *testing.T, b *membroker.Broker, w *wish, h func(context.Context, event.KafkaEvent) error, opts ...Option) *rig {
	b.CreateTopic("t", 2)
	r := newRig(t, b, polling(1, 3), h, append([]Option{WithScaler(w)}, opts...)...).start()
	pass(time.Minute)
	if n := len(b.Members("g")); n != 2 {
		t.Fatalf("%d members", n)
	}
	b.Produce("t", membroker.Record{}, membroker.Record{Partition: 1})
	pass(time.Second)
	return r
}

// A poller that is no longer needed leaves as fast as a revocation takes its partitions, and the number of pollers does
// not change meanwhile.
func TestPollerThatLeaves(t *testing.T) {
	inBubble(t, "a handler that takes as long as it may", func(t *testing.T) {
		b := membroker.NewBroker(t)
		var ended atomic.Pointer[time.Time]
		d := &wire{Driver: b.Driver()}
		w := wishing(2)
		r := twoPollers(t, b, w, func(ctx context.Context, _ event.KafkaEvent) error {
			<-ctx.Done()
			now := time.Now()
			ended.CompareAndSwap(nil, &now)
			return ctx.Err()
		}, WithDriver(d), WithRevokeTimeout(5*time.Second))
		begun := time.Now()
		w.pollers.Store(1)
		pass(2 * time.Second)
		w.pollers.Store(2)
		pass(2 * time.Second)
		if n := d.opened.Load(); n != 2 {
			t.Errorf("%d clients while one of two leaves", n)
		}
		pass(20 * time.Second)
		if at := ended.Load(); at == nil || at.Sub(begun) > 7*time.Second {
			t.Errorf("the handler's context ended at %v, and the poller was to leave at %v", at, begun)
		}
		_ = r.stop()
	})
	inBubble(t, "its client fails meanwhile", func(t *testing.T) {
		b := membroker.NewBroker(t)
		d := &wire{Driver: b.Driver()}
		var broken atomic.Bool
		d.polled = func(n int, err error) error {
			if n == 2 && broken.Load() {
				return &driver.Error{Kind: driver.KindFenced, Offset: -1, Err: errors.New("script")}
			}
			return err
		}
		w := wishing(2)
		r := twoPollers(t, b, w, func(context.Context, event.KafkaEvent) error { time.Sleep(6 * time.Second); return nil }, WithDriver(d), WithRevokeTimeout(10*time.Second))
		w.pollers.Store(1)
		pass(2 * time.Second)
		broken.Store(true)
		pass(time.Minute)
		b.Produce("t", membroker.Record{}, membroker.Record{Partition: 1})
		pass(time.Minute)
		select {
		case err := <-r.done:
			t.Fatalf("Run has ended: %v", err)
		default:
		}
		for p := range int32(2) {
			if k := b.Committed("g", "t", p).Offset; k != 2 {
				t.Errorf("t-%d is committed at %d", p, k)
			}
		}
		r.mustStop()
	})
	for _, longer := range []string{"t-0", "t-1"} { // in one of the cases the leaving poller is busy for longer
		inBubble(t, "the mapping is paused meanwhile, and "+longer+" takes long", func(t *testing.T) {
			b := membroker.NewBroker(t)
			w := wishing(2)
			r := twoPollers(t, b, w, func(_ context.Context, e event.KafkaEvent) error {
				time.Sleep(3 * time.Second)
				if len(e.Records[longer]) > 0 {
					time.Sleep(3 * time.Second)
				}
				return nil
			}, WithRevokeTimeout(10*time.Second))
			w.pollers.Store(1)
			pass(time.Second + time.Second/2)
			r.runner.Pause()
			pass(time.Minute)
			if s := r.runner.Status(); s.State != observe.Disabled {
				t.Errorf("it is %s when nothing runs any more", s.State)
			}
			r.mustStop()
		})
	}
}

// No poller is added while one has not joined yet, because it is unknown which partitions it will get.
func TestPollersJoinOneAfterTheOther(t *testing.T) {
	inBubble(t, "the second does not hear of its first assignment", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 12) // the first poller keeps more of them than there are pollers
		joins := make(chan struct{})
		d := &wire{Driver: b.Driver(), polls: func(n int, ctx context.Context) {
			if n == 2 {
				select {
				case <-joins:
				case <-ctx.Done():
				}
			}
		}}
		w := wishing(1)
		r := newRig(t, b, polling(1, 4), nil, WithScaler(w), WithDriver(d)).start()
		pass(time.Minute)
		w.pollers.Store(2)
		pass(10 * time.Second)
		w.pollers.Store(3)
		pass(2 * time.Minute)
		if n := d.opened.Load(); n != 2 {
			t.Errorf("%d clients, and the second has not joined", n)
		}
		close(joins)
		pass(2 * time.Minute)
		if n := d.opened.Load(); n != 3 {
			t.Errorf("%d clients when it has", n)
		}
		r.mustStop()
	})
}
