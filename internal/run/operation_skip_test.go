package run

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

func TestSkip(t *testing.T) {
	ctx := context.Background()
	inBubble(t, "the record that blocks, in a batch with others", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(5)...)
		var told asks
		m := memoryMapping()
		m.BatchSize, m.BisectBatchOnFunctionError = 5, true
		r := newMapped(t, b, m, failing(2), told.hooks()).start()
		group := r.runner.Status().ConsumerGroupId
		pass(time.Hour)
		p := r.runner.Status().Partitions[0]
		if p.Position != 2 || p.Attempts == 0 {
			t.Fatalf("%+v", p)
		}
		b.Delay(membroker.OpCommit, 5*time.Second)
		if err := r.runner.Skip(ctx, t0, 2); err != nil {
			t.Fatal(err)
		}
		if c := b.Committed(group, "t", 0).Offset; c < 3 {
			t.Errorf("committed %d when Skip returned", c)
		}
		pass(time.Minute)
		if c := b.Committed(group, "t", 0).Offset; c != 5 {
			t.Errorf("committed %d", c)
		}
		s := r.runner.Status()
		if s.Metrics.DroppedEventCount != 1 || s.Metrics.SkippedEventCount != 1 || s.Partitions[0].Attempts != 0 || s.Partitions[0].LastError != nil {
			t.Errorf("%+v", s)
		}
		if len(told.drops) != 1 {
			t.Fatalf("%d drops", len(told.drops))
		}
		d := told.drops[0]
		if d.Reason != observe.DropSkipped || d.Reason.String() != "Skipped" || d.TopicPartition != t0 || len(d.Records) != 1 || d.Records[0].Offset != 2 || string(d.Records[0].Value) != "v2" || d.Attempts == 0 || d.Err == nil {
			t.Errorf("%+v", d)
		}
		told.want(t, "Skip t-0 2-3")
		r.mustStop()
	})
	inBubble(t, "it stands elsewhere", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		r := newMapped(t, b, one(), failing(1)).start()
		pass(time.Minute)
		for _, n := range []int64{0, 2, -1} {
			var wrong *observe.PositionError
			if err := r.runner.Skip(ctx, t0, n); !errors.As(err, &wrong) || wrong.Position != 1 || wrong.Offset != n {
				t.Errorf("at %d: %v", n, err)
			}
		}
		if err := r.runner.Skip(ctx, t0, 1); err != nil {
			t.Error(err)
		}
		pass(time.Minute)
		var wrong *observe.PositionError
		if err := r.runner.Skip(ctx, t0, 3); !errors.As(err, &wrong) { // nothing has been received yet
			t.Error(err)
		}
		if m := r.runner.Metrics(); m.SkippedEventCount != 1 {
			t.Errorf("%d skipped", m.SkippedEventCount)
		}
		r.mustStop()
	})
	for _, ends := range []struct {
		name    string
		err     error
		skipped int64
	}{{"a handler that has it ends well", nil, 0}, {"a handler that has it fails", errors.New("no"), 1}} {
		inBubble(t, ends.name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.Produce("t", numbered(2)...)
			r := newMapped(t, b, one(), func(_ context.Context, e event.KafkaEvent) error {
				time.Sleep(10 * time.Second)
				if has(e, 0) {
					return ends.err
				}
				return nil
			}).start()
			pass(time.Second)
			err := r.runner.Skip(ctx, t0, 0)
			var wrong *observe.PositionError
			if ends.skipped == 0 && (!errors.As(err, &wrong) || wrong.Position != 1) || ends.skipped == 1 && err != nil {
				t.Error(err)
			}
			pass(time.Minute)
			if m := r.runner.Metrics(); m.SkippedEventCount != ends.skipped || r.seen(0) != "[0 1]" {
				t.Errorf("%d skipped, handled %s", m.SkippedEventCount, r.seen(0))
			}
			r.mustStop()
		})
	}
	inBubble(t, "a revocation comes while a handler has it", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		var told asks
		r := newMapped(t, b, one(), func(context.Context, event.KafkaEvent) error { time.Sleep(5 * time.Second); return errors.New("no") }, told.hooks()).start()
		group := r.runner.Status().ConsumerGroupId
		pass(time.Second)
		done := make(chan error, 1)
		go func() { done <- r.runner.Skip(ctx, t0, 0) }()
		synctest.Wait()
		b.Revoke(t0)
		if err := <-done; !errors.Is(err, observe.ErrNotAssigned) || errors.Is(err, observe.ErrOperationPending) {
			t.Errorf("Skip: %v", err)
		}
		if err := r.runner.Skip(ctx, t0, 0); err != nil && !errors.Is(err, observe.ErrNotAssigned) { // still draining, or the next assignment
			t.Errorf("Skip: %v", err)
		}
		synctest.Wait()
		told.mu.Lock()
		if c := b.Committed(group, "t", 0).Offset; int64(len(told.drops)) != r.runner.Metrics().SkippedEventCount || c > int64(len(told.drops)) {
			t.Errorf("committed %d with %d drops", c, len(told.drops))
		}
		told.mu.Unlock()
		r.mustStop()
	})
	inBubble(t, "of a paused partition, never tried", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := memoryMapping()
		m.BatchSize, m.MaximumBatchingWindowInSeconds = 100, new(300)
		r := newMapped(t, b, m, nil).start()
		group := r.runner.Status().ConsumerGroupId
		b.Produce("t", numbered(3)...)
		pass(time.Second)
		if err := r.runner.PausePartition(ctx, t0); err != nil {
			t.Fatal(err)
		}
		if err := r.runner.Skip(ctx, t0, 0); err != nil {
			t.Fatal(err)
		}
		if c := b.Committed(group, "t", 0).Offset; c != 1 {
			t.Errorf("committed %d", c)
		}
		pass(time.Hour)
		if n := len(r.events()); n != 0 {
			t.Errorf("%d invocations of a paused partition", n)
		}
		if err := r.runner.ResumePartition(ctx, t0); err != nil {
			t.Fatal(err)
		}
		pass(time.Hour)
		if got := r.seen(0); got != "[1 2]" {
			t.Errorf("handled %s", got)
		}
		if used := r.runner.shared.Budget.Used.Load(); used != 0 {
			t.Errorf("%d bytes are still charged", used)
		}
		r.mustStop()
	})
	inBubble(t, "on its way to a destination that does not take it", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(4)...)
		d := &scriptedDestination{answer: func(_ context.Context, f *destination.Failure) error {
			if f.Event.Records["t-0"][0].Offset == 0 {
				return errors.New("too large for me")
			}
			return nil
		}}
		var told asks
		m := poisonMapping(2)
		r := newMapped(t, b, m, failing(0, 1), WithDestination(d), told.hooks()).start()
		group := r.runner.Status().ConsumerGroupId
		pass(time.Hour)
		if c := b.Committed(group, "t", 0).Offset; c > 0 {
			t.Fatalf("committed %d", c)
		}
		if err := r.runner.Skip(ctx, t0, 0); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if got := d.offsets(); !reflect.DeepEqual(got, []int64{1}) {
			t.Errorf("the destination has %v, want what was given up with the record", got)
		}
		if c := b.Committed(group, "t", 0).Offset; c != 4 || len(told.drops) != 1 || told.drops[0].Records[0].Offset != 0 {
			t.Errorf("committed %d, drops %+v", c, told.drops)
		}
		r.mustStop()
	})
	inBubble(t, "alone on its way to a destination", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(2)...)
		d := &scriptedDestination{answer: func(ctx context.Context, _ *destination.Failure) error {
			<-ctx.Done() // a hanging Send
			return ctx.Err()
		}}
		r := newMapped(t, b, poisonMapping(1), failing(0), WithDestination(d)).start()
		group := r.runner.Status().ConsumerGroupId
		pass(time.Minute)
		if err := r.runner.Skip(ctx, t0, 0); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if c, s := b.Committed(group, "t", 0).Offset, r.runner.Status(); c != 2 || r.seen(0) != "[0 0 1]" || s.Destination.Failing != 0 {
			t.Errorf("committed %d, handled %s, %+v", c, r.seen(0), s.Destination)
		}
		r.mustStop()
	})
	inBubble(t, "a hook that waits for what waits for it", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(2)...)
		var r *rig
		var got atomic.Value
		r = newMapped(t, b, one(), failing(0), WithHooks(observe.Hooks{Retry: func(i observe.RetryInfo) {
			if got.Load() == nil {
				got.Store(r.runner.Skip(ctx, i.TopicPartition, i.First))
			}
		}}))
		r.start()
		pass(time.Hour)
		if err, _ := got.Load().(error); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, observe.ErrOperationPending) {
			t.Errorf("Skip: %v", got.Load())
		}
		if n := r.runner.Metrics().SkippedEventCount; n != 0 {
			t.Errorf("%d skipped, though Skip said that nothing was done", n)
		}
		r.mustStop()
	})
	inBubble(t, "a stop comes while the drop is told", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		hold := make(chan struct{})
		r := newMapped(t, b, one(), failing(0), WithHooks(observe.Hooks{Drop: func(observe.DropInfo) { <-hold }})).start()
		group := r.runner.Status().ConsumerGroupId
		pass(time.Minute)
		done := make(chan error, 1)
		go func() { done <- r.runner.Skip(ctx, t0, 0) }()
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- r.stop() }()
		if err := <-done; err == nil {
			t.Error("skipped, though the hook has not been told")
		}
		var stuck *observe.StuckError
		if err := <-stopped; !errors.As(err, &stuck) {
			t.Errorf("Run: %v", err)
		}
		if c := b.Committed(group, "t", 0).Offset; c > 0 {
			t.Errorf("committed %d: the drop was not told", c)
		}
		close(hold)
		synctest.Wait()
	})
}
