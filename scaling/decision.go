package scaling

import "time"

// A Decision is the capacity that a [Policy] wants, why, and when it wants to be
// asked again.
type Decision struct {
	// Workers and Pollers are the targets. They are totals, not changes.
	Workers int
	Pollers int
	// Reason says why, with its numbers.
	Reason Reason
	// Next is how long to wait for the next sample. 0 lets the engine choose;
	// [Guard] keeps it from 100 ms to 5 minutes.
	Next time.Duration
}

// Capacity returns the targets.
func (d Decision) Capacity() Capacity { return Capacity{Workers: d.Workers, Pollers: d.Pollers} }

// A Policy decides from one sample what the capacity should be. It may hold
// state; it is called from one goroutine only, with samples in the order in
// which they were taken. It must not keep s.Partitions.
type Policy interface {
	Decide(s Sample) Decision
}

// PolicyFunc lets a function be a [Policy].
type PolicyFunc func(Sample) Decision

// Decide calls f.
func (f PolicyFunc) Decide(s Sample) Decision { return f(s) }
