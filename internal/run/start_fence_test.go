package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// commitPortion is how many positions go into one request; as internal/stream has it.
const commitPortion = 1000

// A start that was looked up before the partition was revoked belongs to an ended assignment: a late commit of it would
// move the group back, or past what the new owner has not resolved.
func TestStartOfAnEndedAssignmentIsNotCommitted(t *testing.T) {
	inBubble(t, "revoked while its start was looked up", func(t *testing.T) {
		var mu sync.Mutex
		var strays []string
		b := membroker.NewBroker(t, membroker.OnCommit(func(i membroker.CommitInfo) {
			mu.Lock()
			defer mu.Unlock()
			if !i.Owned {
				strays = append(strays, fmt.Sprintf("%s at %d", i.TopicPartition, i.Offset))
			}
		}))
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(3)...)
		release, asked := make(chan struct{}), make(chan struct{})
		d := &tap{Driver: b.Driver()}
		d.listed = func([]driver.OffsetQuery, []driver.OffsetAnswer) {
			d.set(func(d *tap) { d.listed = nil })
			close(asked)
			<-release
		}
		x := newRig(t, b, startingAt(driver.AtEnd), nil, WithDriver(d)).launch()
		<-asked // and answered with 3
		y := newRig(t, b, startingAt(driver.AtEnd), nil).launch()
		pass(time.Second)
		b.Revoke()
		pass(2 * time.Second)
		b.Produce("t", numbered(5)...)
		pass(5 * time.Second)
		if got := y.seen(0); got != "[3 4 5 6 7]" {
			t.Fatalf("the new owner handled %s", got)
		}
		close(release)
		pass(5 * time.Second)
		mu.Lock()
		wantLines(t, "commits of partitions that were another's", strays)
		mu.Unlock()
		if k := b.Committed("g", "t", 0).Offset; k != 8 {
			t.Errorf("committed %d, want 8", k)
		}
		x.mustStop()
		y.mustStop()
	})
	inBubble(t, "lost while its start was being committed", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", commitPortion+500)
		release, sending := make(chan struct{}), make(chan struct{})
		var mu sync.Mutex
		var sizes []int
		d := &tap{Driver: b.Driver()}
		d.commit = func(commits []driver.Commit) {
			mu.Lock()
			sizes = append(sizes, len(commits))
			first := len(sizes) == 1
			mu.Unlock()
			if first {
				close(sending)
				<-release
			}
		}
		x := newRig(t, b, startingAt(driver.AtEnd), nil, WithDriver(d)).launch()
		<-sending
		b.Lose()
		pass(2 * time.Second) // it learns of it, rejoins and has the partitions again
		close(release)
		pass(5 * time.Second)
		mu.Lock()
		if want := []int{commitPortion, commitPortion, 500}; !slices.Equal(sizes, want) {
			t.Errorf("commits of %v positions, want %v: the rest of the first is of an assignment that was lost", sizes, want)
		}
		mu.Unlock()
		x.mustStop()
	})
}

// That a topic was recreated matters only to the current assignment. A day later, when the partition comes back from
// another member, it continues at a commit of the new topic.
func TestMadeAgainEndsWithTheAssignment(t *testing.T) {
	t.Parallel()
	inBubble(t, "the partition comes back after another member read it", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(5)...)
		d := &tap{Driver: b.Driver()}
		x := newRig(t, b, defaults(), nil, WithDriver(d), WithLagInterval(5*time.Second)).start()
		pass(3 * time.Second)
		d.set(func(d *tap) {
			d.committed = func([]driver.Committed) error {
				return &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("no coordinator")}
			}
		})
		b.RecreateTopic("t")
		b.Produce("t", numbered(8)...)
		pass(10 * time.Second) // x knows that it was recreated, but not where to start
		y := newRig(t, b, defaults(), nil, WithLagInterval(5*time.Second)).launch()
		pass(time.Second)
		b.Revoke()
		pass(10 * time.Second)
		if got := y.seen(0); got != "[0 1 2 3 4 5 6 7]" {
			t.Fatalf("the new owner handled %s of the new topic", got)
		}
		d.set(func(d *tap) { d.committed = nil })
		pass(24 * time.Hour)
		y.mustStop()
		pass(time.Minute)
		b.Produce("t", numbered(1)...)
		pass(10 * time.Second)
		if got := x.seen(0); got != "[0 1 2 3 4 8]" {
			t.Errorf("handled %s, want the old topic's five and what came last", got)
		}
		x.mustStop()
	})
}

