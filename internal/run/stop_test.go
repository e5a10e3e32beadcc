package run

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// obedient sleeps until d has passed or its context ends.
func obedient(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Guarantee 4: after a stop, what was handled is committed and nothing runs, or Run returns a *StuckError.
func TestGuarantee4Stop(t *testing.T) {
	inBubble(t, "a stop waits for what is in flight, commits it, and begins nothing", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		s := defaults()
		s.BatchSize = 1
		r := newRig(t, b, s, func(ctx context.Context, _ event.KafkaEvent) error { return obedient(ctx, 20*time.Second) }).start()
		pass(5 * time.Second)
		begin := time.Now()
		r.mustStop()
		if d := time.Since(begin); d < 14*time.Second || d > 16*time.Second {
			t.Errorf("the stop took %v, want the 15s that the handler still needed", d)
		}
		if n, k := len(r.events()), b.Committed("g", "t", 0).Offset; n != 1 || k != 1 {
			t.Errorf("%d invocations, committed %d; want 1 and 1", n, k)
		}
		if st := r.runner.Status(); st.State != observe.Disabled || st.InFlight != 0 {
			t.Errorf("status %+v", st)
		}
	})
	inBubble(t, "the handler's context ends with ErrStopping after what the stop timeout leaves to handlers, exactly", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		var cause error
		var ended time.Time
		r := newRig(t, b, defaults(), func(ctx context.Context, _ event.KafkaEvent) error {
			cause = obedient(ctx, time.Hour)
			ended = time.Now()
			return cause
		}, WithStopTimeout(20*time.Second)).start()
		pass(time.Minute)
		begin := time.Now()
		r.mustStop()
		if d := ended.Sub(begin); d != 13*time.Second || !errors.Is(cause, observe.ErrStopping) {
			t.Errorf("the context ended after %v with %v", d, cause)
		}
		if k := b.Committed("g", "t", 0).Offset; k != 0 {
			t.Errorf("committed %d, want 0: the record was not handled", k)
		}
	})
	inBubble(t, "a handler that ignores its context is named, and what it does later is never committed", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		b.Produce("t", numbered(3)...)
		release := make(chan struct{})
		returned := make(chan struct{})
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error {
			defer close(returned)
			<-release
			return nil
		}, WithStopTimeout(10*time.Second)).start()
		pass(time.Minute)
		begin := time.Now()
		err := r.stop()
		if d := time.Since(begin); d <= 6*time.Second || d > 10*time.Second {
			t.Errorf("Run gave up after %v, want some grace after 6s, and 10s at most", d)
		}
		var stuck *observe.StuckError
		if !errors.As(err, &stuck) || len(stuck.Handlers) != 1 {
			t.Fatalf("Run: %v", err)
		}
		if h := stuck.Handlers[0]; h.Partitions["t-0"] != (observe.OffsetRange{First: 0, Last: 2}) || len(h.Partitions) != 1 || !h.Since.Equal(r.at[0]) {
			t.Errorf("stuck handler %+v", h)
		}
		if !strings.Contains(err.Error(), "t-0[0..2]") {
			t.Errorf("the error does not name the batch: %v", err)
		}
		close(release)
		<-returned
		pass(time.Minute)
		if k := b.Committed("g", "t", 0).Offset; k != 0 {
			t.Errorf("a late handler was committed: %d", k)
		}
	})
	inBubble(t, "a stop that cannot say stop.Goodbye, and has nothing uncommitted, is in order, and says so", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		var log strings.Builder
		r := newRig(t, b, defaults(), nil, WithLogger(slog.New(slog.NewTextHandler(&log, nil)))).start()
		pass(5 * time.Second)
		release := b.Hang(membroker.OpClose)
		defer release()
		begin := time.Now()
		r.mustStop()
		if d := time.Since(begin); d > 6*time.Second {
			t.Errorf("it took %v", d)
		}
		if !strings.Contains(log.String(), "the group was not left in order") {
			t.Errorf("the log says nothing of it:\n%s", log.String())
		}
	})
	inBubble(t, "a commit that hangs does not hold the stop for ever", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		r := newRig(t, b, defaults(), func(ctx context.Context, _ event.KafkaEvent) error { return obedient(ctx, 5*time.Second) }).start()
		pass(time.Second)
		release := b.Hang(membroker.OpCommit)
		begin := time.Now()
		err := r.stop()
		if d := time.Since(begin); d > 25*time.Second {
			t.Errorf("the stop took %v", d)
		}
		var stuck *observe.StuckError
		if !errors.As(err, &stuck) || len(stuck.Calls) != 1 || stuck.Calls[0].Op != observe.OpCommit {
			t.Errorf("Run: %v, want the commit that was left behind", err)
		}
		if m := r.runner.Metrics(); m.AbandonedCommitCount == 0 {
			t.Error("the commit left behind was not counted")
		}
		release()
	})
}

