package run

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

func TestSeek(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct {
		name    string
		to      func(times []time.Time) event.LogPosition
		at      int64
		handled string
	}{
		{"earliest", func([]time.Time) event.LogPosition { return event.ToEarliest() }, 2, "[2 3 4 5 2 3 4 5 6]"},
		{"latest", func([]time.Time) event.LogPosition { return event.ToLatest() }, 6, "[2 3 4 5 6]"},
		{"a time", func(at []time.Time) event.LogPosition { return event.ToTime(at[4]) }, 4, "[2 3 4 5 4 5 6]"},
		{"a time after all", func([]time.Time) event.LogPosition { return event.ToTime(time.Now().Add(time.Hour)) }, 6, "[2 3 4 5 6]"},
		{"an offset", func([]time.Time) event.LogPosition { return event.ToOffset(5) }, 5, "[2 3 4 5 5 6]"},
		{"the end as an offset", func([]time.Time) event.LogPosition { return event.ToOffset(6) }, 6, "[2 3 4 5 6]"},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			var times []time.Time
			for i := range 6 {
				times = append(times, time.Now())
				b.Produce("t", numbered(6)[i])
				time.Sleep(time.Second)
			}
			b.DeleteRecords("t", 0, 2)
			var told asks
			r := newMapped(t, b, one(), nil, told.hooks()).start()
			group := r.runner.Status().ConsumerGroupId
			pass(time.Minute)
			before := r.runner.Metrics()
			at, err := r.runner.Seek(ctx, t0, test.to(times))
			if err != nil || at != test.at {
				t.Fatalf("moved to %d, %v", at, err)
			}
			// The position, or a later one, is committed when Seek returns.
			if c := b.Committed(group, "t", 0); c.Offset < test.at {
				t.Errorf("the group has %d", c.Offset)
			}
			pass(time.Minute)
			b.Produce("t", numbered(1)...)
			pass(time.Minute)
			if got := r.seen(0); got != test.handled {
				t.Errorf("handled %s, want %s", got, test.handled)
			}
			if c := b.Committed(group, "t", 0).Offset; c != 7 {
				t.Errorf("committed %d in the end", c)
			}
			if is := r.runner.Metrics(); is.DroppedEventCount != 0 || is.LostEventCount != before.LostEventCount || is.CommittedEventCount-before.CommittedEventCount != 7-test.at {
				t.Errorf("%+v", is)
			}
			told.want(t, fmt.Sprintf("Seek t-0 6-%d", test.at))
			r.mustStop()
		})
	}
	inBubble(t, "out of the log, and nowhere", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(6)...)
		b.DeleteRecords("t", 0, 2)
		r := newMapped(t, b, one(), nil).start()
		pass(time.Minute)
		for _, n := range []int64{1, 7} {
			var wrong *observe.PositionError
			_, err := r.runner.Seek(ctx, t0, event.ToOffset(n))
			if !errors.As(err, &wrong) || wrong.Offset != n || wrong.Earliest != 2 || wrong.End != 6 || wrong.Position != 6 {
				t.Errorf("to %d: %v", n, err)
			}
		}
		for _, to := range []event.LogPosition{{}, event.ToOffset(-1)} {
			if _, err := r.runner.Seek(ctx, t0, to); err == nil {
				t.Errorf("to %v", to)
			}
		}
		if _, err := r.runner.Seek(ctx, event.TopicPartition{Topic: "t", Partition: 3}, event.ToEarliest()); !errors.Is(err, observe.ErrNotAssigned) {
			t.Error(err)
		}
		pass(time.Minute)
		if got := r.seen(0); got != "[2 3 4 5]" {
			t.Errorf("handled %s", got)
		}
		r.mustStop()
	})
	inBubble(t, "a handler is interrupted, and ends before another begins", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		var running, most atomic.Int32
		var cause atomic.Value
		r := newMapped(t, b, one(), func(ctx context.Context, e event.KafkaEvent) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			if has(e, 0) {
				<-ctx.Done()
				cause.Store(context.Cause(ctx))
				time.Sleep(time.Minute) // ignores the end of its context
			}
			return nil
		}).start()
		group := r.runner.Status().ConsumerGroupId
		pass(time.Second)
		if _, err := r.runner.Seek(ctx, t0, event.ToOffset(1)); err != nil {
			t.Fatal(err)
		}
		if c := b.Committed(group, "t", 0).Offset; c != 1 {
			t.Errorf("committed %d when Seek returned", c)
		}
		pass(30 * time.Second)
		if n := len(r.events()); n != 1 {
			t.Errorf("%d invocations while the first runs", n)
		}
		pass(time.Hour)
		if got := r.seen(0); got != "[0 1 2]" || most.Load() != 1 || cause.Load() != observe.ErrPartitionsGone { //nolint:errorlint // as it is given
			t.Errorf("handled %s, %d at once, interrupted by %v", got, most.Load(), cause.Load())
		}
		if m := r.runner.Metrics(); m.FailedInvokeEventCount != 0 {
			t.Errorf("the interrupted one counts as failed: %+v", m)
		}
		r.mustStop()
	})
	inBubble(t, "a revocation comes between the question and its answer", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(4)...)
		var told asks
		r := newMapped(t, b, one(), nil, told.hooks()).start()
		group := r.runner.Status().ConsumerGroupId
		pass(time.Minute)
		release := b.Hang(membroker.OpListOffsets)
		done := make(chan error, 1)
		go func() {
			_, err := r.runner.Seek(ctx, t0, event.ToEarliest())
			done <- err
		}()
		pass(time.Second)
		b.Revoke(t0) // and assigns it again
		pass(time.Second)
		select {
		case err := <-done:
			if !errors.Is(err, observe.ErrNotAssigned) {
				t.Errorf("Seek: %v", err)
			}
		default:
			t.Error("Seek still waits for an assignment that is over")
		}
		release()
		pass(time.Minute)
		if got, c := r.seen(0), b.Committed(group, "t", 0).Offset; got != "[0 1 2 3]" || c != 4 {
			t.Errorf("handled %s, committed %d: an answer of another life was taken", got, c)
		}
		told.want(t)
		r.mustStop()
	})
	inBubble(t, "the partition is lost meanwhile", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(4)...)
		r := newMapped(t, b, one(), nil).start()
		group := r.runner.Status().ConsumerGroupId
		pass(time.Minute)
		release := b.Hang(membroker.OpListOffsets)
		done := make(chan error, 1)
		go func() {
			_, err := r.runner.Seek(ctx, t0, event.ToEarliest())
			done <- err
		}()
		pass(time.Second)
		b.Lose()
		pass(time.Second)
		release()
		if err := <-done; !errors.Is(err, observe.ErrNotAssigned) {
			t.Errorf("Seek: %v", err)
		}
		pass(time.Minute)
		if got, c := r.seen(0), b.Committed(group, "t", 0).Offset; got != "[0 1 2 3]" || c != 4 {
			t.Errorf("handled %s, committed %d: an answer of another life was taken", got, c)
		}
		r.mustStop()
	})
	inBubble(t, "a revocation comes while the new position is being committed", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(4)...)
		r := newMapped(t, b, one(), func(context.Context, event.KafkaEvent) error { time.Sleep(time.Second); return nil }).start()
		group := r.runner.Status().ConsumerGroupId
		pass(time.Minute)
		b.Fail(membroker.OpCommit, 3, errors.New("not now"))
		done := make(chan error, 1)
		go func() {
			_, err := r.runner.Seek(ctx, t0, event.ToOffset(2))
			done <- err
		}()
		synctest.Wait()
		b.Revoke(t0)
		pass(time.Minute)
		if err := <-done; err != nil && !errors.Is(err, observe.ErrOperationPending) {
			t.Errorf("Seek: %v", err)
		}
		// A revocation commits what it can: either way nothing is lost, and the group is at the end again.
		if c := b.Committed(group, "t", 0).Offset; c != 4 {
			t.Errorf("committed %d", c)
		}
		r.mustStop()
	})
	inBubble(t, "the broker does not answer", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(4)...)
		r := newMapped(t, b, one(), nil, WithLagInterval(0)).start()
		pass(time.Minute)
		b.Fail(membroker.OpListOffsets, 1, errors.New("no"))
		if _, err := r.runner.Seek(ctx, t0, event.ToEarliest()); err == nil || errors.Is(err, observe.ErrOperationPending) {
			t.Errorf("offsets refused: %v", err)
		}
		release := b.Hang(membroker.OpCommit)
		short, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		if _, err := r.runner.Seek(short, t0, event.ToEarliest()); !errors.Is(err, observe.ErrOperationPending) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("commits hang: %v", err)
		}
		release()
		pass(time.Minute)
		if got := r.seen(0); got != "[0 1 2 3 0 1 2 3]" {
			t.Errorf("handled %s: begun is begun", got)
		}
		r.mustStop()
	})
	inBubble(t, "of a paused partition", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(4)...)
		r := newMapped(t, b, one(), nil).start()
		pass(time.Minute)
		if err := r.runner.PausePartition(ctx, t0); err != nil {
			t.Fatal(err)
		}
		if _, err := r.runner.Seek(ctx, t0, event.ToOffset(1)); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if got, p := r.seen(0), r.runner.Status().Partitions[0]; got != "[0 1 2 3]" || p.Position != 1 || p.Paused == "" {
			t.Errorf("handled %s, at %d, paused %q", got, p.Position, p.Paused)
		}
		if err := r.runner.ResumePartition(ctx, t0); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		if got := r.seen(0); got != "[0 1 2 3 1 2 3]" {
			t.Errorf("handled %s", got)
		}
		r.mustStop()
	})
}
