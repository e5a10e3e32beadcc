package commit

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// prepared returns Commits whose pauses after errors have no jitter.
func prepared(interval time.Duration) *Commits {
	c := new(Commits)
	c.Init(interval, nil)
	return c
}

// running returns running partition i, with everything before next resolved.
func running(i int32, next, committed int64) *partition.Partition {
	p := &partition.Partition{TopicPartition: event.TopicPartition{Topic: "t", Partition: i}, Alive: true, Phase: partition.Running,
		Next: next, Committed: committed, LeaderEpoch: -1, Assignment: 1}
	p.Owner = p
	return p
}

// starting returns partition i, whose start was found and which has no commit.
func starting(i int32, offset int64) *partition.Partition {
	p := running(i, -1, -1)
	p.Phase, p.Found = partition.Starting, &start.Answer{Offset: offset, LeaderEpoch: 7, Committed: -1}
	return p
}

// end ends an assignment of a partition.
func end(p *partition.Partition) {
	p.Alive = false
	p.Gone.Store(true)
}

// takeRequest receives the pending request, as the commit goroutine does; nil if there is none.
func takeRequest(c *Commits) *Request {
	select {
	case r := <-c.requests:
		return &r
	default:
		return nil
	}
}

// begin starts the next commit if it may start, and returns its request; otherwise nil.
func begin(c *Commits, now time.Time) *Request {
	c.Advance(now, false, false)
	return takeRequest(c)
}

// mustBegin is begin for a commit that must start now.
func mustBegin(t *testing.T, c *Commits, now time.Time) *Request {
	t.Helper()
	r := begin(c, now)
	if r == nil {
		t.Fatal("no commit begins")
	}
	return r
}

// beginsAt checks that the next commit starts at a time and not before, and that Advance returns that time. It returns the request.
func beginsAt(t *testing.T, c *Commits, at time.Time) *Request {
	t.Helper()
	early := at.Add(-time.Nanosecond)
	if again := c.Advance(early, false, false); !again.Equal(at) {
		t.Errorf("Advance is to be called again at %v, want %v", again, at)
	}
	if r := takeRequest(c); r != nil {
		t.Fatalf("a commit begins too early: %+v", r.Commits)
	}
	return mustBegin(t, c, at)
}

// answer applies the answer to a request.
func answer(c *Commits, now time.Time, r *Request, err error) Outcome {
	return c.Take(now, Result{Request: *r, Err: err, Took: now.Sub(r.Began)})
}

// refusal is a client's error for some partitions.
func refusal(kind driver.Kind, parts ...*partition.Partition) error {
	refused := make(map[event.TopicPartition]*driver.Error)
	for _, p := range parts {
		refused[p.TopicPartition] = &driver.Error{Kind: kind, TopicPartition: p.TopicPartition, Offset: -1, Err: errors.New("no")}
	}
	return &driver.CommitError{Partitions: refused}
}

var errBroker = errors.New("the coordinator does not answer")

// offsets returns a request's offsets by partition, -1 for a partition that is in it twice.
func offsets(r *Request) map[int32]int64 {
	all := make(map[int32]int64)
	if r == nil {
		return all
	}
	for _, one := range r.Commits {
		if _, twice := all[one.Partition]; twice {
			one.Offset = -1
		}
		all[one.Partition] = one.Offset
	}
	return all
}

// numbers returns the numbers of partitions.
func numbers(parts []*partition.Partition) []int32 {
	var all []int32
	for _, p := range parts {
		all = append(all, p.Partition)
	}
	return all
}