func TestInvocationTimeout(t *testing.T) {
	inBubble(t, "it ends the context with its cause, and the batch is tried again", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		var causes []error
		r := newRig(t, b, defaults(), func(ctx context.Context, _ event.KafkaEvent) error {
			err := obedient(ctx, time.Hour)
			causes = append(causes, err)
			if len(causes) == 1 {
				return err
			}
			return nil
		}, WithInvocationTimeout(9*time.Second)).start()
		pass(time.Minute)
		if len(causes) != 2 || !errors.Is(causes[0], observe.ErrInvocationTimeout) {
			t.Errorf("causes %v", causes)
		}
		if inv := r.infos[0]; !inv.Deadline.Equal(r.at[0].Add(9 * time.Second)) {
			t.Errorf("deadline %v, began %v", inv.Deadline, r.at[0])
		}
		r.mustStop()
	})
}

func TestHandlerEnds(t *testing.T) {
	inBubble(t, "a panic is an error with its stack, and retried", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		boom := errors.New("boom")
		var ends []error
		n := 0
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error {
			if n++; n == 1 {
				panic(boom)
			}
			return nil
		}, WithHooks(observe.Hooks{BatchEnd: func(_ context.Context, i observe.BatchEndInfo) { ends = append(ends, i.Err) }})).start()
		pass(time.Minute)
		var p *observe.PanicError
		if len(ends) != 2 || !errors.As(ends[0], &p) || !errors.Is(ends[0], boom) || !strings.Contains(string(p.Stack), "stop_test.go") || ends[1] != nil {
			t.Errorf("ends %v", ends)
		}
		if k := b.Committed("g", "t", 0).Offset; k != 1 {
			t.Errorf("committed %d", k)
		}
		r.mustStop()
	})
	inBubble(t, "Goexit is a failure, and retried", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		n := 0
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error {
			if n++; n == 1 {
				runtime.Goexit()
			}
			return nil
		}).start()
		pass(time.Minute)
		if len(r.events()) != 2 || b.Committed("g", "t", 0).Offset != 1 {
			t.Errorf("%d invocations, committed %d", len(r.events()), b.Committed("g", "t", 0).Offset)
		}
		r.mustStop()
	})
	inBubble(t, "a second Run is refused", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newRig(t, b, defaults(), nil).start()
		if err := r.runner.Run(context.Background()); !errors.Is(err, observe.ErrAlreadyRun) {
			t.Errorf("a second Run: %v", err)
		}
		r.mustStop()
		if err := r.runner.Run(context.Background()); !errors.Is(err, observe.ErrAlreadyRun) {
			t.Errorf("a Run after the end: %v", err)
		}
	})
	t.Run("a nil handler is refused", func(t *testing.T) {
		if _, err := New(mapping.Mapping{}, nil, NewOptions()); !errors.Is(err, ErrNilHandler) {
			t.Errorf("New: %v", err)
		}
	})
}

