package commit

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
)

// growing are the pauses after consecutive failures.
var growing = []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond,
	1600 * time.Millisecond, 3200 * time.Millisecond, 5 * time.Second, 5 * time.Second}

// An accepted position is reported, counted by offsets, and not committed again.
func TestAccepted(t *testing.T) {
	c, now := prepared(0), time.Now()
	p, first := running(0, 50, 30), running(1, 7, -1)
	c.Mark(p)
	c.Mark(first)
	r := mustBegin(t, c, now)
	o := answer(c, now.Add(5*time.Millisecond), r, nil)
	if o.Info.Err != nil || o.Info.Duration != 5*time.Millisecond || !maps.Equal(o.Info.Offsets, map[event.TopicPartition]int64{p.TopicPartition: 50, first.TopicPartition: 7}) {
		t.Errorf("told of %+v", o.Info)
	}
	if o.Records != 20 { // nobody knows how many there were before the first commit
		t.Errorf("the positions moved by %d offsets, want 20", o.Records)
	}
	if len(o.Started)+len(o.Failed)+len(o.Lost) != 0 {
		t.Errorf("an accepted commit means %+v", o)
	}
	if p.Committed != 50 || first.Committed != 7 {
		t.Errorf("committed %d and %d", p.Committed, first.Committed)
	}
	c.Mark(p)
	if r := begin(c, now.Add(time.Minute)); r != nil {
		t.Errorf("committed again: %+v", r.Commits)
	}
}

// A position that moved while its commit was in flight is committed next, even if the partition was not marked.
func TestMovedDuringTheCommit(t *testing.T) {
	c, now := prepared(0), time.Now()
	p := running(0, 5, 3)
	c.Mark(p)
	r := mustBegin(t, c, now)
	p.Next = 8
	answer(c, now, r, nil)
	if got := offsets(begin(c, now.Add(time.Second))); !maps.Equal(got, map[int32]int64{0: 8}) {
		t.Errorf("commits %v, want 8", got)
	}
}

// An accepted start lets its partition run, unless the partition was or is being revoked.
func TestAcceptedStarts(t *testing.T) {
	c, now := prepared(0), time.Now()
	living, going, gone := starting(0, 5), starting(1, 6), starting(2, 7)
	for _, p := range []*partition.Partition{living, going, gone} {
		c.Begin(p)
	}
	r := mustBegin(t, c, now)
	going.Phase = partition.Draining
	end(gone)
	o := answer(c, now, r, nil)
	if !slices.Equal(numbers(o.Started), []int32{0}) || len(o.Failed)+len(o.Lost) != 0 || o.Records != 0 {
		t.Errorf("accepted starts mean %+v", o)
	}
	if f := living.Found; f.Committed != 5 || !f.Noted {
		t.Errorf("the start is %+v, and the group has it", f)
	}
	if going.Next != 6 || going.Committed != 6 {
		t.Errorf("of a partition that goes %d is committed, its next offset is %d", going.Committed, going.Next)
	}
	c.Mark(going)
	if r := begin(c, now.Add(time.Minute)); r != nil {
		t.Errorf("committed again: %+v", r.Commits)
	}
}

// After a commit that failed as a whole, or a stale member, nothing is committed for 100 ms, then twice as long after each
// consecutive failure, up to 5 s. A success resets the pause.
func TestFailedAsAWhole(t *testing.T) {
	p, q := running(0, 5, 3), running(1, 5, 3)
	mixed := refusal(driver.KindAuthorization, p, q)
	var refused *driver.CommitError
	if !errors.As(mixed, &refused) {
		t.Fatal(mixed)
	}
	refused.Partitions[q.TopicPartition].Kind = driver.KindStaleMember
	for name, err := range map[string]error{
		"no answer":               errBroker,
		"fenced":                  refusal(driver.KindStaleMember, p, q),
		"one fenced, one refused": mixed,
	} {
		t.Run(name, func(t *testing.T) {
			c, now := prepared(0), time.Now()
			p, q := running(0, 5, 3), running(1, 5, 3)
			c.Mark(p)
			c.Mark(q)
			r := mustBegin(t, c, now)
			for range 2 {
				for _, pause := range growing {
					o := answer(c, now, r, err)
					if !slices.Equal(numbers(o.Failed), []int32{0, 1}) || len(o.Lost) != 0 || o.Info.Err == nil || p.Committed != 3 {
						t.Fatalf("a failed commit means %+v", o)
					}
					if !c.Failing() || c.StartsFail() {
						t.Fatal("the last commit failed, and no start is in it")
					}
					now = now.Add(pause)
					if c.Advance(now.Add(-1), true, false); takeRequest(c) != nil {
						t.Fatal("what is urgent does not wait after an error")
					}
					if r = beginsAt(t, c, now); !maps.Equal(offsets(r), map[int32]int64{0: 5, 1: 5}) || c.Failing() {
						t.Fatalf("commits %v again; failing with that under way: %v", offsets(r), c.Failing())
					}
				}
				answer(c, now, r, nil)
				p.Committed, q.Committed = 3, 3
				c.Mark(p)
				c.Mark(q)
				now = now.Add(time.Minute)
				r = mustBegin(t, c, now)
			}
		})
	}
}

