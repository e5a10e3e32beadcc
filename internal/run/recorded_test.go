package run

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// recorder records the engine's calls to a client.
type recorder struct {
	driver.Driver
	mu      sync.Mutex
	starts  []driver.Start
	commits []driver.Commit
	// started, if set, is called instead of the client's Start.
	started func(driver.Start)
	// wrong are commits that do not belong to the client's current assignment.
	wrong []driver.Commit
}

func (d *recorder) Open(cfg driver.Config, l driver.Listener) (driver.Consumer, error) {
	c, err := d.Driver.Open(cfg, l)
	return &recorded{c, d}, err
}

type recorded struct {
	driver.Consumer
	d *recorder
}

func (c *recorded) Start(starts []driver.Start) {
	c.d.mu.Lock()
	c.d.starts = append(c.d.starts, starts...)
	told := c.d.started
	c.d.mu.Unlock()
	if told == nil {
		c.Consumer.Start(starts)
	}
	for i := 0; i < len(starts) && told != nil; i++ {
		told(starts[i])
	}
}

func (c *recorded) Commit(ctx context.Context, commits []driver.Commit) error {
	c.d.mu.Lock()
	c.d.commits = append(c.d.commits, commits...)
	for _, k := range commits {
		if k.Assignment != c.Member().Rebalances || k.Assignment == 0 {
			c.d.wrong = append(c.d.wrong, k)
		}
	}
	c.d.mu.Unlock()
	return c.Consumer.Commit(ctx, commits)
}

// A commit carries the leader epoch of the last record before it, and a start carries that of the commit, so that a
// truncation in between is detected.
func TestLeaderEpochs(t *testing.T) {
	inBubble(t, "from the record to the commit to the next start", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		s := defaults()
		s.Window = 5 * time.Second
		d := &recorder{Driver: b.Driver()}
		r := newRig(t, b, s, nil, WithDriver(d)).start()
		committed := func(when string, offset int64, epoch int32) {
			t.Helper()
			pass(10 * time.Second)
			if k := b.Committed("g", "t", 0); k.Offset != offset || k.LeaderEpoch != epoch {
				t.Errorf("%s: committed %d of epoch %d, want %d of %d", when, k.Offset, k.LeaderEpoch, offset, epoch)
			}
		}
		now := b.Committed("g", "t", 0).LeaderEpoch + 1 // of the start
		b.MoveLeader("t", 0)
		b.Produce("t", numbered(3)...)
		committed("of one leader", 3, now)
		b.Produce("t", numbered(2)...)
		b.MoveLeader("t", 0)
		b.Produce("t", numbered(2)...) // one batch of two epochs
		committed("a batch of two leaders", 7, now+1)
		b.MoveLeader("t", 0)
		b.Gap("t", 0, 2) // offsets without a record
		b.Produce("t", numbered(1)...)
		committed("of the third", 10, now+2)
		b.MoveLeader("t", 0)
		b.Gap("t", 0, 2)
		committed("of markers alone", 12, now+3)
		r.mustStop()

		d = &recorder{Driver: b.Driver()}
		r = newRig(t, b, s, nil, WithDriver(d)).start()
		pass(10 * time.Second)
		if len(d.starts) != 1 || d.starts[0].Offset != 12 || d.starts[0].LeaderEpoch != now+3 {
			t.Errorf("started at %+v, want 12 of epoch %d", d.starts, now+3)
		}
		b.Lose() // it comes back and commits its position again
		pass(2 * time.Hour)
		committed("again, an hour later", 12, now+3)
		r.mustStop()
	})
}

// Every commit names the assignment of its position, whatever has happened to the partition within it.
func TestCommitsBelongToTheirAssignment(t *testing.T) {
	inBubble(t, "a start, records, a log that is cut, a topic made again, a loss", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		d := &recorder{Driver: b.Driver()}
		r := newRig(t, b, defaults(), nil, WithDriver(d)).start()
		seen := 0
		for _, what := range []struct {
			name string
			do   func()
		}{
			{"records", func() { b.Produce("t", numbered(10)...) }},
			{"a cut", func() { b.Truncate("t", 0, 4); b.Produce("t", numbered(1)...) }},
			{"made again", func() { b.RecreateTopic("t"); b.Produce("t", numbered(5)...) }},
			{"lost", func() { b.Lose(); b.Produce("t", numbered(1)...) }},
			{"a rebalance", func() { b.Revoke(); b.Produce("t", numbered(1)...) }},
		} {
			what.do()
			pass(2 * time.Minute)
			d.mu.Lock()
			if len(d.commits) == seen || len(d.wrong) > 0 {
				t.Errorf("%s: %d commits, of another assignment: %+v", what.name, len(d.commits)-seen, d.wrong)
			}
			seen, d.wrong = len(d.commits), nil
			d.mu.Unlock()
		}
		r.mustStop()
	})
	inBubble(t, "one that reaches the client when its assignment has ended is refused", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var late bool
		d := &tap{Driver: b.Driver()}
		r := newRig(t, b, defaults(), nil, WithDriver(d)).start()
		pass(time.Second)
		d.set(func(d *tap) {
			d.commit = func(commits []driver.Commit) {
				if late || commits[0].Offset == 0 {
					return
				}
				late = true
				b.SetCommitted("g", "t", 0, 1, "") // as if another member had had it and was not done
				b.Lose()
				time.Sleep(5 * time.Second) // the partition comes back, and its commit waits for this one
				if k := b.Committed("g", "t", 0).Offset; k != 1 {
					t.Errorf("committed %d meanwhile", k)
				}
			}
		})
		b.Produce("t", numbered(4)...)
		var moved []int64
		for range 100 {
			pass(100 * time.Millisecond)
			if k := b.Committed("g", "t", 0).Offset; len(moved) == 0 || moved[len(moved)-1] != k {
				moved = append(moved, k)
			}
		}
		if got := r.seen(0); got != "[0 1 2 3 1 2 3]" || !late {
			t.Errorf("handled %s", got)
		}
		// The refusal belongs to an ended assignment: nothing is wrong, and the next commit is sent at once.
		if n := r.runner.Metrics().CommitErrorCount; n != 0 || len(kinds(r.runner.Status())) != 0 {
			t.Errorf("%d commit errors, conditions %v", n, kinds(r.runner.Status()))
		}
		if !slices.Equal(moved, []int64{0, 1, 4}) {
			t.Errorf("committed %v", moved)
		}
		r.mustStop()
	})
}

