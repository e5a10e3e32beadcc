package commit

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
)

const (
	// Timeout bounds one commit.
	Timeout = 15 * time.Second
	// refreshInterval is how often positions are committed that did not change. Brokers before 2.1 expire commits after
	// offsets.retention.minutes (by default a day, before 2.0) even while the group lives. Later brokers do when all
	// members have left. A refresh also brings an Update's fingerprint to commits that do not move.
	refreshInterval = time.Hour
)

// Commits decides what to commit and when. Only the loop uses it, except for Run and Began.
type Commits struct {
	// Answers has the result of the pending request, for Take.
	Answers  chan Result
	requests chan Request // holds one; at most one is pending
	began    atomic.Int64 // when the client's current commit began, in Unix nanoseconds; 0 = there is none
	interval time.Duration
	rng      *rand.Rand

	// dirty are the partitions whose position may have moved. underWay is the request that has not returned.
	dirty    []*partition.Partition
	underWay *Request
	after    time.Time // no commit before this, after an error
	pause    time.Time // nor before this, unless a revocation or a stop waits for it
	errors   int
	// begun are partitions whose start was found and must be committed before they run. refused are those whose position
	// was refused while others were accepted. They are not committed before refusedAfter, unless a revocation or a stop
	// waits for it.
	begun        []*partition.Partition
	refused      []*partition.Partition
	refusedAfter time.Time
	refusals     int
	refresh      time.Time // when all positions are committed again
	noted        string    // the mapping's fingerprint in the last commits
}

// Result is the answer to a request.
type Result struct {
	Request
	Err  error
	Took time.Duration
}

// Init prepares c for use. interval is the least time between two commits, rng the loop's.
func (c *Commits) Init(interval time.Duration, rng *rand.Rand) {
	c.interval, c.rng = interval, rng
	c.requests, c.Answers = make(chan Request, 1), make(chan Result, 1)
	c.refresh = time.Now().Add(refreshInterval)
}

// Client commits offsets.
type Client interface {
	Commit(ctx context.Context, commits []driver.Commit) error
}

// Run is the commit goroutine. It returns after closed is closed. A commit can wait as long as the broker is away, and
// nothing else may.
func (c *Commits) Run(ctx context.Context, client Client, closed <-chan struct{}) {
	for {
		select {
		case r := <-c.requests:
			commitCtx, cancel := context.WithTimeout(ctx, Timeout)
			c.began.Store(time.Now().UnixNano())
			err := r.Send(commitCtx, client)
			c.began.Store(0)
			cancel()
			select {
			case c.Answers <- Result{r, err, time.Since(r.Began)}:
			case <-closed:
				return
			}
		case <-closed:
			return
		}
	}
}

// Began returns when the client's current commit began, in Unix nanoseconds, or 0 if there is none. Any goroutine may
// call it.
func (c *Commits) Began() int64 { return c.began.Load() }

// UnderWay returns the request that has not been answered, nil if there is none.
func (c *Commits) UnderWay() *Request { return c.underWay }

// Mark adds a partition to those to check for the next commit.
func (c *Commits) Mark(p *partition.Partition) {
	if !p.Marked {
		p.Marked = true
		c.dirty = append(c.dirty, p)
	}
}

// Begin has the found start of a partition committed before it runs.
func (c *Commits) Begin(p *partition.Partition) { c.begun = append(c.begun, p) }

// Failing reports whether the last request failed and no other is pending.
func (c *Commits) Failing() bool { return c.errors > 0 && c.underWay == nil }

// StartsFail reports whether starts wait that could not be committed.
func (c *Commits) StartsFail() bool { return len(c.begun) > 0 && c.errors > 0 }

// Forget clears the error count when nothing is left to retry.
func (c *Commits) Forget() { c.errors = 0 }

// Advance starts the next commit when positions have moved, the last commit has returned, and the pause after it, which
// is proportional to its duration, is over. Starts and urgent commits do not wait for the pause. While stopping, no start
// is committed. Advance returns when to call it again.
func (c *Commits) Advance(now time.Time, urgent, stopping bool) (again time.Time) {
	again = c.retryRefused(now)
	if c.underWay != nil || len(c.dirty)+len(c.begun) == 0 {
		return again
	}
	after := c.after
	if c.pause.After(after) && !urgent && len(c.begun) == 0 {
		after = c.pause
	}
	if now.Before(after) {
		return earlier(again, after)
	}
	r := Request{Began: now}
	for _, p := range c.begun {
		if p.Alive && p.Phase == partition.Starting && p.Found != nil && !stopping {
			r.Add(p, p.Found.Offset, p.Found.LeaderEpoch, c.words(p))
		}
	}
	clear(c.begun)
	c.begun = c.begun[:0]
	held := c.dirty[:0]
	for _, p := range c.dirty {
		if p.Refused && p.Alive && !urgent {
			held = append(held, p)
			continue
		}
		p.Marked = false
		if p.Alive && (p.Dirty() || p.Renote && p.Phase == partition.Running) {
			r.Add(p, p.Position(), p.LeaderEpoch, c.words(p))
		}
	}
	clear(c.dirty[len(held):])
	c.dirty = held
	if len(r.Commits) == 0 {
		return again
	}
	c.underWay = &r
	c.requests <- r // never waits: at most one is pending, and the channel holds one
	return again
}

// words returns the metadata of a partition's commits.
func (c *Commits) words(p *partition.Partition) string {
	if p.Words == "" {
		p.Words = p.Note.Text(c.noted)
	}
	return p.Words
}

// Refresh has all positions committed again when that is due, and when the fingerprint in the commits is no longer the
// mapping's. due reports whether it was due.
func (c *Commits) Refresh(now time.Time, fingerprint string, parts map[event.TopicPartition]*partition.Partition) (due bool) {
	renamed := c.noted != fingerprint
	if due = !now.Before(c.refresh); due || renamed {
		c.noted = fingerprint
		if due {
			c.refresh = now.Add(refreshInterval)
		}
		for _, p := range parts {
			p.Words = ""
			if p.Phase == partition.Running {
				p.Renote = true
				c.Mark(p)
			}
		}
	}
	return due
}

// retryRefused has refused positions checked again when it is time. It returns the next time to check.
func (c *Commits) retryRefused(now time.Time) (again time.Time) {
	if len(c.refused) == 0 {
		return c.refresh
	}
	if now.Before(c.refusedAfter) {
		return earlier(c.refresh, c.refusedAfter)
	}
	for i, p := range c.refused {
		c.refused[i], p.Refused = nil, false
		if p.Alive {
			c.Mark(p)
		}
	}
	c.refused = c.refused[:0]
	return c.refresh
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