// A start without an answer is committed again. A refused start is looked up again, because it may no longer hold.
func TestFailedStarts(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(p *partition.Partition) error
		lost bool
	}{
		"no answer": {func(*partition.Partition) error { return errBroker }, false},
		"refused":   {func(p *partition.Partition) error { return refusal(driver.KindAuthorization, p) }, true},
		"fenced":    {func(p *partition.Partition) error { return refusal(driver.KindStaleMember, p) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			commits, now := prepared(0), time.Now()
			p := starting(0, 9)
			commits.Begin(p)
			o := answer(commits, now, mustBegin(t, commits, now), c.fail(p))
			if !slices.Equal(numbers(o.Failed), []int32{0}) || len(o.Started) != 0 || (len(o.Lost) == 1) != c.lost {
				t.Fatalf("a failed start means %+v", o)
			}
			retry := now.Add(100 * time.Millisecond)
			if !o.Again.Equal(retry) {
				t.Errorf("again at %v, want %v", o.Again, retry)
			}
			if commits.StartsFail() == c.lost || (p.Found == nil) != c.lost {
				t.Errorf("a start waits to be committed: %v, it is %+v", commits.StartsFail(), p.Found)
			}
			if !c.lost {
				if got := offsets(beginsAt(t, commits, retry)); !maps.Equal(got, map[int32]int64{0: 9}) {
					t.Errorf("commits %v", got)
				}
			} else if r := begin(commits, now.Add(time.Minute)); r != nil {
				t.Errorf("a start that is looked up again is committed: %+v", r.Commits)
			}
		})
	}
}

// A refused position does not affect the others. It is committed again after a pause that doubles up to 5 s.
func TestRefused(t *testing.T) {
	c, now := prepared(0), time.Now()
	refused, other := running(0, 5, 3), running(1, 5, 3)
	c.Mark(refused)
	c.Mark(other)
	r := mustBegin(t, c, now)
	for _, pause := range growing {
		o := answer(c, now, r, refusal(driver.KindAuthorization, refused))
		if !slices.Equal(numbers(o.Failed), []int32{0}) || len(o.Lost) != 0 || refused.Committed != 3 {
			t.Fatalf("a refusal means %+v", o)
		}
		if other.Committed != other.Next {
			t.Fatalf("of the other partition %d is committed, the group has %d", other.Committed, other.Next)
		}
		if c.Failing() || c.StartsFail() {
			t.Error("a refusal of one partition is a failure of all commits")
		}
		retry := now.Add(pause)
		if !o.Again.Equal(retry) {
			t.Fatalf("again after %v, want %v", o.Again.Sub(now), pause)
		}
		if again := c.Advance(now, false, false); !again.Equal(retry) {
			t.Fatalf("Advance is to be called again at %v, want %v", again, retry)
		}
		r = beginsAt(t, c, retry)
		if got := offsets(r); !maps.Equal(got, map[int32]int64{0: 5}) {
			t.Fatalf("commits %v again, want the one refused", got)
		}
		now = retry
	}
	answer(c, now, r, nil)
	refused.Next = 7
	c.Mark(refused)
	if o := answer(c, now, mustBegin(t, c, now), refusal(driver.KindOther, refused)); !o.Again.Equal(now.Add(100 * time.Millisecond)) {
		t.Errorf("after a success the first pause is %v", o.Again.Sub(now))
	}
	end(refused)
	if r := begin(c, now.Add(time.Minute)); r != nil {
		t.Errorf("commits what was refused of a partition that has gone: %+v", r.Commits)
	}
}

// Other positions are committed while a refused one waits.
func TestOthersGoOnAfterARefusal(t *testing.T) {
	c, now := prepared(0), time.Now()
	refused, other := running(0, 5, 3), running(1, 5, 3)
	c.Mark(refused)
	c.Mark(other)
	answer(c, now, mustBegin(t, c, now), refusal(driver.KindAuthorization, refused))
	other.Next = 6
	c.Mark(other)
	if got := offsets(begin(c, now.Add(time.Millisecond))); !maps.Equal(got, map[int32]int64{1: 6}) {
		t.Errorf("commits %v, want the other partition's position", got)
	}
}

// An answer applies only to the assignment of its request: it changes nothing in a later one, and its refusal is not a failure.
func TestAnswersOfAnEarlierAssignment(t *testing.T) {
	for name, err := range map[string]error{"accepted": nil, "no answer": errBroker, "fenced": refusal(driver.KindStaleMember, running(0, 0, 0), running(1, 0, 0))} {
		t.Run(name, func(t *testing.T) {
			c, now := prepared(0), time.Now()
			old, oldStart := running(0, 60, 3), starting(1, 9)
			c.Mark(old)
			c.Begin(oldStart)
			r := mustBegin(t, c, now)
			end(old)
			end(oldStart)
			now = now.Add(time.Second)
			next, nextStart := running(0, 40, 40), starting(1, 4) // another member went on from 40
			o := answer(c, now, r, err)
			if len(o.Started)+len(o.Failed)+len(o.Lost) != 0 || c.Failing() {
				t.Errorf("an answer of an earlier assignment means %+v", o)
			}
			if next.Committed != 40 || next.Next != 40 || nextStart.Found.Committed != -1 {
				t.Errorf("an answer of an earlier assignment changed %+v and %+v", next, nextStart)
			}
			if r := begin(c, now.Add(time.Minute)); r != nil {
				t.Errorf("commits %+v", r.Commits)
			}
		})
	}
}

// Errors are forgotten when nothing is left to retry.
func TestForget(t *testing.T) {
	c, now := prepared(0), time.Now()
	p, q := running(0, 5, 3), starting(1, 9)
	c.Mark(p)
	c.Begin(q)
	answer(c, now, mustBegin(t, c, now), errBroker)
	if !c.Failing() || !c.StartsFail() {
		t.Fatal("the last commit failed, and a start is in it")
	}
	if c.Forget(); c.Failing() || c.StartsFail() {
		t.Error("failing, and the errors are forgotten")
	}
}