// One recreation of a topic is applied once, whether client or engine noticed it first and however often it is
// reported.
func TestRecreatedTopicBeginsAgainOnce(t *testing.T) {
	for _, first := range []string{"the engine", "the client"} {
		inBubble(t, first+" notices first", func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.Produce("t", numbered(5)...)
			var lost []string
			r := newRig(t, b, defaults(), nil, WithLagInterval(20*time.Second), offsetsLostInto(&lost)).start()
			pass(3 * time.Second)
			tell := func() {
				b.Report("g", &driver.Error{Kind: driver.KindTopicRecreated, TopicPartition: event.TopicPartition{Topic: "t", Partition: -1}, Offset: -1})
			}
			b.RecreateTopic("t")
			b.Produce("t", numbered(300)...)
			if first == "the client" {
				tell()
			}
			pass(time.Minute)
			tell()
			pass(time.Minute)
			b.Produce("t", numbered(2)...)
			pass(time.Minute)
			var all []int64
			for o := range int64(5) {
				all = append(all, o)
			}
			for o := range int64(302) {
				all = append(all, o)
			}
			if want := fmt.Sprint(all); r.seen(0) != want {
				t.Errorf("handled %s, want each record once", r.seen(0))
			}
			if len(lost) != 1 {
				t.Errorf("told %q, want one", lost)
			}
			r.mustStop()
		})
	}
	inBubble(t, "what waited is counted as lost", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(5)...)
		var lost []string
		r := newRig(t, b, defaults(), func(ctx context.Context, _ event.KafkaEvent) error {
			<-ctx.Done()
			return ctx.Err()
		}, WithLagInterval(5*time.Second), offsetsLostInto(&lost)).start()
		pass(2 * time.Second)
		b.RecreateTopic("t")
		pass(10 * time.Second)
		wantLines(t, "lost", lost, "t-0 topic recreated 5→0 lost 5")
		r.mustStop()
	})
}

// A log that was truncated and has grown past the position again looks intact if only its bounds are checked.
func TestTruncatedLogThatGrewAgain(t *testing.T) {
	inBubble(t, "the client says where to go on", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(20)...)
		var lost []string
		r := newRig(t, b, defaults(), nil, offsetsLostInto(&lost)).start()
		pass(3 * time.Second)
		b.Truncate("t", 0, 10)
		var others []membroker.Record
		for i := range 15 {
			others = append(others, membroker.Record{Value: fmt.Appendf(nil, "n%d", 10+i)})
		}
		b.Produce("t", others...)
		pass(5 * time.Second)
		wantLines(t, "lost", lost, "t-0 truncation 20→10 lost 10")
		seen := make(map[string]bool)
		for _, e := range r.events() {
			for _, rec := range e.Records["t-0"] {
				seen[string(rec.Value)] = true
			}
		}
		for _, rec := range others {
			if !seen[string(rec.Value)] {
				t.Errorf("%s was not handled", rec.Value)
			}
		}
		if m, k := r.runner.Metrics(), b.Committed("g", "t", 0).Offset; m.LostEventCount != 10 || k != 25 {
			t.Errorf("LostEventCount %d and committed %d, want 10 and 25", m.LostEventCount, k)
		}
		r.mustStop()
	})
}

// If brokers have no topic ids, the client's report is the only evidence.
func TestRecreatedTopicWithoutIDs(t *testing.T) {
	inBubble(t, "the client says so", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(5)...)
		d := &tap{Driver: b.Driver(), topics: func(answers []driver.Topic) error {
			for i := range answers {
				answers[i].ID = [16]byte{}
			}
			return nil
		}}
		r := newRig(t, b, startingAt(driver.AtEnd), nil, WithDriver(d)).start()
		pass(3 * time.Second)
		b.RecreateTopic("t")
		b.Produce("t", numbered(3)...)
		b.Report("g", &driver.Error{Kind: driver.KindTopicRecreated, TopicPartition: event.TopicPartition{Topic: "t", Partition: -1}, Offset: -1})
		pass(10 * time.Second)
		if got, k := r.seen(0), b.Committed("g", "t", 0).Offset; got != "[0 1 2]" || k != 3 {
			t.Errorf("handled %s and committed %d, want all of the new topic", got, k)
		}
		r.mustStop()
	})
}

