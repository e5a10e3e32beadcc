package simulate

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/esm-go/esm/scaling"
)

// Options are the costs and the seed of a simulation. The zero value is a process whose workers start at
// once, and that stands still for 3 s at each change of pollers.
type Options struct {
	// Seed determines the run: the same seed, trace and policy give the same result. Policies to be compared
	// should have the same seed, so that they get the same arrivals.
	Seed uint64
	// WorkerStart is the delay from a decision until an added worker runs. Default 0.
	WorkerStart time.Duration
	// WorkerRebalance is how long nothing is dispatched after a change of workers: 0 for workers of one
	// process, some seconds where each worker is a group member.
	WorkerRebalance time.Duration
	// PollerRebalance is the same for a change of pollers. Default 3 s; negative means none.
	PollerRebalance time.Duration
	// Noiseless makes arrivals exactly the trace's rate, and invocations exactly
	// their mean time.
	Noiseless bool
}

// A Result is the outcome of a trace under a policy.
type Result struct {
	Trace string
	// DrainTime is the time from Trace.Rises until the last record that arrived before Trace.Settles was
	// resolved. Drained is false if that did not happen within an hour after the trace.
	DrainTime time.Duration
	Drained   bool
	// BacklogArea is the lag over time, in record-seconds: the total waiting time of all records.
	BacklogArea float64
	// WorkerSeconds is the capacity over time, busy or idle.
	WorkerSeconds float64
	// MaximumLag is the most records that waited (sampled four times a second), MaximumAge the longest that
	// one waited (sampled once a second).
	MaximumLag int64
	MaximumAge time.Duration
	// Changes is how often the target of workers changed, Reversals how often it changed in the opposite
	// direction of the previous change. PollerChanges counts rebalances.
	Changes, Reversals, PollerChanges int
	// Completed counts records, Failed failed invocations, and Throttled refused ones.
	Completed, Failed, Throttled int64
	// Points are the states over time, one per second.
	Points []Point
	// Decisions are those that changed the capacity or the kind of reason.
	Decisions []Marked
}

// A Point is the state of a simulation at one moment.
type Point struct {
	At      time.Duration
	Lag     int64
	Arrival float64 // records per second
	Target  int     // workers asked for
	Workers int     // workers that run
	Busy    int
	Pollers int
}

// Marked is a decision and when it was made.
type Marked struct {
	At time.Duration
	scaling.Decision
}

// Simulate runs the policy against the trace in virtual time, event by event: records arrive, workers take
// batches, invocations end, partitions wait out a backoff. Workers serve the partition with the oldest record
// first; a batch takes in further partitions only when more of them have work than there are idle workers.
// The policy is asked as often as it wants, behind a [scaling.Guard] with the trace's bounds.
//
// It returns an error when the trace is invalid.
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
	// The arrivals have their own source of randomness, so that they do not depend on what the policy does.
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
