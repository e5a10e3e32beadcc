package run

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

var t0 = event.TopicPartition{Topic: "t"}

// failing fails batches that hold any of some offsets of t-0.
func failing(offsets ...int64) shared.Handler {
	return func(_ context.Context, e event.KafkaEvent) error {
		for _, r := range e.Records["t-0"] {
			for _, n := range offsets {
				if r.Offset == n {
					return fmt.Errorf("poison at %d", n)
				}
			}
		}
		return nil
	}
}

// asks collects what the hooks were told.
type asks struct {
	mu    sync.Mutex
	did   []string
	drops []observe.DropInfo
}

func (a *asks) hooks() Option {
	return WithHooks(observe.Hooks{
		Operation: func(i observe.OperationInfo) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.did = append(a.did, fmt.Sprintf("%s %s %d-%d", i.Operation, i.TopicPartition, i.From, i.To))
		},
		Drop: func(i observe.DropInfo) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.drops = append(a.drops, i)
		},
	})
}

func (a *asks) want(t *testing.T, lines ...string) {
	t.Helper()
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	wantLines(t, "operations", a.did, lines...)
}

func one() mapping.Mapping {
	m := memoryMapping()
	m.BatchSize = 1
	return m
}

func TestPausePartition(t *testing.T) {
	ctx := context.Background()
	inBubble(t, "what is in flight is finished, the partition stays, others go on", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		b.Produce("t", spread(6, 2)...)
		var told asks
		r := newMapped(t, b, one(), func(context.Context, event.KafkaEvent) error { time.Sleep(10 * time.Second); return nil }, told.hooks()).start()
		pass(5 * time.Second)
		for range 2 { // twice is once
			if err := r.runner.PausePartition(ctx, t0); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Hour)
		if got := r.seen(0) + r.seen(1); got != "[0][0 1 2]" {
			t.Errorf("handled %s", got)
		}
		s := r.runner.Status()
		if p := s.Partitions[0]; p.Paused != "partition paused" || p.Committed != 1 || s.Partitions[1].Paused != "" || s.State != observe.Enabled {
			t.Errorf("%+v, %s", s.Partitions, s.State)
		}
		b.Revoke() // the pause outlives the assignment
		pass(time.Minute)
		if got := r.seen(0); got != "[0]" {
			t.Errorf("handled %s of a paused partition after a rebalance", got)
		}
		for range 2 {
			if err := r.runner.ResumePartition(ctx, t0); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Minute)
		if got := r.seen(0); got != "[0 1 2]" || r.runner.Status().Partitions[0].Paused != "" {
			t.Errorf("resumed, handled %s", got)
		}
		told.want(t, "PausePartition t-0 -1--1", "ResumePartition t-0 -1--1")
		r.mustStop()
	})
	inBubble(t, "it goes with the partition to another member of the process", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		m := one()
		m.ProvisionedPollerConfig = &mapping.ProvisionedPollerConfig{MinimumPollers: new(2), MaximumPollers: new(2)}
		r := newMapped(t, b, m, nil).start()
		pass(time.Minute)
		if n := len(b.Members("")); n != 2 {
			t.Fatalf("%d members", n)
		}
		if err := r.runner.PausePartition(ctx, t0); err != nil {
			t.Fatal(err)
		}
		owner := func() string {
			for _, x := range b.Members("") {
				if len(x.Owned) > 0 && x.Owned[0] == t0 {
					return x.ID
				}
			}
			return ""
		}
		was := owner()
		b.Revoke(t0)
		pass(time.Minute)
		if owner() == was {
			t.Fatal("the partition has not moved")
		}
		b.Produce("t", numbered(2)...)
		pass(time.Minute)
		if got := r.seen(0); got != "[]" {
			t.Errorf("handled %s of a paused partition", got)
		}
		if err := r.runner.ResumePartition(ctx, t0); err != nil {
			t.Error(err)
		}
		pass(time.Minute)
		if got := r.seen(0); got != "[0 1]" {
			t.Errorf("resumed, handled %s", got)
		}
		r.mustStop()
	})
	inBubble(t, "what failed is not tried again before, and at once then", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		var mended atomic.Bool
		r := newMapped(t, b, one(), func(context.Context, event.KafkaEvent) error {
			if mended.Load() {
				return nil
			}
			time.Sleep(5 * time.Second)
			return errors.New("not yet")
		}).start()
		pass(3 * time.Second)
		if err := r.runner.PausePartition(ctx, t0); err != nil { // while it is in flight
			t.Fatal(err)
		}
		pass(time.Hour)
		if n := len(r.events()); n != 1 {
			t.Errorf("%d invocations of a paused partition", n)
		}
		mended.Store(true)
		if err := r.runner.ResumePartition(ctx, t0); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(r.events()); n != 2 {
			t.Errorf("%d invocations at the moment of the resume, want the second try", n)
		}
		r.mustStop()
	})
	inBubble(t, "a partition that is not here", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, one(), nil)
		far := event.TopicPartition{Topic: "t", Partition: 7}
		for _, err := range []error{r.runner.PausePartition(ctx, t0), r.runner.ResumePartition(ctx, t0)} {
			if !errors.Is(err, observe.ErrNotAssigned) {
				t.Errorf("before Run: %v", err)
			}
		}
		r.start()
		for _, err := range []error{r.runner.PausePartition(ctx, far), r.runner.ResumePartition(ctx, far), r.runner.Skip(ctx, far, 0)} {
			if !errors.Is(err, observe.ErrNotAssigned) {
				t.Errorf("of another process: %v", err)
			}
		}
		r.mustStop()
		if err := r.runner.PausePartition(ctx, t0); !errors.Is(err, observe.ErrNotAssigned) {
			t.Errorf("after Run: %v", err)
		}
	})
}

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
			// Committed when Seek returns, or what has been handled since is.
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
				time.Sleep(time.Minute) // and takes its time
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
		b.Revoke(t0) // and gives it back
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
		// A revocation commits what it can: either way nothing is lost, and the group stands at the end again.
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
		if err := r.runner.Skip(ctx, t0, 3); !errors.As(err, &wrong) { // nothing has come yet
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
		if err := r.runner.Skip(ctx, t0, 0); err != nil && !errors.Is(err, observe.ErrNotAssigned) { // still draining, or the next life
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
			<-ctx.Done() // one that hangs
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
