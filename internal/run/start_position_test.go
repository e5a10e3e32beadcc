package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/observe"
)

func startingAt(at driver.OffsetAt) *shared.Settings {
	s := defaults()
	s.Start.At = at
	return s
}

func TestStartingPosition(t *testing.T) {
	begin := time.UnixMilli(1_700_000_000_000)
	for _, c := range []struct {
		name      string
		at        driver.OffsetAt
		committed int64
		want      string
	}{
		{"TRIM_HORIZON", driver.AtEarliest, -1, "[1 2 3 4]"},
		{"LATEST", driver.AtEnd, -1, "[4]"},
		{"AT_TIMESTAMP", driver.OffsetAt(begin.Add(2 * time.Second).UnixMilli()), -1, "[2 3 4]"},
		{"AT_TIMESTAMP between records", driver.OffsetAt(begin.Add(1500 * time.Millisecond).UnixMilli()), -1, "[2 3 4]"},
		{"AT_TIMESTAMP behind the last record", driver.OffsetAt(begin.Add(time.Hour).UnixMilli()), -1, "[4]"},
		{"the group's commit wins over LATEST", driver.AtEnd, 2, "[2 3 4]"},
		{"the group's commit wins over TRIM_HORIZON", driver.AtEarliest, 3, "[3 4]"},
		{"the group's commit at 0 is a commit", driver.AtEnd, 1, "[1 2 3 4]"},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			records := numbered(4)
			for i := range records {
				records[i].Timestamp = begin.Add(time.Duration(i) * time.Second)
			}
			b.Produce("t", records...)
			b.DeleteRecords("t", 0, 1)
			b.SetCommitted("g", "t", 0, c.committed, "")
			r := newRig(t, b, startingAt(c.at), nil).start()
			b.Produce("t", membroker.Record{Value: []byte("live")})
			pass(5 * time.Second)
			if got := r.seen(0); got != c.want {
				t.Errorf("handled %s, want %s", got, c.want)
			}
			r.mustStop()
		})
	}
}

func TestStartIsCommittedFirst(t *testing.T) {
	inBubble(t, "before the first delivery", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		b.Produce("t", numbered(3)...)
		r := newRig(t, b, startingAt(driver.AtEnd), nil).start()
		for p, want := range []int64{3, 0} {
			if k := b.Committed("g", "t", int32(p)); k.Offset != want || start.ParseNote(k.Metadata).Partitions != 2 {
				t.Errorf("partition %d: %+v, want a commit at %d", p, k, want)
			}
		}
		r.mustStop()
	})
	inBubble(t, "what it says of the group is in every later commit too", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		r := newRig(t, b, defaults(), nil).start()
		b.Produce("t", numbered(3)...)
		pass(2 * time.Second)
		b.Revoke()
		b.Produce("t", numbered(1)...)
		pass(5 * time.Second)
		r.mustStop()
		if k := b.Committed("g", "t", 0); k.Offset != 4 || start.ParseNote(k.Metadata).Partitions != 2 {
			t.Errorf("the commit in the end: %+v", k)
		}
	})
	inBubble(t, "a commit that fails keeps the partition held", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		b.Fail(membroker.OpCommit, 3, &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("no coordinator")})
		var errs []observe.ErrorInfo
		var failures int
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error {
			failures = len(errs)
			return nil
		}, WithHooks(observe.Hooks{Error: func(i observe.ErrorInfo) { errs = append(errs, i) }})).start()
		pass(5 * time.Second)
		if failures != 3 || len(r.events()) != 1 || errs[0].Op != "start" || errs[0].LastProcessingResult != condition.ResultConnection {
			t.Errorf("%d failed commits came before the first delivery, want 3: %+v", failures, errs)
		}
		r.mustStop()
	})
	inBubble(t, "a member that ends before its first record loses nothing under LATEST", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		r := newRig(t, b, startingAt(driver.AtEnd), nil).start()
		r.mustStop()
		b.Produce("t", numbered(2)...)
		r = newRig(t, b, startingAt(driver.AtEnd), nil).start()
		pass(2 * time.Second)
		if got := r.seen(0); got != "[3 4]" {
			t.Errorf("handled %s, want [3 4]", got)
		}
		r.mustStop()
	})
}

