package scaling

import "time"

// A Decision is the capacity that a [Policy] wants, the reason for it, and when the policy wants the next
// sample.
type Decision struct {
	// Workers and Pollers are the targets. They are totals, not changes.
	Workers int
	Pollers int
	// Reason says why, with the numbers behind it.
	Reason Reason
	// Next is how long to wait before the next sample. [Guard] replaces 0 by 5 s and keeps it between 100 ms and
	// 5 minutes.
	Next time.Duration
}

// Capacity returns the targets.
func (d Decision) Capacity() Capacity { return Capacity{Workers: d.Workers, Pollers: d.Pollers} }

// A Policy decides from one sample what the capacity should be. It may hold state: Decide is called from one
// goroutine only, with the samples in the order in which they were taken. It must not keep s.Partitions.
type Policy interface {
	Decide(s Sample) Decision
}

// PolicyFunc adapts a function to a [Policy].
type PolicyFunc func(Sample) Decision

// Decide calls f.
func (f PolicyFunc) Decide(s Sample) Decision { return f(s) }
