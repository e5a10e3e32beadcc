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
)

// A failed lookup of offsets is retried in full: neither the log's start nor what the group had before is used as its
// answer.
func TestQuestionsThatFailOnce(t *testing.T) {
	refusal := func(kind driver.Kind) *driver.Error {
		return &driver.Error{Kind: kind, TopicPartition: event.TopicPartition{Topic: "t"}, Offset: -1, Err: errors.New("script")}
	}
	inBubble(t, "for the end of the log", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(3)...)
		b.Fail(membroker.OpListOffsets, 1, refusal(driver.KindUnavailable))
		r := newRig(t, b, startingAt(driver.AtEnd), nil).start()
		b.Produce("t", numbered(2)...)
		pass(10 * time.Second)
		if got := r.seen(0); got != "[3 4]" || b.Committed("g", "t", 0).Offset != 5 {
			t.Errorf("handled %s, committed %d", got, b.Committed("g", "t", 0).Offset)
		}
		r.mustStop()
	})
	inBubble(t, "for the group's commit of one partition", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(5)...)
		b.SetCommitted("g", "t", 0, 3, "")
		var asked atomic.Int32
		d := &tap{Driver: b.Driver(), committed: func(answers []driver.Committed) error {
			if asked.Add(1) == 1 {
				answers[0].Offset, answers[0].Err = -1, refusal(driver.KindOther)
			}
			return nil
		}}
		r := newRig(t, b, defaults(), nil, WithDriver(d)).start()
		pass(10 * time.Second)
		if got := r.seen(0); got != "[3 4]" {
			t.Errorf("handled %s, the group was at 3", got)
		}
		r.mustStop()
	})
	inBubble(t, "whether a start may be committed, which another member has done by then", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(5)...)
		var asked atomic.Int32
		d := &wire{Driver: b.Driver()}
		d.commit = func(_ int, ctx context.Context, c driver.Consumer, commits []driver.Commit) error {
			if asked.Add(1) == 1 {
				b.SetCommitted("g", "t", 0, 2, "")
				return &driver.CommitError{Partitions: map[event.TopicPartition]*driver.Error{{Topic: "t"}: refusal(driver.KindStaleMember)}}
			}
			return c.Commit(ctx, commits)
		}
		r := newRig(t, b, startingAt(driver.AtEnd), nil, WithDriver(d)).start()
		pass(10 * time.Second)
		if got := r.seen(0); got != "[2 3 4]" {
			t.Errorf("handled %s, the group was at 2", got)
		}
		r.mustStop()
	})
	inBubble(t, "whether a start may be committed, with no answer", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(3)...)
		b.Fail(membroker.OpCommit, 2, refusal(driver.KindUnavailable))
		r := newRig(t, b, startingAt(driver.AtEnd), nil).launch()
		pass(time.Minute)
		b.Produce("t", numbered(2)...)
		pass(time.Minute)
		if got := r.seen(0); got != "[3 4]" {
			t.Errorf("handled %s, want what came after the start", got)
		}
		_ = r.stop()
	})
}

// A leader that does not answer delays the start of other leaders' partitions for some seconds, not for the whole
// timeout of a lookup.
func TestSlowLeaderKeepsOthersForSeconds(t *testing.T) {
	inBubble(t, "one of two", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		d := &tap{Driver: b.Driver(), list: func(ctx context.Context, c driver.Consumer, queries []driver.OffsetQuery) ([]driver.OffsetAnswer, error) {
			for _, q := range queries {
				if q.Partition == 1 {
					<-ctx.Done()
					return nil, ctx.Err()
				}
			}
			return c.ListOffsets(ctx, queries)
		}}
		var at time.Time
		begun := time.Now()
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error { at = time.Now(); return nil }, WithDriver(d)).launch()
		b.Produce("t", numbered(1)...)
		pass(time.Minute)
		if took := at.Sub(begun); at.IsZero() || took > 8*time.Second {
			t.Errorf("the other one began after %v", took)
		}
		_ = r.stop()
	})
}

// A start that could not be committed is a condition until it is committed.
func TestStartsConditionEnds(t *testing.T) {
	inBubble(t, "refused for a while", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var mended atomic.Bool
		d := &wire{Driver: b.Driver()}
		d.commit = func(_ int, ctx context.Context, c driver.Consumer, commits []driver.Commit) error {
			if mended.Load() {
				return c.Commit(ctx, commits)
			}
			return &driver.CommitError{Partitions: map[event.TopicPartition]*driver.Error{
				{Topic: "t"}: {Kind: driver.KindAuthorization, TopicPartition: event.TopicPartition{Topic: "t"}, Offset: -1, Err: errors.New("script")}}}
		}
		r := newRig(t, b, startingAt(driver.AtEnd), nil, WithDriver(d)).launch()
		pass(time.Minute)
		if n := len(r.runner.Status().Conditions); n != 1 {
			t.Errorf("%d conditions while it is refused: %v", n, r.runner.Status())
		}
		mended.Store(true)
		pass(10 * time.Minute)
		if st := r.runner.Status(); len(st.Conditions) != 0 || r.runner.Healthy() != nil {
			t.Errorf("when it is committed: %v; %v", st, r.runner.Healthy())
		}
		r.mustStop()
	})
}