// Two members of one group start at the same time under LATEST. Whichever gets a partition, records produced from then
// on are handled once, and earlier ones never.
func TestLatestAcrossMembers(t *testing.T) {
	inBubble(t, "two members", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 4)
		for p := range int32(4) {
			b.Produce("t", membroker.Record{Partition: p}, membroker.Record{Partition: p})
		}
		x := newRig(t, b, startingAt(driver.AtEnd), nil)
		y := newRig(t, b, startingAt(driver.AtEnd), nil)
		x.start()
		y.start()
		for range 5 {
			for p := range int32(4) {
				b.Produce("t", membroker.Record{Partition: p})
			}
			b.Revoke()
			pass(3 * time.Second)
		}
		for p := range int32(4) {
			got := make(map[int64]int)
			for _, e := range append(x.events(), y.events()...) {
				for _, rec := range e.Records[fmt.Sprintf("t-%d", p)] {
					got[rec.Offset]++
				}
			}
			for o := range int64(7) {
				want := 1
				if o < 2 {
					want = 0
				}
				if got[o] != want {
					t.Errorf("t-%d offset %d was handled %d times, want %d", p, o, got[o], want)
				}
			}
		}
		x.mustStop()
		y.mustStop()
	})
	inBubble(t, "a partition added later begins at its beginning", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		r := newRig(t, b, startingAt(driver.AtEnd), nil, WithMetadataMaxAge(time.Minute)).start()
		b.CreateTopic("t", 2)
		b.Produce("t", membroker.Record{Partition: 1}, membroker.Record{Partition: 1})
		pass(3 * time.Minute)
		if got := r.seen(1); got != "[0 1]" || r.seen(0) != "[]" {
			t.Errorf("handled %s of the new partition, want [0 1]; and %s of the old one", got, r.seen(0))
		}
		r.mustStop()
	})
	inBubble(t, "partitions added one after the other, started by different members", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		// The group started with two partitions; the third got its start from a member that saw four.
		b.SetCommitted("g", "t", 0, 0, "esm/1 partitions=2")
		b.SetCommitted("g", "t", 1, 0, "esm/1 partitions=2")
		b.CreateTopic("t", 3)
		b.Produce("t", membroker.Record{Partition: 2}, membroker.Record{Partition: 2})
		x := newRig(t, b, startingAt(driver.AtEnd), nil).start()
		pass(2 * time.Second)
		if k := b.Committed("g", "t", 2); k.Offset != 2 || start.ParseNote(k.Metadata).Partitions != 2 {
			t.Errorf("the third partition: %+v, want the number that the group began with", k)
		}
		x.mustStop()
		b.CreateTopic("t", 4)
		b.Produce("t", membroker.Record{Partition: 3})
		y := newRig(t, b, startingAt(driver.AtEnd), nil).start()
		pass(2 * time.Second)
		if got := x.seen(2) + y.seen(3); got != "[0 1][0]" {
			t.Errorf("handled %s", got)
		}
		y.mustStop()
	})
	inBubble(t, "a group that another consumer began: a partition without a commit begins at its beginning", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		for p := range int32(2) {
			b.Produce("t", membroker.Record{Partition: p}, membroker.Record{Partition: p})
		}
		b.SetCommitted("g", "t", 0, 1, "of another client")
		r := newRig(t, b, startingAt(driver.AtEnd), nil).start()
		pass(2 * time.Second)
		if got := r.seen(0) + r.seen(1); got != "[1][0 1]" {
			t.Errorf("handled %s, want [1][0 1]", got)
		}
		r.mustStop()
	})
	inBubble(t, "commits that expired let StartingPosition apply again", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newRig(t, b, startingAt(driver.AtEnd), nil).start()
		b.Produce("t", numbered(2)...)
		pass(2 * time.Second)
		r.mustStop()
		b.SetCommitted("g", "t", 0, -1, "")
		b.Produce("t", numbered(2)...)
		r = newRig(t, b, startingAt(driver.AtEnd), nil).start()
		b.Produce("t", numbered(1)...)
		pass(2 * time.Second)
		if got := r.seen(0); got != "[4]" {
			t.Errorf("handled %s, want [4]", got)
		}
		r.mustStop()
	})
}

