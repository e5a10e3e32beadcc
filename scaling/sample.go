package scaling

import (
	"errors"
	"fmt"
	"time"
)

// A Sample is what the engine measured since the sample before it. Counts are
// of that interval; lag and capacity are of the moment Time.
//
// The zero value of a field means "none" or "not known", whichever is the
// cautious reading; no field but Time is needed for a valid decision.
type Sample struct {
	// Time is when the sample was taken. Policies look only at differences
	// between samples. A jump of the clock is handled by [Guard].
	Time time.Time
	// LagTime is when the lags were measured; zero means at Time. A broker that
	// does not answer ListOffsets leaves it in the past, and [Guard] then keeps
	// the last decision.
	LagTime time.Time

	// Partitions are the partitions that are assigned to this process, each once,
	// over all of its pollers. The slice belongs to the caller and is read only
	// during Decide.
	Partitions []Partition

	// Completed is the number of records resolved: handled, or acknowledged by a
	// destination. Filtered records do not count, they take no worker.
	Completed int64
	// Invocations is the number of handler calls that ran and returned, failed
	// ones included, throttled ones not.
	Invocations int64
	// InvocationTime is the mean duration of those Invocations.
	InvocationTime time.Duration
	// Errors is the number of Invocations that failed.
	Errors int64
	// Throttles is the number of invocations that were refused for overload (a
	// Lambda function's TooManyRequestsException, a handler's Throttled error).
	Throttles int64

	// OldestAge is the age of the oldest unresolved record of the partitions that
	// are not Blocked; 0 when there is none or it is not known.
	OldestAge time.Duration

	// BatchSize is the mapping's BatchSize, the most records an invocation takes.
	// 0 means unknown: then the fullest batches that were seen stand for it.
	BatchSize int
	// BufferedBytes is what is fetched and waits for a worker, in bytes.
	BufferedBytes int64
	// Busy is the number of invocations in flight at Time.
	Busy int

	// Capacity is what runs at Time.
	Capacity Capacity
	// Bounds limit the decision. [Guard] fills them in.
	Bounds Bounds
}

// A Partition is one assigned partition at the time of a [Sample].
type Partition struct {
	// Topic and Partition name it, for the reasons.
	Topic     string
	Partition int32
	// Lag is the number of records between the first unresolved offset and the
	// end of the log (the last stable offset under read_committed), records in
	// flight included. A negative lag (the log was truncated) counts as 0.
	Lag int64
	// Arrived is the number of records that the log's end moved by since the
	// sample before. Negative counts as 0.
	Arrived int64
	// Blocked is true while the partition cannot give work to a worker whatever
	// their number: in a retry's backoff, paused, or waiting for a destination.
	Blocked bool
}

// Capacity is an amount of workers and pollers.
type Capacity struct {
	// Workers is the number of concurrent invocations that are allowed.
	Workers int
	// Pollers is the number of members of the consumer group in this process.
	Pollers int
}

// Bounds are the limits of a decision. The zero value is 1 worker or more, up
// to the number of partitions, and exactly 1 poller.
type Bounds struct {
	// MinimumWorkers is the fewest concurrent invocations. Default 1.
	MinimumWorkers int
	// MaximumWorkers is the most. Default, and never more than, the number of
	// assigned partitions: a partition has at most one batch in flight.
	MaximumWorkers int
	// MinimumPollers is AWS's ProvisionedPollerConfig.MinimumPollers, 1 to 200,
	// default 1.
	MinimumPollers int
	// MaximumPollers is AWS's ProvisionedPollerConfig.MaximumPollers, 1 to 2000,
	// never more than the partitions. Its default here is MinimumPollers: a
	// process gains group members only when asked to.
	MaximumPollers int
}

// AWS's limits of ProvisionedPollerConfig (Lambda API reference).
const (
	maxMinimumPollers = 200
	maxMaximumPollers = 2000
)

// Validate reports every field that is out of range, joined; nil when the bounds
// can be used as they are.
func (b Bounds) Validate() error {
	var errs []error
	check := func(field string, value, most int) {
		if value < 0 || value > most {
			errs = append(errs, fmt.Errorf("scaling: %s is %d: want 0 (the default) to %d", field, value, most))
		}
	}
	const manyWorkers = 1 << 20
	check("MinimumWorkers", b.MinimumWorkers, manyWorkers)
	check("MaximumWorkers", b.MaximumWorkers, manyWorkers)
	check("MinimumPollers", b.MinimumPollers, maxMinimumPollers)
	check("MaximumPollers", b.MaximumPollers, maxMaximumPollers)
	if b.MaximumWorkers > 0 && b.MinimumWorkers > b.MaximumWorkers {
		errs = append(errs, fmt.Errorf("scaling: MinimumWorkers %d is over MaximumWorkers %d: lower the one or raise the other", b.MinimumWorkers, b.MaximumWorkers))
	}
	if b.MaximumPollers > 0 && b.MinimumPollers > b.MaximumPollers {
		errs = append(errs, fmt.Errorf("scaling: MinimumPollers %d is over MaximumPollers %d: lower the one or raise the other", b.MinimumPollers, b.MaximumPollers))
	}
	return errors.Join(errs...)
}

// Resolve fills in defaults and applies the cap of the partitions. The result
// is always usable: 1 <= minimum <= maximum, whatever the bounds were. Where a
// minimum is over its maximum, the maximum wins: it is the one that protects
// something. With no partitions at all one worker remains, so that the first
// assignment has somewhere to go.
func (b Bounds) Resolve(partitions int) Bounds {
	most := max(partitions, 1)
	if b.MaximumWorkers <= 0 {
		b.MaximumWorkers = most
	}
	if b.MaximumPollers <= 0 {
		b.MaximumPollers = max(b.MinimumPollers, 1)
	}
	b.MaximumWorkers = min(b.MaximumWorkers, most)
	b.MaximumPollers = min(b.MaximumPollers, most)
	b.MinimumWorkers = min(max(b.MinimumWorkers, 1), b.MaximumWorkers)
	b.MinimumPollers = min(max(b.MinimumPollers, 1), b.MaximumPollers)
	return b
}

// Clamp returns the capacity within bounds that Resolve returned.
func (b Bounds) Clamp(c Capacity) Capacity {
	return Capacity{
		Workers: min(max(c.Workers, b.MinimumWorkers), b.MaximumWorkers),
		Pollers: min(max(c.Pollers, b.MinimumPollers), b.MaximumPollers),
	}
}
