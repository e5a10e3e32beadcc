package esm

import (
	"time"

	"github.com/esm-go/esm/scaling"
)

// WithWorkers fixes how many invocations run at a time in this process: it is WithWorkerRange(n, n). No more run than
// partitions are assigned, because a partition has at most one batch in flight. 0 means the default range.
func WithWorkers(n int) Option {
	return optionFunc(func(o *options) { workerRange(o, "WithWorkers", n, n, n) })
}

// WithWorkerRange sets the range within which the scaling policy chooses the number of concurrent invocations in this
// process, 0 to 1,048,576 each. Default, and for 0: a minimum of 1, and a maximum of the number of assigned partitions,
// which also caps any other maximum.
//
// A new number takes effect at once and without a rebalance; if it is smaller, running invocations are finished.
// WithScaler describes the initial number.
func WithWorkerRange(minimum, maximum int) Option {
	return optionFunc(func(o *options) { workerRange(o, "WithWorkerRange", []int{minimum, maximum}, minimum, maximum) })
}

// workerRange sets the range for the named option. value is the argument to show in an error.
func workerRange(o *options, name string, value any, minimum, maximum int) {
	err := scaling.Bounds{MinimumWorkers: minimum, MaximumWorkers: maximum}.Validate()
	o.Check(err == nil, name, value, "0 (the default) to 1048576, and no minimum over its maximum")
	o.MinimumWorkers, o.MaximumWorkers = minimum, maximum
}

// WithScaler sets the policy that chooses the number of workers and of pollers (Mapping.ProvisionedPollerConfig).
// Default, and for nil: *scaling.Lambda, which looks at the lag once a minute, as AWS Lambda does.
//
// Without WithScaler a mapping starts with as many workers as its range allows, and the default policy removes those
// that are not needed. (Lambda starts with one consumer; but a process that has just started usually has a backlog, and
// should not wait a minute for its second worker.) With WithScaler a mapping starts at the minimum.
//
// A policy belongs to one Runner: do not share it. One goroutine calls it, at the interval Decision.Next, and clamps
// its answer to the range. If it panics, its last decision stays in force (see scaling.Guard). Status, Hooks.Scaled and
// the log show every decision with its reason.
func WithScaler(p scaling.Policy) Option {
	return optionFunc(func(o *options) { o.Policy, o.Scaler = p, p != nil })
}

// WithLagInterval sets how long the known end of a partition may go unconfirmed while the client waits for records
// there. Default 1 minute, the interval at which Lambda looks at its lag. 0 turns off every such lookup: the lag is
// then computed from fetches alone.
//
// A fetch confirms the end of each partition that it covers. Ends that fetches do not confirm, because a partition is
// paused or far behind, are also looked up before the scaling policy is asked, in one request for all partitions. At
// the same interval topics are checked for having been deleted and recreated.
func WithLagInterval(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.Check(d >= 0, "WithLagInterval", d, "0 (never) or more")
		o.LagInterval = d
	})
}
