package esm

import "time"

// CircuitBreaker stops the intake while the handler fails everywhere; see WithCircuitBreaker.
type CircuitBreaker struct {
	// Failures in a row, with no success between them on any partition, open the circuit. Default 20.
	Failures int
	// Cooldown is how long nothing is invoked and nothing fetched before one batch is tried. Default 30 s.
	Cooldown time.Duration
}

// breaker is the circuit's state. Owned by the loop; clockless.
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
