package limit

import (
	"sync"
	"time"

	"github.com/esm-go/esm/event"
)

// breaker is the circuit's state. It has no clock.
type breaker struct {
	failures int           // in a row, that open it
	cooldown time.Duration // before a trial invocation
	enabled  bool
	streak   int
	// failing has the partitions that failed in the streak. A single poison partition never opens the circuit while there
	// are others.
	failing map[event.TopicPartition]struct{}
	open    bool
	until   time.Time
}

// allows reports whether an invocation may begin while busy are in flight.
func (b *breaker) allows(now time.Time, busy int) bool {
	return !b.open || busy == 0 && !now.Before(b.until)
}

// succeeded records a successful invocation. It reports whether this closed the circuit.
func (b *breaker) succeeded() (closed bool) {
	closed = b.open
	b.open, b.streak = false, 0
	clear(b.failing)
	return closed
}

// failed records a failed invocation of some partitions. It reports whether this opened the circuit.
func (b *breaker) failed(now time.Time, parts []event.TopicPartition, assigned int) (opened bool) {
	if !b.enabled {
		return false
	}
	b.streak++
	for _, tp := range parts {
		b.failing[tp] = struct{}{}
	}
	if b.open {
		b.until = now.Add(b.cooldown)
		return false
	}
	if b.streak < b.failures || len(b.failing) < min(2, assigned) {
		return false
	}
	b.open, b.until = true, now.Add(b.cooldown)
	return true
}

// Circuit is the circuit breaker of a mapping, which its members share. A member follows it when it is nudged.
type Circuit struct {
	mu sync.Mutex
	breaker
	busy int // invocations in flight
}

// Begin sets the limits: this many failures in a row open the circuit (0 = never) for a cooldown.
func (c *Circuit) Begin(failures int, cooldown time.Duration) {
	c.failures, c.cooldown, c.enabled, c.failing = failures, cooldown, failures > 0, make(map[event.TopicPartition]struct{})
}

// Enter asks to begin an invocation. If ok, it has begun, and the caller must call Ended or Leave. If not, it may not
// begin before until or, if until is zero, before the members are nudged.
func (c *Circuit) Enter(now time.Time) (ok bool, until time.Time) {
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

// Leave ends what Enter began, without an outcome. It reports whether to nudge the members.
func (c *Circuit) Leave() (nudge bool) {
	if !c.enabled {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy--
	return c.open
}

// Ended ends what Enter began, with its outcome. It reports whether that opened or closed the circuit, after how many
// failures, and whether to nudge the members.
func (c *Circuit) Ended(now time.Time, ok bool, parts []event.TopicPartition, assigned int) (opened, closed, nudge bool, streak int) {
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

// IsOpen reports whether the circuit is open or half-open.
func (c *Circuit) IsOpen() bool {
	if !c.enabled {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// Shut reports whether the intake is stopped, and until when. An open circuit becomes half-open when its cooldown ends;
// what is to be tried then may have to be fetched first.
func (c *Circuit) Shut(now time.Time) (shut bool, until time.Time) {
	if !c.enabled {
		return false, until
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open && now.Before(c.until), c.until
}

// Stuck returns when an open circuit's cooldown ends. stuck reports whether the circuit is open and nothing is being
// tried.
func (c *Circuit) Stuck() (until time.Time, stuck bool) {
	if !c.enabled {
		return until, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until, c.open && c.busy == 0
}

// Abandon closes the circuit if its cooldown has ended and nothing is being tried. It reports whether it did. It is for a
// process that has nothing left to try the circuit with.
func (c *Circuit) Abandon(now time.Time) (closed bool) {
	if !c.enabled {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open && c.busy == 0 && !now.Before(c.until) && c.succeeded()
}

// Busy returns how many invocations are in flight, 0 if the circuit is disabled.
func (c *Circuit) Busy() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy
}