// A looked-up position has the leader epoch of its log, and so does its commit: a truncation below it is detected even
// if the log grows again before anything is read.
func TestTruncatedBeforeAnythingWasRead(t *testing.T) {
	for _, c := range []struct {
		name  string
		at    driver.OffsetAt
		lost  int64 // the log's start is moved there before the mapping asks
		again bool  // another process continues from the commit
	}{
		{"at the end", driver.AtEnd, 0, false},
		{"at the end, read on by another process", driver.AtEnd, 0, true},
		{"at a time", driver.OffsetAt(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()), 0, false},
		{"at the beginning, behind what retention took", driver.AtEarliest, 5, false},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			b.Produce("t", numbered(5)...)
			b.DeleteRecords("t", 0, c.lost)
			r := newRig(t, b, startingAt(c.at), nil).start()
			pass(3 * time.Second)
			if c.again {
				r.mustStop()
			}
			release := b.Hang(membroker.OpPoll)
			b.Truncate("t", 0, 2)
			b.Produce("t", numbered(8)...)
			release()
			if c.again {
				r = newRig(t, b, startingAt(c.at), nil).start()
			}
			pass(10 * time.Second)
			if got := r.seen(0); got != "[2 3 4 5 6 7 8 9]" {
				t.Errorf("handled %s, want 2 to 9", got)
			}
			r.mustStop()
		})
	}
}

// If a position does not exist, but exists again when the log's ends are looked up, reading continues there with the
// epoch of the last record read: the new records may belong to a different log.
func TestPositionThatExistsAgain(t *testing.T) {
	inBubble(t, "a client that did not notice the cut", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.MoveLeader("t", 0)
		b.Produce("t", numbered(6)...)
		var starts []driver.Start
		d := &tap{Driver: b.Driver()}
		r := newRig(t, b, defaults(), nil, WithDriver(d)).start()
		pass(3 * time.Second)
		d.set(func(d *tap) { d.started = func(s []driver.Start) { starts = append(starts, s...) } })
		b.Report("g", &driver.Error{Kind: driver.KindOffsetOutOfRange, TopicPartition: event.TopicPartition{Topic: "t"}, Offset: 6, Err: errors.New("script")})
		pass(3 * time.Second)
		if len(starts) != 1 || starts[0].Offset != 6 || starts[0].LeaderEpoch != 1 {
			t.Errorf("started at %+v, want 6 of epoch 1", starts)
		}
		r.mustStop()
	})
}

// A client that refuses every position is not given the next one in a loop.
func TestRefusedPositionsAreNotALoop(t *testing.T) {
	for _, kind := range []driver.Kind{driver.KindOffsetOutOfRange, driver.KindTruncated} {
		inBubble(t, kind.String(), func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			b.Produce("t", numbered(6)...)
			r := newRig(t, b, defaults(), nil).start()
			pass(3 * time.Second)
			n := b.Calls(membroker.OpListOffsets)
			began := time.Now()
			for time.Since(began) < time.Minute {
				b.Report("g", &driver.Error{Kind: kind, TopicPartition: event.TopicPartition{Topic: "t"}, Offset: -1, To: 0, Err: errors.New("script")})
				pass(10 * time.Millisecond)
			}
			if asked := b.Calls(membroker.OpListOffsets) - n; asked > 60 {
				t.Errorf("the broker was asked %d times in a minute", asked)
			}
			b.Produce("t", numbered(1)...)
			pass(10 * time.Second)
			if st := r.runner.Status(); st.SumOffsetLag != 0 || len(st.Conditions) > 0 {
				t.Errorf("it is not well again: %v", st)
			}
			r.mustStop()
		})
	}
}
