package franz

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
)

// Start begins or moves partitions. It does not wait: the poll goroutine tells the client.
func (c *consumer) Start(starts []driver.Start) {
	c.mark(func(a *assignment) {
		for _, s := range starts {
			p := a.get(s.TopicPartition)
			if p == nil {
				continue
			}
			p.start, p.started, p.moving = s, true, true
			p.recreated, p.suspended = false, time.Time{}
			a.dirty[p] = struct{}{}
			c.report.clear(partitionCondition(s.TopicPartition))
		}
		close(a.changed)
		a.changed = make(chan struct{})
	})
}

// Pause stops fetching partitions. What the client holds of them is dropped and read again after Resume.
func (c *consumer) Pause(list []driver.TopicPartition) { c.setPaused(list, true) }

// Resume continues partitions where their last returned run ended.
func (c *consumer) Resume(list []driver.TopicPartition) { c.setPaused(list, false) }

func (c *consumer) setPaused(list []driver.TopicPartition, paused bool) {
	c.mark(func(a *assignment) {
		for _, tp := range list {
			if p := a.get(tp); p != nil && p.paused != paused {
				p.paused = paused
				a.dirty[p] = struct{}{}
			}
		}
	})
}

// mark changes the assignment and wakes the poll goroutine to apply it.
func (c *consumer) mark(change func(*assignment)) {
	c.assigned.mu.Lock()
	change(&c.assigned)
	c.assigned.mu.Unlock()
	c.waker.wake()
}

// soon is the delay before a move is retried that could not be completed.
const soon = 2 * time.Millisecond

// apply tells the client what changed in the assignment. It returns how long to wait at most until the next call, or 0
// if none is needed. Only the poll goroutine calls it, so no record is taken between a change of position in the client
// and its update here.
func (c *consumer) apply() (again time.Duration) {
	a := &c.assigned
	a.mu.Lock()
	if len(a.dirty) == 0 {
		a.mu.Unlock()
		return 0
	}
	var moving []*partition
	for p := range a.dirty {
		if p.moving && p.placed {
			moving = append(moving, p)
		}
	}
	a.mu.Unlock()
	if len(moving) > 0 && !c.move(moving) {
		again = soon
	}

	now := time.Now()
	var pause, resume []driver.TopicPartition
	a.mu.Lock()
	for p := range a.dirty {
		if wait := p.suspended.Sub(now); !p.suspended.IsZero() && wait > 0 {
			again = shorter(again, wait)
		} else {
			p.suspended = time.Time{}
		}
		if pausing := !p.started || !p.live || p.paused || !p.suspended.IsZero(); pausing != p.fetchPaused {
			p.fetchPaused = pausing
			if pausing {
				pause = append(pause, p.TopicPartition)
			} else {
				resume = append(resume, p.TopicPartition)
			}
		}
		if p.suspended.IsZero() && (!p.moving || !p.placed) {
			delete(a.dirty, p)
		}
	}
	a.mu.Unlock()
	if len(pause) > 0 {
		c.client.PauseFetchPartitions(unflatten(pause))
	}
	if len(resume) > 0 {
		c.client.ResumeFetchPartitions(unflatten(resume))
	}
	return again
}

// move sets the client's cursors to the partitions' starts. It returns false if some got another Start meanwhile and
// must be moved again.
func (c *consumer) move(list []*partition) (all bool) {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	told := make(map[*partition]driver.Start, len(list))
	c.assigned.mu.Lock()
	for _, p := range list {
		if offsets[p.Topic] == nil {
			offsets[p.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[p.Topic][p.Partition] = kgo.EpochOffset{Epoch: p.start.LeaderEpoch, Offset: p.start.Offset}
		told[p] = p.start
	}
	c.assigned.mu.Unlock()

	c.client.SetOffsets(offsets) // drops everything that the client holds

	c.assigned.mu.Lock()
	defer c.assigned.mu.Unlock()
	all = true
	for p, start := range told {
		p.live, p.epoch, p.next = true, start.Epoch, start.Offset
		p.moving = p.start != start
		all = all && !p.moving
	}
	return all
}

func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b < a {
		return b
	}
	return a
}
