package esm

import (
	"slices"
	"sync"
	"time"
)

// roster lists the members that live in this process, and the partitions for which an invocation of an assignment that has
// ended still runs.
type roster struct {
	mu      sync.Mutex
	members []*member // replaced, never changed
	// orphans counts, for a partition, invocations of an assignment that has ended, whichever member's it was: a new one
	// waits for them, so that order holds within this process.
	orphans map[TopicPartition]int
}

// list are the members, in the order in which they joined. It is not to be changed.
func (c *roster) list() []*member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.members
}

func (c *roster) add(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = append(slices.Clip(c.members), m)
}

func (c *roster) remove(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = slices.DeleteFunc(slices.Clone(c.members), func(x *member) bool { return x == m })
}

// nudge has every member look again at what they share. It never waits.
func (c *roster) nudge() {
	for _, m := range c.list() {
		select {
		case m.nudges <- struct{}{}:
		default:
		}
	}
}

// hold notes that an invocation goes on whose assignment of the partition has ended.
func (c *roster) hold(tp TopicPartition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.orphans == nil {
		c.orphans = make(map[TopicPartition]int)
	}
	c.orphans[tp]++
}

// isHeld reports whether a partition has to wait. When it need not any longer, all members are nudged.
func (c *roster) isHeld(tp TopicPartition) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.orphans[tp] > 0
}

// letGo notes that an invocation of an assignment that is over has ended.
func (c *roster) letGo(tp TopicPartition) {
	c.mu.Lock()
	c.orphans[tp]--
	last := c.orphans[tp] == 0
	if last {
		delete(c.orphans, tp)
	}
	c.mu.Unlock()
	if last {
		c.nudge()
	}
}

// nudged looks again at what the members share: partitions that waited for a handler of another life, and the circuit.
func (m *member) nudged() {
	now := time.Now()
	m.followCircuit(now)
	for _, p := range m.parts {
		m.settle(p, now)
	}
}