func offsetsLostInto(s *[]string) Option {
	return WithHooks(observe.Hooks{OffsetsLost: func(i observe.OffsetsLostInfo) {
		*s = append(*s, fmt.Sprintf("%s %s %d→%d lost %d", i.TopicPartition, i.Why, i.From, i.To, i.Lost))
	}})
}

func TestOutOfRange(t *testing.T) {
	inBubble(t, "retention took records before they were read", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(10)...)
		b.DeleteRecords("t", 0, 6)
		b.SetCommitted("g", "t", 0, 2, "")
		var lost []string
		r := newRig(t, b, defaults(), nil, offsetsLostInto(&lost)).start()
		pass(3 * time.Second)
		wantLines(t, "lost", lost, "t-0 retention 2→6 lost 4")
		if got := r.seen(0); got != "[6 7 8 9]" {
			t.Errorf("handled %s", got)
		}
		if m := r.runner.Metrics(); m.LostEventCount != 4 {
			t.Errorf("LostEventCount %d, want 4", m.LostEventCount)
		}
		r.mustStop()
	})
	inBubble(t, "the log was cut below the commit: go on at its end", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(5)...)
		b.SetCommitted("g", "t", 0, 9, "")
		var lost []string
		r := newRig(t, b, defaults(), nil, offsetsLostInto(&lost)).start()
		pass(3 * time.Second)
		b.Produce("t", numbered(1)...)
		pass(3 * time.Second)
		wantLines(t, "lost", lost, "t-0 truncation 9→5 lost 4")
		if got := r.seen(0); got != "[5]" || b.Committed("g", "t", 0).Offset != 6 {
			t.Errorf("handled %s, committed %d; want [5] and 6", got, b.Committed("g", "t", 0).Offset)
		}
		r.mustStop()
	})
	inBubble(t, "the log was cut under records that wait: no commit passes what came in their place", func(t *testing.T) {
		var mu sync.Mutex
		cut := false
		var past []string
		handled := make(map[string]bool)
		now := []string{"v0", "v1", "n2", "n3"} // the log after the truncation
		b := membroker.NewBroker(t, membroker.OnCommit(func(i membroker.CommitInfo) {
			mu.Lock()
			defer mu.Unlock()
			for o, v := range now {
				if cut && int64(o) < i.Offset && !handled[v] {
					past = append(past, fmt.Sprintf("%d passes %s", i.Offset, v))
				}
			}
		}))
		b.Produce("t", numbered(5)...)
		s := defaults()
		s.BatchSize = 1
		r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
			time.Sleep(10 * time.Second)
			mu.Lock()
			defer mu.Unlock()
			handled[string(e.Records["t-0"][0].Value)] = true
			return nil
		}).start()
		pass(5 * time.Second) // v0 is in flight, v1 to v4 wait
		b.Truncate("t", 0, 2)
		pass(2 * time.Second)
		b.Produce("t", membroker.Values("n2", "n3")...)
		mu.Lock()
		cut = true
		mu.Unlock()
		pass(3 * time.Minute)
		r.mustStop()
		wantLines(t, "commits", past)
		for _, v := range now {
			if !handled[v] {
				t.Errorf("%s was not handled", v)
			}
		}
		if k := b.Committed("g", "t", 0).Offset; k != 4 {
			t.Errorf("committed %d, want 4", k)
		}
	})
	inBubble(t, "a topic deleted and made again begins at its beginning", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(5)...)
		var lost []string
		r := newRig(t, b, startingAt(driver.AtEnd), nil, offsetsLostInto(&lost)).start()
		pass(3 * time.Second)
		b.RecreateTopic("t")
		b.Produce("t", numbered(3)...)
		pass(3 * time.Minute)
		if got := r.seen(0); got != "[0 1 2]" || b.Committed("g", "t", 0).Offset != 3 {
			t.Errorf("handled %s, committed %d; want [0 1 2] and 3", got, b.Committed("g", "t", 0).Offset)
		}
		wantLines(t, "lost", lost, "t-0 topic recreated 5→0 lost 0")
		r.mustStop()
	})
}
