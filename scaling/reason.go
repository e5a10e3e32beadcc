package scaling

import (
	"fmt"
	"strconv"
	"time"
)

// A Kind classifies why a decision is what it is.
type Kind int

// The kinds of reason. Each comment says what it tells an operator.
const (
	Unknown      Kind = iota // the policy gave no reason
	Steady                   // capacity fits the load
	CatchingUp               // there is a backlog, and the capacity drains it in time
	LoadRose                 // records arrive faster than the capacity can process
	LoadFell                 // there is less work than capacity
	Probing                  // there is lag and no invocation has returned yet: double until one does
	AtMaximum                // the load wants more than the maximum allows
	HotPartition             // most of the backlog is on partitions limited to one worker each: more do not help
	Throttled                // the function refuses invocations: fewer workers
	Failing                  // most invocations fail: more workers would only fail faster
	Slowing                  // invocations got slower as workers rose: fewer give the same throughput
	Stalled                  // workers are busy and no invocation returns: wait
	FetchBound               // workers are idle while there is lag: fetching is the bottleneck
	NoPartitions             // nothing is assigned to this process
	Stale                    // the lag is too old to act on: the last decision is kept
	Clamped                  // the policy asked for something outside the bounds
	Panicked                 // the policy panicked: the last decision is kept
	BadBounds                // a minimum exceeds its maximum, or a bound is outside AWS's range
)

var kindNames = [...]string{
	"Unknown", "Steady", "CatchingUp", "LoadRose", "LoadFell", "Probing", "AtMaximum", "HotPartition",
	"Throttled", "Failing", "Slowing", "Stalled", "FetchBound", "NoPartitions", "Stale", "Clamped", "Panicked", "BadBounds",
}

// String returns the kind's name, such as "CatchingUp".
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
	return kindNames[k]
}

