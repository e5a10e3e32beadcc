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
	// refreshInterval is how often positions are committed that did not change. Brokers before 2.1 let a commit expire after
	// offsets.retention.minutes though its group lives (a day by default, before 2.0), and all do where a group was left by
	// everybody. It also carries an Update's fingerprint to commits that stand still.
	refreshInterval = time.Hour
)

// Commits is what is to be committed, and when. But for Run and Began it is the loop's alone.
type Commits struct {
	// Answers has what became of the request under way, for Take.
	Answers  chan Result
	requests chan Request // holds one: one at most is under way
	began    atomic.Int64 // when the one at the client began, in Unix nanoseconds; 0 = there is none
	interval time.Duration
	rng      *rand.Rand

	// dirty are the partitions whose position may have moved; underWay the request that has not returned.
	dirty    []*partition.Partition
	underWay *Request
	after    time.Time // not before, after an error
	pause    time.Time // nor before this, unless a revocation or a stop waits for it
	errors   int
	// begun are partitions whose start was found and is to be committed before they run; refused those whose position was
	// not accepted when others' were, looked at again from refusedAfter on.
	begun        []*partition.Partition
	refused      []*partition.Partition
	refusedAfter time.Time
	refusals     int
	refresh      time.Time // when all positions are committed again
	noted        string    // the mapping's fingerprint in what was committed last
}

// Result is the answer to a request.
type Result struct {
	Request
	Err  error
	Took time.Duration
}

// Init makes it ready; interval is the least time between two commits, and rng the loop's.
func (c *Commits) Init(interval time.Duration, rng *rand.Rand) {
	c.interval, c.rng = interval, rng
	c.requests, c.Answers = make(chan Request, 1), make(chan Result, 1)
	c.refresh = time.Now().Add(refreshInterval)
}

// Client commits offsets.
type Client interface {
	Commit(ctx context.Context, commits []driver.Commit) error
}

// Run is the commit goroutine, until closed is: a commit can wait for as long as the broker is away, and nothing else may.
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

// Began is since when a commit has been at the client, in Unix nanoseconds; 0 when none is. Any goroutine may ask.
func (c *Commits) Began() int64 { return c.began.Load() }

// UnderWay returns the request that has not been answered, nil when there is none.
func (c *Commits) UnderWay() *Request { return c.underWay }

// Mark puts a partition on the list of those to look at for the next commit.
func (c *Commits) Mark(p *partition.Partition) {
	if !p.Marked {
		p.Marked = true
		c.dirty = append(c.dirty, p)
	}
}

// Begin has the start that was found for a partition committed, before it runs.
func (c *Commits) Begin(p *partition.Partition) { c.begun = append(c.begun, p) }

// Failing reports whether the last request failed and no other is under way.
func (c *Commits) Failing() bool { return c.errors > 0 && c.underWay == nil }

// StartsFail reports whether starts wait that could not be committed.
func (c *Commits) StartsFail() bool { return len(c.begun) > 0 && c.errors > 0 }

// Forget forgets errors that nothing is left to try again for.
func (c *Commits) Forget() { c.errors = 0 }

// Advance begins the next commit when positions moved, and the last one has returned and been followed by a pause in
// proportion: commits clock themselves. Starts wait for no pause, nor does anything that is urgent; in a stop nothing is
// started. It returns when to call it again.
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
	for i, p := range c.dirty {
		c.dirty[i] = nil
		p.Marked = false
		if p.Alive && (p.Dirty() || p.Renote && p.Phase == partition.Running) {
			r.Add(p, p.Position(), p.LeaderEpoch, c.words(p))
		}
	}
	c.dirty = c.dirty[:0]
	if len(r.Commits) == 0 {
		return again
	}
	c.underWay = &r
	c.requests <- r // never waits: one at most is under way, and the channel holds one
	return again
}

// words are the metadata of a partition's commits.
func (c *Commits) words(p *partition.Partition) string {
	if p.Words == "" {
		p.Words = p.Note.Text(c.noted)
	}
	return p.Words
}

// Refresh has all positions committed again when it is time, and when fingerprint says that what they carry is no longer true
// of the mapping. due says that it was time.
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

// retryRefused has positions that were refused looked at again, when it is time. It returns the next time to look.
func (c *Commits) retryRefused(now time.Time) (again time.Time) {
	if len(c.refused) == 0 {
		return c.refresh
	}
	if now.Before(c.refusedAfter) {
		return earlier(c.refresh, c.refusedAfter)
	}
	for i, p := range c.refused {
		c.refused[i] = nil
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
