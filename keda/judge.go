package keda

import (
	"time"

	"github.com/esm-go/esm/scaling"
)

// An answer is what KEDA gets, and what it is based on.
type answer struct {
	at       time.Time // of the reading
	replicas int
	active   bool
	reason   scaling.Reason
	summary  summary
	missed   string // topics that could not be read
}

// A judge turns readings into answers: meter, policy, replicas. It is pure, and is used by one goroutine.
type judge struct {
	cfg     *config
	meter   meter
	policy  *scaling.Guarded
	workers int // the last decision
}

func newJudge(cfg *config) *judge {
	return &judge{cfg: cfg, meter: meter{cfg: cfg}, policy: cfg.newPolicy()}
}

func (j *judge) decide(r *reading) answer {
	sample, sum := j.meter.observe(r)
	bounds := j.cfg.bounds()
	if !j.meter.exact {
		// The throughput of a worker is not measured yet: allow at most double what runs.
		probe := max(2*max(sample.Capacity.Workers, j.cfg.workersPerReplica), j.workers)
		bounds.MaximumWorkers = max(min(bounds.MaximumWorkers, probe), bounds.MinimumWorkers)
	}
	j.policy.SetBounds(bounds)
	d := j.policy.Decide(sample)
	j.workers = d.Workers
	a := answer{at: r.at, replicas: j.cfg.replicas(d.Workers), reason: d.Reason, summary: sum, missed: r.missed}
	// A group whose commits move is active. So is one whose start has no position yet: it needs a member that
	// sets it, since without replicas no one would ever read.
	a.active = sum.lag > 0 || sum.arrived > 0 || sum.done > 0 || sum.unplaced > 0
	// After a start nothing has moved yet: existing members count as needed.
	a.active = a.active || sum.first && sum.members > 0
	if !a.active {
		a.replicas = j.cfg.minReplicas
	}
	return a
}
