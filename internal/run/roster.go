package run

import (
	"slices"
	"sync"
)

// roster lists the pollers of this process in the order in which they joined: those that are alive, and the last one
// that ended, for its last snapshot. It is safe for concurrent use.
type roster struct {
	mu  sync.Mutex
	all []*poller // replaced, never changed
}

// list returns the pollers. The caller must not modify the slice.
func (c *roster) list() []*poller {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

func (c *roster) add(p *poller) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(slices.Clip(c.all), p)
}

func (c *roster) remove(p *poller) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = slices.DeleteFunc(slices.Clone(c.all), func(x *poller) bool { return x == p })
}

// nudge makes every member look again at the shared state. It never waits.
func (c *roster) nudge() {
	for _, p := range c.list() {
		p.member.Nudge()
	}
}