// MarshalText returns the kind's name, for JSON and logs.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText parses a name that MarshalText returned.
func (k *Kind) UnmarshalText(text []byte) error {
	for i, name := range kindNames {
		if name == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("scaling: unknown kind of reason %q: want a name such as %q", text, Steady)
}

// A Reason is why a decision is what it is: its kind, and the numbers that it is based on. Which numbers are
// set depends on the kind; zeros are omitted from the JSON. String returns one line for an operator.
type Reason struct {
	Kind Kind
	// From is the capacity that the decision started from, To the one that it asks for.
	From, To Capacity
	// Need is the number of workers that the load needs, before any bound.
	Need float64 `json:",omitzero"`
	// Lag is the number of unresolved records, Lagging the number of partitions that have them.
	Lag     int64 `json:",omitzero"`
	Lagging int   `json:",omitzero"`
	// Arrival is the estimated arrival rate in records per second, Rate the throughput of one worker with
	// full batches.
	Arrival float64 `json:",omitzero"`
	Rate    float64 `json:",omitzero"`
	// DrainTime is the estimated time until the backlog is gone with the target capacity. For a HotPartition
	// it is that partition's.
	DrainTime time.Duration `json:",omitzero"`
	// Topic, Partition and Share name the hottest partition and its share of the lag, 0 to 1.
	Topic     string  `json:",omitzero"`
	Partition int32   `json:",omitzero"`
	Share     float64 `json:",omitzero"`
	// Invocations, Errors and Throttles are the counts of the sample that led to the decision.
	Invocations, Errors, Throttles int64 `json:",omitzero"`
	// Before and Now are the invocation times that were compared.
	Before, Now time.Duration `json:",omitzero"`
	// Age is how old the lag was, or how long the state has lasted.
	Age time.Duration `json:",omitzero"`
	// Ceiling is the number of workers that overload currently allows.
	Ceiling int `json:",omitzero"`
	// Detail is the message of the panic or of the bounds' error. It never holds record data.
	Detail string `json:",omitzero"`
	// Cause is the policy's own reason if [Guard] overruled it.
	Cause *Reason `json:",omitzero"`
}

// String returns one line that says what changes, from and to which number, and why.
func (r Reason) String() string {
	return change(r.From, r.To) + ": " + r.why()
}

func change(from, to Capacity) string {
	line := count("worker", from.Workers, to.Workers)
	if from.Pollers != to.Pollers {
		line += ", " + count("poller", from.Pollers, to.Pollers)
	}
	return line
}

func count(noun string, from, to int) string {
	if to != 1 || from != to {
		noun += "s"
	}
	if from == to || from == 0 {
		return strconv.Itoa(to) + " " + noun
	}
	return noun + " " + strconv.Itoa(from) + " -> " + strconv.Itoa(to)
}

func (r Reason) why() string {
	switch r.Kind {
	case Steady:
		return fmt.Sprintf("steady, %.0f records/s arrive and a worker does %.0f", r.Arrival, r.Rate)
	case CatchingUp:
		return fmt.Sprintf("catching up, lag %d on %s is gone in %s", r.Lag, count("partition", r.Lagging, r.Lagging), span(r.DrainTime))
	case LoadRose:
		return fmt.Sprintf("load rose, %.0f records/s arrive and a worker does %.0f", r.Arrival, r.Rate)
	case LoadFell:
		return fmt.Sprintf("load fell, %.0f records/s arrive and a worker does %.0f, lag %d", r.Arrival, r.Rate, r.Lag)
	case Probing:
		return fmt.Sprintf("lag %d and no invocation has returned yet, doubling until one does", r.Lag)
	case AtMaximum:
		return fmt.Sprintf("at the maximum, the load wants %.1f workers, lag %d is gone in %s", r.Need, r.Lag, span(r.DrainTime))
	case HotPartition:
		return fmt.Sprintf("hot partition %s-%d has %.0f %% of the lag and needs %s; one batch a partition is in flight, so more workers do not help",
			r.Topic, r.Partition, 100*r.Share, span(r.DrainTime))
	case Throttled:
		return fmt.Sprintf("throttled, %d of %d invocations were refused; at most %s for now", r.Throttles, r.Throttles+r.Invocations, count("worker", r.Ceiling, r.Ceiling))
	case Failing:
		return fmt.Sprintf("failing, %d of %d invocations failed; at most %s until they succeed", r.Errors, r.Invocations, count("worker", r.Ceiling, r.Ceiling))
	case Slowing:
		return fmt.Sprintf("invocations went from %s to %s as workers rose; at most %s for now, which give the same throughput", span(r.Before), span(r.Now), count("worker", r.Ceiling, r.Ceiling))
	case Stalled:
		return fmt.Sprintf("no invocation has returned for %s, waiting for one before adding workers", span(r.Age))
	case FetchBound:
		return fmt.Sprintf("workers are idle and buffers empty with lag %d: fetching is the bottleneck", r.Lag)
	case NoPartitions:
		return "no partition is assigned to this process"
	case Stale:
		return fmt.Sprintf("the lag is %s old, keeping the last decision", span(r.Age))
	case Clamped:
		return "the policy asked for " + r.Detail + causeText(r.Cause)
	case Panicked:
		return "the policy panicked, keeping the last decision: " + r.Detail
	case BadBounds:
		return "bounds corrected: " + r.Detail + causeText(r.Cause)
	}
	return "no reason given"
}

func causeText(cause *Reason) string {
	if cause == nil || cause.Kind == Unknown {
		return ""
	}
	return " (" + cause.why() + ")"
}

// span rounds a duration for an operator to read; the longest is "never".
func span(d time.Duration) string {
	switch {
	case d >= forever:
		return "never at this rate"
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// forever is the longest time that an estimate gives: the backlog never drains, or takes longer than a
// Duration can hold.
const forever = 10 * 365 * 24 * time.Hour

func seconds(s float64) time.Duration {
	if !(s < forever.Seconds()) { // NaN too
		return forever
	}
	return time.Duration(max(s, 0) * float64(time.Second))
}
