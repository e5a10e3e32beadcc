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

// A partition that was given up in time has no running invocation here, not even of records that its log has since
// lost: the next owner's invocations would run concurrently with it.
func TestRevocationWaitsForWhatWasCutOff(t *testing.T) {
	inBubble(t, "a log that is cut while a handler runs", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(10)...)
		var running, most, calls atomic.Int32
		handler := func(context.Context, event.KafkaEvent) error {
			n := running.Add(1)
			defer running.Add(-1)
			most.Store(max(most.Load(), n))
			if calls.Add(1) == 1 {
				time.Sleep(5 * time.Second)
			}
			return nil
		}
		first := newRig(t, b, defaults(), handler, WithRevokeTimeout(10*time.Second)).start()
		second := newRig(t, b, defaults(), handler, WithRevokeTimeout(10*time.Second)).launch()
		pass(time.Second)
		b.Truncate("t", 0, 2)
		b.Produce("t", numbered(20)...)
		pass(2 * time.Second)
		b.Revoke(event.TopicPartition{Topic: "t"})
		pass(time.Minute)
		if k := b.Committed("g", "t", 0).Offset; k != 22 {
			t.Errorf("committed %d of 22", k)
		}
		if most.Load() != 1 || calls.Load() < 2 || len(second.events()) == 0 {
			t.Errorf("%d invocations of one partition at a time, of %d; %d by the second", most.Load(), calls.Load(), len(second.events()))
		}
		for _, r := range []*rig{first, second} {
			r.mustStop()
		}
	})
}

// The context of a batch of several partitions ends when the last of them is gone.
func TestBatchOfWhichOnePartitionGoes(t *testing.T) {
	inBubble(t, "one of two", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		b.Produce("t", membroker.Record{}, membroker.Record{Partition: 1})
		var ended atomic.Pointer[error]
		r := newRig(t, b, defaults(), func(ctx context.Context, e event.KafkaEvent) error {
			if len(e.Records) == 2 {
				time.Sleep(10 * time.Second)
				err := context.Cause(ctx)
				ended.Store(&err)
			}
			return nil
		}, WithRevokeTimeout(2*time.Second)).start()
		pass(time.Second)
		other := newRig(t, b, defaults(), nil).launch() // gets one of the partitions
		pass(time.Minute)
		if err := ended.Load(); err == nil || *err != nil {
			t.Errorf("the batch ended with %v; %v", err, r.briefs())
		}
		for p := range int32(2) {
			if k := b.Committed("g", "t", p).Offset; k != 1 {
				t.Errorf("t-%d is committed at %d", p, k)
			}
		}
		other.mustStop()
		r.mustStop()
	})
}

// A batch that waits for its retry goes with its partition: it is not retried while the revocation waits for other
// partitions.
func TestNoTryOfWhatIsBeingRevoked(t *testing.T) {
	inBubble(t, "beside one that takes its time", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		b.Produce("t", membroker.Record{}, membroker.Record{Partition: 1})
		var revoked atomic.Bool
		var tries atomic.Int32
		s := defaults()
		s.BatchSize = 1
		r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
			if len(e.Records["t-1"]) > 0 {
				time.Sleep(20 * time.Second)
				return nil
			}
			tries.Add(1)
			return errors.New("no")
		}, WithRevokeTimeout(time.Minute), WithRetryBackoff(4*time.Second, 4*time.Second),
			WithHooks(observe.Hooks{Revoked: func(observe.AssignmentInfo) { revoked.Store(true) }})).start()
		pass(5 * time.Second)
		before := tries.Load()
		b.Revoke()
		pass(10 * time.Second)
		if now := tries.Load(); revoked.Load() || before == 0 || now != before {
			t.Errorf("%d tries before the revocation, %d since; it has ended: %t", before, now-before, revoked.Load())
		}
		pass(time.Minute)
		r.mustStop()
	})
}

// A stop that has time left retries a refused commit.
func TestStopCommitsAgain(t *testing.T) {
	inBubble(t, "a commit that fails once", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error { time.Sleep(3 * time.Second); return nil }).start()
		b.Produce("t", numbered(5)...)
		pass(2 * time.Second)
		b.Fail(membroker.OpCommit, 2, &driver.Error{Kind: driver.KindUnavailable, Err: errors.New("not now")})
		r.mustStop()
		if k := b.Committed("g", "t", 0).Offset; k != 5 {
			t.Errorf("committed %d of 5", k)
		}
	})
}
