package esm

import (
	"slices"
	"sync"
	"time"
)

// crew are the members that live in this process, and what one of them has to know of the others beside the workers and
// the budget: ghosts.
type crew struct {
	mu      sync.Mutex
	members []*member // replaced, never changed
	// ghosts counts, for a partition, invocations of an assignment that has ended, whichever member's it was: a new one
	// waits for them, so that order holds within this process.
	ghosts map[TopicPartition]int
}

// list are the members, in the order in which they joined. It is not to be changed.
func (c *crew) list() []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.members
}

func (c *crew) add(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = append(slices.Clip(c.members), m)
}

func (c *crew) remove(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = slices.DeleteFunc(slices.Clone(c.members), func(x *member) bool { return x == m })
}

// nudge has every member look again at what they share. It never waits.
func (c *crew) nudge() {
	for _, m := range c.list() {
		select {
		case m.nudges <- struct{}{}:
		default:
		}
	}
}

// haunt notes that an invocation goes on whose assignment of the partition has ended.
func (c *crew) haunt(tp TopicPartition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ghosts == nil {
		c.ghosts = make(map[TopicPartition]int)
	}
	c.ghosts[tp]++
}

// haunted reports whether a partition has to wait. When it need not any longer, all members are nudged.
func (c *crew) haunted(tp TopicPartition) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ghosts[tp] > 0
}

// exorcise takes in that an invocation of an assignment that is over has ended.
func (c *crew) exorcise(tp TopicPartition) {
	c.mu.Lock()
	c.ghosts[tp]--
	last := c.ghosts[tp] == 0
	if last {
		delete(c.ghosts, tp)
	}
	c.mu.Unlock()
	if last {
		c.nudge()
	}
}

// nudged looks again at what the members share: partitions that waited for a handler of another life, and the circuit.
func (m *member) nudged() {
	now := time.Now()
	m.heed(now)
	for _, p := range m.parts {
		m.settle(p, now)
	}
}