// A revocation commits at once what was just refused and would be retried later.
func TestRevocationTriesRefusedCommitsAgain(t *testing.T) {
	inBubble(t, "refused ten times, then revoked", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		d := &refuser{Driver: b.Driver()}
		r := newRig(t, b, defaults(), nil, WithDriver(d)).start()
		pass(time.Second)
		d.refuse.Store(true)
		b.Produce("t", membroker.Record{Partition: 0}, membroker.Record{Partition: 1})
		pass(40 * time.Second) // its pauses are several seconds by now
		before := r.runner.Metrics().CommitErrorCount
		for r.runner.Metrics().CommitErrorCount == before {
			pass(10 * time.Millisecond)
		}
		d.refuse.Store(false) // the next attempt is seconds away
		b.Revoke(event.TopicPartition{Topic: "t"})
		pass(100 * time.Millisecond)
		if k := b.Committed("g", "t", 0).Offset; k != 1 {
			t.Errorf("committed %d when the partition went", k)
		}
		r.mustStop()
	})
}

// Reports of positions that do not exist, as clients send them.
func TestReportsOfPositions(t *testing.T) {
	tp := event.TopicPartition{Topic: "t"}
	inBubble(t, "one that comes twice is one", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(10)...)
		var lost []string
		r := newRig(t, b, defaults(), nil, offsetsLostInto(&lost)).start()
		pass(3 * time.Second)
		b.Produce("t", numbered(10)...)
		b.DeleteRecords("t", 0, 14)
		report := &driver.Error{Kind: driver.KindOffsetOutOfRange, TopicPartition: tp, Offset: 10, Err: errors.New("out of range")}
		b.Report("", report, report)
		pass(10 * time.Second)
		if m := r.runner.Metrics().LostEventCount; len(lost) != 1 || m != 4 {
			t.Errorf("lost %q, %d counted; want one of 4", lost, m)
		}
		if k := b.Committed("g", "t", 0).Offset; k != 20 {
			t.Errorf("committed %d", k)
		}
		r.mustStop()
	})
	inBubble(t, "a client that goes on finding the log shorter is believed, and asked with pauses", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(10)...)
		d := &recorder{Driver: b.Driver()}
		r := newRig(t, b, defaults(), nil, WithDriver(d)).start()
		pass(3 * time.Second)
		d.mu.Lock()
		d.starts = nil
		d.mu.Unlock()
		for to := int64(9); to > 3; to-- {
			b.Report("", &driver.Error{Kind: driver.KindTruncated, TopicPartition: tp, Offset: to + 1, To: to, Err: errors.New("cut")})
		}
		pass(30 * time.Second)
		d.mu.Lock()
		defer d.mu.Unlock()
		for i, s := range d.starts {
			if i > 0 && s.Offset >= d.starts[i-1].Offset {
				t.Errorf("start %d is %+v, after %+v", i, s, d.starts[i-1])
			}
		}
		if n := len(d.starts); n < 4 || d.starts[3].Offset != 6 {
			t.Errorf("started at %+v, want 9, 8, 7 and then 6", d.starts)
		}
		r.mustStop()
	})
	inBubble(t, "a client that refuses every position", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3000)...)
		d := &recorder{Driver: b.Driver()}
		r := newRig(t, b, defaults(), nil, WithDriver(d)).start()
		pass(3 * time.Second)
		d.mu.Lock()
		told := 0
		d.starts, d.started = nil, func(s driver.Start) {
			if told++; told > 1000 { // otherwise virtual time would not pass
				return
			}
			b.Report("", &driver.Error{Kind: driver.KindTruncated, TopicPartition: tp, Offset: s.Offset, To: s.Offset - 1, Err: errors.New("cut")})
		}
		d.mu.Unlock()
		b.Report("", &driver.Error{Kind: driver.KindTruncated, TopicPartition: tp, Offset: 3000, To: 2999, Err: errors.New("cut")})
		pass(5 * time.Minute)
		d.mu.Lock()
		n := len(d.starts)
		d.started = nil
		d.mu.Unlock()
		if n < 30 || n > 150 {
			t.Errorf("%d starts in five minutes, want one each few seconds", n)
		}
		r.mustStop()
	})
	inBubble(t, "one after the other in a partition's life", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		var lost []string
		r := newRig(t, b, defaults(), nil, offsetsLostInto(&lost)).start()
		for range 3 {
			r.runner.Pause()
			pass(time.Second)
			b.Produce("t", numbered(10)...)
			b.DeleteRecords("t", 0, b.End("t", 0)-4)
			r.runner.Resume()
			pass(30 * time.Second)
		}
		wantLines(t, "lost", lost, "t-0 retention 0→6 lost 6", "t-0 retention 10→16 lost 6", "t-0 retention 20→26 lost 6")
		if k := b.Committed("g", "t", 0).Offset; k != 30 {
			t.Errorf("committed %d", k)
		}
		r.mustStop()
	})
}
