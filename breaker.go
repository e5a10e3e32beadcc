package esm

import (
	"sync"
	"time"
)

// CircuitBreaker stops the intake while the handler fails everywhere; see WithCircuitBreaker.
type CircuitBreaker struct {
	// Failures in a row, with no success between them on any partition, open the circuit. Default 20.
	Failures int
	// Cooldown is how long nothing is invoked and nothing fetched. Then the circuit is half-open: fetching goes on, and one
	// batch at a time is tried, until one succeeds, which closes the circuit, or fails, which opens it for another
	// Cooldown. A partial failure counts as a success when more than half of the batch's records are done. Default 30 s.
	Cooldown time.Duration
}

// breaker is the circuit's state; clockless.
type breaker struct {
	CircuitBreaker
	enabled bool
	streak  int
	// partitions that failed in the streak: a single poison partition never opens the circuit while others are there.
	failing map[TopicPartition]struct{}
	open    bool
	until   time.Time
}

// allows reports whether an invocation may begin, with so many under way.
func (b *breaker) allows(now time.Time, busy int) bool {
	return !b.open || busy == 0 && !now.Before(b.until)
}

// succeeded notes that an invocation did; it reports whether this closed the circuit.
func (b *breaker) succeeded() (closed bool) {
	closed = b.open
	b.open, b.streak = false, 0
	clear(b.failing)
	return closed
}

// failed notes a failed invocation of some partitions; it reports whether this opened the circuit.
func (b *breaker) failed(now time.Time, parts []part, assigned int) (opened bool) {
	if !b.enabled {
		return false
	}
	b.streak++
	for _, p := range parts {
		b.failing[p.p.TopicPartition] = struct{}{}
	}
	if b.open {
		b.until = now.Add(b.Cooldown)
		return false
	}
	if b.streak < b.Failures || len(b.failing) < min(2, assigned) {
		return false
	}
	b.open, b.until = true, now.Add(b.Cooldown)
	return true
}

// circuit is the breaker of a mapping, which its members share. A member heeds it when it is nudged.
type circuit struct {
	mu sync.Mutex
	breaker
	busy int // invocations under way
}

// begin sets the limits.
func (c *circuit) begin(limits CircuitBreaker) {
	c.CircuitBreaker, c.enabled, c.failing = limits, limits.Failures > 0, make(map[TopicPartition]struct{})
}

// enter asks whether an invocation may begin; if so it has begun, and has to end. Else it may not before a time, or (a zero
// time) before the members are nudged.
func (c *circuit) enter(now time.Time) (ok bool, until time.Time) {
	if !c.enabled {
		return true, until
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.allows(now, c.busy) {
		c.busy++
		return true, until
	}
	if now.Before(c.until) {
		until = c.until
	}
	return false, until
}

// leave ends what enter began with no outcome; it reports whether the members are to be nudged.
func (c *circuit) leave() (nudge bool) {
	if !c.enabled {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	return c.open
}

// ended takes in the outcome of what enter began. It reports whether that opened or closed the circuit, with how many
// failures, and whether the members are to be nudged.
func (c *circuit) ended(now time.Time, ok bool, parts []part, assigned int) (opened, closed, nudge bool, streak int) {
	if !c.enabled {
		return false, false, false, 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	was := c.open
	if ok {
		closed = c.succeeded()
	} else {
		opened = c.failed(now, parts, assigned)
	}
	return opened, closed, was || c.open, c.streak
}

// isOpen reports whether the circuit is open, or half-open.
func (c *circuit) isOpen() bool {
	if !c.enabled {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// shut reports whether the intake is stopped, and until when: an open circuit is half-open when its cooldown is over, and
// what is to be tried then may have to be fetched first.
func (c *circuit) shut(now time.Time) (shut bool, until time.Time) {
	if !c.enabled {
		return false, until
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open && now.Before(c.until), c.until
}

// heed stops or resumes this member's intake as the circuit now stands. It runs on the loop.
func (m *member) heed(now time.Time) {
	shut, until := m.circuit.shut(now)
	if shut {
		m.at(until)
	}
	if shut == m.tripped {
		return
	}
	m.waitsForCircuit.Store(shut)
	if m.tripped = shut; shut {
		m.pauseAll(pausedByBreaker)
	} else {
		m.resumeAll(pausedByBreaker)
	}
}