func TestRevoke(t *testing.T) {
	inBubble(t, "it waits for the handler and its commit, the rest goes on", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		s := defaults()
		s.Window = 0
		var ended time.Time
		var revoked []observe.AssignmentInfo
		var at time.Time
		r := newRig(t, b, s, func(ctx context.Context, e event.KafkaEvent) error {
			if e.Records["t-0"] == nil {
				return nil
			}
			err := obedient(ctx, 6*time.Second)
			ended = time.Now()
			return err
		}, WithHooks(observe.Hooks{Revoked: func(i observe.AssignmentInfo) {
			if revoked == nil {
				at = time.Now()
			}
			revoked = append(revoked, i)
		}})).start()
		b.Produce("t", numbered(1)...)
		pass(time.Second)
		b.Revoke(event.TopicPartition{Topic: "t"})
		pass(time.Second)
		b.Produce("t", membroker.Record{Partition: 1})
		pass(time.Minute)
		if !at.Equal(ended) || len(revoked) != 1 || revoked[0].InFlight != 0 {
			t.Errorf("revoked at %v, the handler ended at %v: %+v", at, ended, revoked)
		}
		if got := r.seen(0); got != "[0]" || b.Committed("g", "t", 0).Offset != 1 {
			t.Errorf("handled %s, committed %d: want once", got, b.Committed("g", "t", 0).Offset)
		}
		if got := r.seen(1); got != "[0]" {
			t.Errorf("the other partition: %s", got)
		}
		r.mustStop()
	})
	inBubble(t, "it is bounded, and a late handler is not committed", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(1)...)
		var revokedAt, ended time.Time
		var inFlight int
		var cause error
		calls := 0
		r := newRig(t, b, defaults(), func(ctx context.Context, _ event.KafkaEvent) error {
			if calls++; calls == 1 {
				time.Sleep(30 * time.Second)
				ended, cause = time.Now(), context.Cause(ctx)
			} else if ended.IsZero() {
				t.Error("the partition was invoked again while its old handler ran in this process")
			}
			return nil
		}, WithRevokeTimeout(4*time.Second), WithHooks(observe.Hooks{Revoked: func(i observe.AssignmentInfo) {
			if revokedAt.IsZero() {
				revokedAt, inFlight = time.Now(), i.InFlight
			}
		}})).start()
		pass(time.Second)
		begin := time.Now()
		b.Revoke()
		pass(10 * time.Second)
		if d := revokedAt.Sub(begin); d < 4*time.Second || d > 6*time.Second || inFlight != 1 {
			t.Errorf("revoked after %v with %d in flight, want 4s and 1", d, inFlight)
		}
		if k := b.Committed("g", "t", 0).Offset; k != 0 {
			t.Errorf("committed %d before the handler ended", k)
		}
		pass(time.Minute)
		if !errors.Is(cause, observe.ErrPartitionsGone) {
			t.Errorf("the handler's context ended with %v", cause)
		}
		if got := r.seen(0); got != "[0 0]" || b.Committed("g", "t", 0).Offset != 1 {
			t.Errorf("handled %s, committed %d", got, b.Committed("g", "t", 0).Offset)
		}
		r.mustStop()
	})
	inBubble(t, "lost cancels at once and commits nothing", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		var causes []error
		var lost []observe.AssignmentInfo
		r := newRig(t, b, defaults(), func(ctx context.Context, _ event.KafkaEvent) error {
			causes = append(causes, obedient(ctx, 20*time.Second))
			return nil
		}, WithHooks(observe.Hooks{Lost: func(i observe.AssignmentInfo) { lost = append(lost, i) }})).start()
		pass(time.Second)
		begin := time.Now()
		b.Lose()
		pass(5 * time.Second)
		if len(causes) != 1 || !errors.Is(causes[0], observe.ErrPartitionsGone) || time.Since(begin) > 6*time.Second || b.Committed("g", "t", 0).Offset != 0 {
			t.Errorf("causes %v, committed %d", causes, b.Committed("g", "t", 0).Offset)
		}
		if len(lost) != 1 || lost[0].InFlight != 1 {
			t.Errorf("lost %+v", lost)
		}
		pass(time.Minute)
		if k := b.Committed("g", "t", 0).Offset; k != 1 {
			t.Errorf("committed %d in the end, want 1", k)
		}
		r.mustStop()
	})
}
