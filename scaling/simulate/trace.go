package simulate

import (
	"fmt"
	"math"
	"time"

	"github.com/esm-go/esm/scaling"
)

// A Trace is a load and the environment that it meets, for [Simulate]. Functions of time take the virtual
// time since the start; a nil function has no effect. They must depend on nothing but their argument.
type Trace struct {
	// Name is one word, About one line.
	Name, About string

	// Partitions is the number of partitions, all assigned to this process.
	Partitions int
	// Weights are the partitions' shares of the load, in any unit. Nil: even.
	Weights []float64
	// Backlog is the number of records that are waiting at the start.
	Backlog int64
	// Rate is the mean arrival rate of all partitions together, in records per second. The simulator draws
	// each partition's arrivals around it (Poisson).
	Rate func(at time.Duration) float64
	// Duration is how long records arrive. The simulation continues until the load is drained, for at most
	// another hour.
	Duration time.Duration

	// Rises is when the load first rises, and Settles when it last changes. The drain time runs from Rises
	// until the last record from before Settles is resolved.
	Rises, Settles time.Duration
	// Changes is the number of changes of load or environment (start, rise, fall, failure, recovery). A
	// policy may reasonably reverse that many times.
	Changes int

	// BatchSize is the mapping's BatchSize.
	BatchSize int
	// Base and PerRecord are the mean time of an invocation: Base + n*PerRecord.
	// Variation is its coefficient of variation (lognormal).
	Base, PerRecord time.Duration
	Variation       float64
	// Slow multiplies the duration of invocations that start at that time.
	Slow func(at time.Duration) float64
	// Knee is the concurrency from which invocations slow down in proportion, as with a database behind the
	// handler. 0: none.
	Knee int
	// Limit is the function's concurrency; an invocation above it is throttled. 0: none.
	Limit func(at time.Duration) int
	// Fails reports whether invocations that start at that time fail.
	Fails func(at time.Duration) bool
	// FetchRate is the records per second that one poller can fetch. 0: no limit.
	FetchRate float64

	// Bounds limit the policy.
	Bounds scaling.Bounds
}

func (t *Trace) check() error {
	switch {
	case t.Partitions < 1:
		return fmt.Errorf("scaling: trace %q: Partitions is %d: want 1 or more", t.Name, t.Partitions)
	case t.BatchSize < 1:
		return fmt.Errorf("scaling: trace %q: BatchSize is %d: want 1 or more", t.Name, t.BatchSize)
	case t.Duration <= 0 || t.Duration > 24*time.Hour:
		return fmt.Errorf("scaling: trace %q: Duration is %s: want more than 0 and at most 24h", t.Name, t.Duration)
	case t.Base < 0 || t.PerRecord < 0 || t.Base+t.PerRecord <= 0:
		return fmt.Errorf("scaling: trace %q: Base %s + PerRecord %s: an invocation must take time", t.Name, t.Base, t.PerRecord)
	case t.Weights != nil && len(t.Weights) != t.Partitions:
		return fmt.Errorf("scaling: trace %q: %d Weights for %d partitions: want one each, or none", t.Name, len(t.Weights), t.Partitions)
	case t.Settles < t.Rises || t.Settles > t.Duration:
		return fmt.Errorf("scaling: trace %q: Settles is %s: want %s (Rises) to %s (Duration)", t.Name, t.Settles, t.Rises, t.Duration)
	}
	return nil
}

func (t *Trace) rate(at time.Duration) float64 {
	if t.Rate == nil {
		return 0
	}
	return max(t.Rate(at), 0)
}

func (t *Trace) slow(at time.Duration) float64 {
	if t.Slow == nil {
		return 1
	}
	return max(t.Slow(at), 0.001)
}

func (t *Trace) limit(at time.Duration) int {
	if t.Limit == nil {
		return math.MaxInt
	}
	if limit := t.Limit(at); limit > 0 {
		return limit
	}
	return math.MaxInt
}

func (t *Trace) fails(at time.Duration) bool { return t.Fails != nil && t.Fails(at) }

// shares returns the weights as fractions of 1.
func (t *Trace) shares() []float64 {
	shares := make([]float64, t.Partitions)
	var sum float64
	for i := range shares {
		shares[i] = 1
		if t.Weights != nil {
			shares[i] = max(t.Weights[i], 0)
		}
		sum += shares[i]
	}
	for i := range shares {
		shares[i] /= max(sum, math.SmallestNonzeroFloat64)
	}
	return shares
}

// within returns a function that is high from one time to another and low otherwise.
func within[T any](from, to time.Duration, high, low T) func(time.Duration) T {
	return func(at time.Duration) T {
		if at >= from && at < to {
			return high
		}
		return low
	}
}

// line returns a function through the points (seconds, value), linear between them and constant outside.
func line(points ...[2]float64) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		x := at.Seconds()
		if x <= points[0][0] {
			return points[0][1]
		}
		for i := 1; i < len(points); i++ {
			a, b := points[i-1], points[i]
			if x < b[0] {
				return a[1] + (b[1]-a[1])*(x-a[0])/(b[0]-a[0])
			}
		}
		return points[len(points)-1][1]
	}
}
