package simulate

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/esm-go/esm/scaling"
)

// Options are the costs and the seed of a simulation. The zero value is a
// process whose workers start at once, and 3 s of stand-still for each change of
// pollers.
type Options struct {
	// Seed makes the run what it is: the same seed, trace and policy give the same
	// result. Policies that are compared should have the same seed, and then meet
	// the same arrivals.
	Seed uint64
	// WorkerStart is the delay from a decision to a worker more. Default 0.
	WorkerStart time.Duration
	// WorkerRebalance is how long nothing is handed out after a change of workers:
	// 0 for workers of a process, some seconds where a worker is a group member.
	WorkerRebalance time.Duration
	// PollerRebalance is the same for a change of pollers. Default 3 s; negative
	// for none.
	PollerRebalance time.Duration
	// Noiseless makes arrivals exactly the trace's rate, and invocations exactly
	// their mean time.
	Noiseless bool
}

// A Result is what came of a trace under a policy.
type Result struct {
	Trace string
	// DrainTime runs from when the load rose to when the last record from before
	// it settled was resolved. Drained is false when that did not happen within an
	// hour after the trace.
	DrainTime time.Duration
	Drained   bool
	// BacklogArea is the lag over time, in record-seconds: what all records waited
	// together.
	BacklogArea float64
	// WorkerSeconds is the capacity over time, whether busy or idle.
	WorkerSeconds float64
	// MaximumLag is the most records that waited, MaximumAge the longest that one did
	// (both as seen once a second).
	MaximumLag int64
	MaximumAge time.Duration
	// Changes is how often the target of workers changed, Reversals how often it
	// changed in the other direction than the time before. PollerChanges counts
	// rebalances.
	Changes, Reversals, PollerChanges int
	// Completed, Failed and Throttled count records, invocations and refusals.
	Completed, Failed, Throttled int64
	// Points is the course, one a second.
	Points []Point
	// Decisions are those that changed the capacity or the kind of reason.
	Decisions []Marked
}

// A Point is the state at a moment of a simulation.
type Point struct {
	At      time.Duration
	Lag     int64
	Arrival float64 // records per second
	Target  int     // workers asked for
	Workers int     // workers that run
	Busy    int
	Pollers int
}

// Marked is a decision and when it was taken.
type Marked struct {
	At time.Duration
	scaling.Decision
}

// Simulate runs the policy against the trace in virtual time, event by event:
// records arrive, workers take batches (the partition with the oldest record
// first; a batch takes further partitions only when there are more of them than
// idle workers), invocations end, partitions wait out a backoff. The policy is
// asked as often as it wants, behind a [Guard] with the trace's bounds.
//
// It returns an error when the trace is not usable.
func Simulate(trace Trace, policy scaling.Policy, options Options) (*Result, error) {
	if err := trace.check(); err != nil {
		return nil, err
	}
	const limit = time.Hour
	w := &world{
		trace: &trace, options: options,
		rng: rand.New(rand.NewPCG(options.Seed, 0x9e3779b97f4a7c15)),
		end: trace.Duration.Seconds(), limit: (trace.Duration + limit).Seconds(),
		result: &Result{Trace: trace.Name},
	}
	// The arrivals have a source of their own, so that they do not depend on what
	// the policy does.
	source := rand.New(rand.NewPCG(options.Seed, 1))
	if options.Noiseless {
		source, trace.Variation = nil, 0
	}
	w.arrivals = drawArrivals(&trace, source, int(math.Ceil(w.end)))
	w.policy = scaling.Guard(policy, trace.Bounds)
	w.start()
	w.run()
	return w.result, nil
}
