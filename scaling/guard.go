package scaling

import (
	"fmt"
	"time"
)

const (
	minimumNext = 100 * time.Millisecond
	maximumNext = 5 * time.Minute
	// staleAfter is how old a lag may be and still be the basis of a decision.
	staleAfter = 15 * time.Second
	// longestStep is the longest plausible time between two samples (twice the longest Next). Anything longer
	// is a clock jump or a machine that slept.
	longestStep = 10 * time.Minute
)

// Guarded is a [Policy] that keeps another one within its bounds. Create it with [Guard].
type Guarded struct {
	policy Policy
	bounds Bounds
	fault  string // what was wrong with the bounds; reported until they change

	// StaleAfter is the age of a sample's lag above which the last decision is kept instead. 0 means the
	// default, 15 s.
	StaleAfter time.Duration

	virtual time.Time // time as the policy sees it: never goes back, never leaps
	last    time.Time // the previous sample's Time
	kept    Capacity  // the last decision's targets
	decided bool
}

// Guard wraps policy with the checks that must always hold: it enforces the bounds (capped at the assigned
// partitions), clamps nonsense, recovers a panic, smooths clock jumps, counts negative numbers as 0, and
// keeps the last decision when the lag is too old to act on. When it overrules the policy, the decision's
// Reason says so: [Clamped], [Panicked], [Stale], [NoPartitions] or [BadBounds].
//
// A nil policy means a *[Lambda]. Bad bounds do not fail: they are corrected (a maximum wins over its
// minimum) and reported. Call [Bounds.Validate] to reject them earlier.
func Guard(policy Policy, bounds Bounds) *Guarded {
	if policy == nil {
		policy = &Lambda{}
	}
	g := &Guarded{policy: policy}
	g.SetBounds(bounds)
	return g
}

// SetBounds changes the bounds, effective from the next sample.
func (g *Guarded) SetBounds(bounds Bounds) {
	g.bounds, g.fault = bounds, ""
	if err := bounds.Validate(); err != nil {
		g.fault = err.Error()
	}
}

// Decide asks the policy, and overrules it where necessary.
func (g *Guarded) Decide(s Sample) Decision {
	bounds := g.bounds.Resolve(len(s.Partitions))
	age, before := s.Time.Sub(s.LagTime), g.virtual
	s = g.clean(s, bounds)
	from := s.Capacity

	if len(s.Partitions) == 0 {
		g.rewind(before)
		return g.keep(from, bounds.Clamp(Capacity{}), Reason{Kind: NoPartitions}, 0)
	}
	stale := g.StaleAfter
	if stale <= 0 {
		stale = staleAfter
	}
	if !s.LagTime.IsZero() && (age > stale || age < -stale) {
		g.rewind(before)
		return g.keep(from, g.standing(from, bounds), Reason{Kind: Stale, Age: max(age, -age)}, minimumNext*10)
	}

	d, fault := decide(g.policy, s)
	if fault != "" {
		return g.keep(from, g.standing(from, bounds), Reason{Kind: Panicked, Detail: fault}, 0)
	}
	to := bounds.Clamp(d.Capacity())
	switch {
	case to != d.Capacity():
		why := d.Reason
		why.From, why.To = from, d.Capacity()
		d.Reason = Reason{Kind: Clamped, Cause: &why, Detail: fmt.Sprintf(
			"%s and %s, outside %d to %d and %d to %d with %s", count("worker", d.Workers, d.Workers), count("poller", d.Pollers, d.Pollers),
			bounds.MinimumWorkers, bounds.MaximumWorkers, bounds.MinimumPollers, bounds.MaximumPollers, count("partition", len(s.Partitions), len(s.Partitions)))}
	case g.fault != "":
		why := d.Reason
		d.Reason = Reason{Kind: BadBounds, Cause: &why, Detail: g.fault}
	}
	return g.keep(from, to, d.Reason, d.Next)
}

// clean returns the sample with every value in its valid range.
func (g *Guarded) clean(s Sample, bounds Bounds) Sample {
	s.Bounds = bounds
	s.Capacity = Capacity{Workers: max(s.Capacity.Workers, 0), Pollers: max(s.Capacity.Pollers, 0)}
	s.Completed, s.BufferedBytes = max(s.Completed, 0), max(s.BufferedBytes, 0)
	s.Invocations, s.Throttles = max(s.Invocations, 0), max(s.Throttles, 0)
	s.Errors = min(max(s.Errors, 0), s.Invocations)
	s.InvocationTime, s.OldestAge = max(s.InvocationTime, 0), max(s.OldestAge, 0)
	s.Busy, s.BatchSize = max(s.Busy, 0), max(s.BatchSize, 0)

	// The policy's clock advances by plausible steps only. A leap counts as one second: the rates of that
	// sample are then too high for a moment. Otherwise the estimate would be too low for minutes.
	step := s.Time.Sub(g.last)
	switch {
	case g.last.IsZero():
		g.virtual = s.Time
	case step <= 0 || step > longestStep:
		g.virtual = g.virtual.Add(time.Second)
	default:
		g.virtual = g.virtual.Add(step)
	}
	g.last = s.Time
	s.Time = g.virtual
	return s
}

// rewind takes back the time of a sample that the policy does not see, so that the counts of the next one are
// spread over their own interval only.
func (g *Guarded) rewind(before time.Time) {
	if !before.IsZero() {
		g.virtual = before
	}
}

// standing returns the last decision or, before the first, what runs now.
func (g *Guarded) standing(from Capacity, bounds Bounds) Capacity {
	if g.decided {
		return bounds.Clamp(g.kept)
	}
	return bounds.Clamp(from)
}

func (g *Guarded) keep(from, to Capacity, why Reason, next time.Duration) Decision {
	g.kept, g.decided = to, true
	why.From, why.To = from, to
	if next <= 0 {
		next = 5 * time.Second
	}
	return Decision{Workers: to.Workers, Pollers: to.Pollers, Reason: why, Next: min(max(next, minimumNext), maximumNext)}
}

// decide asks the policy and turns a panic into a message.
func decide(p Policy, s Sample) (d Decision, fault string) {
	defer func() {
		if v := recover(); v != nil {
			fault = fmt.Sprint(v)
		}
	}()
	return p.Decide(s), ""
}
