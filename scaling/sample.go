package scaling

import (
	"errors"
	"fmt"
	"time"
)

// A Sample is what the engine measured since the previous sample. Counts cover that interval; lag and
// capacity are as of Time.
//
// A field's zero value means "none" or "not known", whichever is the cautious reading. Only Time is needed
// for a valid decision.
type Sample struct {
	// Time is when the sample was taken. Policies use only differences between samples. [Guard] handles clock
	// jumps.
	Time time.Time
	// LagTime is when the lags were measured; zero means at Time. If a broker does not answer ListOffsets,
	// LagTime stays in the past and [Guard] keeps the last decision.
	LagTime time.Time

	// Partitions are the partitions assigned to this process, each once, across all of its pollers. The slice
	// belongs to the caller and may be read only during Decide.
	Partitions []Partition

	// Completed is the number of records resolved: processed by the handler, or acknowledged by a
	// destination. Filtered records do not count, since they need no worker.
	Completed int64
	// Invocations is the number of handler calls that ran and returned, including failed but not throttled
	// ones.
	Invocations int64
	// InvocationTime is the mean duration of those Invocations.
	InvocationTime time.Duration
	// Errors is the number of Invocations that failed.
	Errors int64
	// Throttles is the number of invocations that were refused because of overload (a Lambda function's
	// TooManyRequestsException, a handler's Throttled error).
	Throttles int64

	// OldestAge is the age of the oldest unresolved record of the partitions that are not Blocked, 0 when
	// there is none or it is not known.
	OldestAge time.Duration

	// BatchSize is the mapping's BatchSize, the most records of an invocation. 0 means unknown: the largest
	// batches seen stand in for it.
	BatchSize int
	// BufferedBytes is the number of fetched bytes that wait for a worker.
	BufferedBytes int64
	// Busy is the number of invocations in flight at Time.
	Busy int

	// Capacity is the capacity at Time.
	Capacity Capacity
	// Bounds limit the decision. [Guard] fills them in.
	Bounds Bounds
}

// A Partition is one assigned partition at the time of a [Sample].
type Partition struct {
	// Topic and Partition name it, for the reasons.
	Topic     string
	Partition int32
	// Lag is the number of records between the first unresolved offset and the end of the log (the last
	// stable offset under read_committed), including records in flight. A negative lag (the log was
	// truncated) counts as 0.
	Lag int64
	// Arrived is the number of records by which the end of the log advanced since the previous sample. A
	// negative number counts as 0.
	Arrived int64
	// Blocked reports that the partition cannot give work to any worker: it is in a retry's backoff, paused,
	// or waiting for a destination.
	Blocked bool
}

// Capacity is a number of workers and of pollers.
type Capacity struct {
	// Workers is the number of concurrent invocations allowed.
	Workers int
	// Pollers is the number of members of the consumer group in this process.
	Pollers int
}

// Bounds are the limits of a decision. The zero value allows 1 worker up to the number of partitions, and
// exactly 1 poller.
type Bounds struct {
	// MinimumWorkers is the fewest concurrent invocations. Default 1.
	MinimumWorkers int
	// MaximumWorkers is the most. Default, and upper limit, is the number of assigned partitions: a partition
	// has at most one batch in flight.
	MaximumWorkers int
	// MinimumPollers is AWS's ProvisionedPollerConfig.MinimumPollers, 1 to 200,
	// default 1.
	MinimumPollers int
	// MaximumPollers is AWS's ProvisionedPollerConfig.MaximumPollers, 1 to 2000, never more than the
	// partitions. Its default here is MinimumPollers: a process gains group members only when asked to.
	MaximumPollers int
}

// AWS's limits of ProvisionedPollerConfig (Lambda API reference).
const (
	maxMinimumPollers = 200
	maxMaximumPollers = 2000
)

// Validate returns an error that joins one for each problem, or nil if the bounds can be used as they are.
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

// Resolve fills in defaults and applies the cap of the partitions. The result is always usable: 1 <= minimum
// <= maximum, whatever the bounds were. Where a minimum exceeds its maximum, the maximum wins, because the
// maximum is the one that protects something. Without partitions one worker remains, so that the first
// assignment finds one.
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

// Clamp returns the capacity limited to b, which must come from Resolve.
func (b Bounds) Clamp(c Capacity) Capacity {
	return Capacity{
		Workers: min(max(c.Workers, b.MinimumWorkers), b.MaximumWorkers),
		Pollers: min(max(c.Pollers, b.MinimumPollers), b.MaximumPollers),
	}
}
