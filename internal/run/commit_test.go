package run

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/internal/verdict"
)

// commitsIn lets a record be handled every millisecond and returns the number of commits.
func commitsIn(b *membroker.Broker, d time.Duration) int {
	before := b.Calls(membroker.OpCommit)
	for range d / time.Millisecond {
		b.Produce("t", membroker.Record{Value: []byte("x")})
		pass(time.Millisecond)
	}
	return b.Calls(membroker.OpCommit) - before
}

func TestCommitsKeepAPace(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration
		opts  []Option
		want  int // in 2 s
	}{
		"fast":               {2 * time.Millisecond, nil, 100},
		"slow":               {80 * time.Millisecond, nil, 3},
		"bounded":            {400 * time.Millisecond, nil, 2},
		"WithCommitInterval": {2 * time.Millisecond, []Option{WithCommitInterval(500 * time.Millisecond)}, 4},
	} {
		inBubble(t, name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			r := newRig(t, b, small(), nil, c.opts...).start()
			pass(10 * time.Second)
			b.Delay(membroker.OpCommit, c.takes)
			if n := commitsIn(b, 2*time.Second); n < c.want || n > c.want+1 {
				t.Errorf("%d commits in 2 s, want %d", n, c.want)
			}
			pass(10 * time.Second)
			// After an idle period the next commit is sent at once.
			b.Produce("t", membroker.Record{Value: []byte("x")})
			pass(c.takes + time.Millisecond)
			if got, end := b.Committed("g", "t", 0).Offset, b.End("t", 0); got != end {
				t.Errorf("committed %d of %d after a single commit's time", got, end)
			}
			r.mustStop()
		})
	}
}

// Neither a revocation nor a stop waits for the pause between commits, however long it is.
func TestRevocationAndStopCommitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		r := newRig(t, b, small(), nil, WithCommitInterval(time.Hour)).start()
		pass(time.Second)
		b.Produce("t", spread(20, 2)...)
		pass(time.Second)
		b.Produce("t", spread(20, 2)...)
		pass(time.Second)
		if got := b.Committed("g", "t", 0).Offset; got == 20 {
			t.Fatal("committed within the interval")
		}
		begun := time.Now()
		b.Rebalance("g")
		pass(time.Second)
		b.Revoke(event.TopicPartition{Topic: "t", Partition: 0})
		pass(time.Second)
		if got := b.Committed("g", "t", 0).Offset; got != 20 {
			t.Errorf("committed %d of the revoked partition, want 20", got)
		}
		r.mustStop()
		if d := time.Since(begun); d > 3*time.Second {
			t.Errorf("revocation and stop took %v", d)
		}
		if got := b.Committed("g", "t", 1).Offset; got != 20 {
			t.Errorf("committed %d after the stop, want 20", got)
		}
	})
}

// A commit has the leader epoch of the record before it, however that record was resolved, so that a reader who
// continues there detects that the log was truncated below it.
func TestCommitsCarryTheLeaderEpoch(t *testing.T) {
	for _, c := range []struct {
		name    string
		set     func(s *shared.Settings)
		handler shared.Handler
		at      int64
	}{
		{"handled", func(*shared.Settings) {}, nil, 5},
		{"dropped by age", func(s *shared.Settings) { s.MaxAge = time.Minute }, func(context.Context, event.KafkaEvent) error { return errors.New("no") }, 5},
		{"dropped by retries", func(s *shared.Settings) { s.Retry = verdict.Policy{MaximumRetryAttempts: 0} },
			func(context.Context, event.KafkaEvent) error { return errors.New("no") }, 5},
		{"skipped", func(*shared.Settings) {}, func(context.Context, event.KafkaEvent) error { return errors.New("no") }, 1},
		{"handled in part", func(s *shared.Settings) { s.Retry = verdict.Policy{MaximumRetryAttempts: -1, Partial: true} },
			func(_ context.Context, e event.KafkaEvent) error {
				for _, r := range e.Records["t-0"] {
					if r.Offset == 3 {
						return itemFailures(r.ItemID())
					}
				}
				return nil
			}, 3},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			s := defaults()
			s.BatchSize, s.Window, s.Retry = 100, time.Second, verdict.Policy{MaximumRetryAttempts: -1}
			c.set(s)
			r := newRig(t, b, s, c.handler).start()
			pass(3 * time.Second)
			b.MoveLeader("t", 0)
			b.Produce("t", numbered(5)...)
			pass(2 * time.Minute)
			if c.name == "skipped" {
				if err := r.runner.Skip(t.Context(), event.TopicPartition{Topic: "t"}, 0); err != nil {
					t.Error(err)
				}
			}
			if k := b.Committed("g", "t", 0); k.Offset != c.at || k.LeaderEpoch != 1 {
				t.Errorf("committed %d of epoch %d, want %d of epoch 1", k.Offset, k.LeaderEpoch, c.at)
			}
			r.mustStop()
		})
	}
}
