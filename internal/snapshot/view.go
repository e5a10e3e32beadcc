package snapshot

import (
	"slices"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/meter"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

const (
	// An invocation is slow if it has run for slowTimes the 99th percentile, and for slowLeast at least, once slowAmong
	// invocations have ended.
	slowTimes = 5
	slowLeast = time.Second
	slowAmong = 20
)

// Since has when the reasons for which partitions wait began to apply.
type Since struct{ Paused, Tripped, Revoked, Stopping time.Time }

// View is what a member's loop knows beyond its single partitions.
type View struct {
	Now        time.Time
	Partitions map[event.TopicPartition]*partition.Partition
	InFlight   map[*partition.Invocation]struct{}
	Retry      *batch.Queue[*partition.Partition]
	Orphans    *limit.Orphans
	// Took has how long invocations took.
	Took  *meter.Histogram
	Since Since
	// PausedAlone returns when PausePartition paused a partition.
	PausedAlone func(event.TopicPartition) time.Time
	// Due is whether a batch is due. Paused and Stopping are whether the member is.
	Due, CircuitOpen, Paused, Stopping bool
	// HeadKeys is whether to show the key of the head record.
	HeadKeys bool
}

// status fills in the state of a partition.
func (v *View) status(p *partition.Partition, s *observe.PartitionStatus) {
	*s = observe.PartitionStatus{
		TopicPartition: p.TopicPartition, Position: -1, Received: p.Next, Committed: p.Committed, End: p.End, Lag: p.OffsetLag(), EndSeen: p.SeenAt, OldestAge: p.Age(v.Now),
		Buffered: p.Buffered(), Starting: p.Phase == partition.Starting, Draining: p.Phase == partition.Draining, Paused: p.Pauses.String(),
		Attempts: p.Failures, FirstFailure: p.FirstFailure, LastError: p.LastErr,
	}
	if p.Phase != partition.Starting {
		s.Position = p.Position()
	}
	if s.End < 0 {
		s.EndSeen = time.Time{}
	}
	if p.Inflight != nil {
		s.InFlightSince = p.Inflight.Started
	}
	if v.Retry.Holds(&p.Lane) {
		s.NextTry = p.At()
	}
	v.head(p, s)
}

// head fills in which record blocks a partition, and what it waits for.
func (v *View) head(p *partition.Partition, s *observe.PartitionStatus) {
	h := &s.Head
	h.WaitsFor, h.Since = v.waits(p)
	if p.Failures > 0 {
		h.FirstError = p.FirstErr
	}
	r := p.Head()
	if r == nil {
		return
	}
	if r.Key != nil && (p.Hashed == 0 || p.HashedAt != r.Offset || p.HashedIn != p.Epoch) {
		p.Hashed, p.HashedAt, p.HashedIn = observe.HashKey(r.Key), r.Offset, p.Epoch
	}
	if r.Key != nil {
		h.KeyHash = p.Hashed
	}
	if v.HeadKeys {
		h.Key = string(r.Key)
	}
	h.Bytes = recordBytes(r)
	if len(p.Work) > 0 {
		h.Tries = p.Work[0].Tries
	}
}

func recordBytes(r *event.KafkaRecord) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// waits returns what a partition waits for, and since when.
func (v *View) waits(p *partition.Partition) (observe.Wait, time.Time) {
	switch {
	case p.Phase == partition.Starting:
		return observe.WaitStart, p.SeenAt
	case p.Sending != nil:
		return observe.WaitDestination, p.Sending.Since
	case p.Inflight != nil:
		return observe.WaitHandler, p.Inflight.Started
	case p.Phase == partition.Draining:
		return observe.WaitRebalance, v.Since.Revoked
	case p.Buffered() == 0:
		return v.waitsToBeFetched(p)
	}
	arrived := arrivalOfHead(p)
	switch {
	case v.Stopping:
		return observe.WaitStop, v.Since.Stopping
	case v.Paused:
		return observe.WaitPaused, v.Since.Paused
	case p.Pauses&partition.Alone != 0:
		return observe.WaitPaused, v.PausedAlone(p.TopicPartition)
	case !p.Waits() && v.Orphans.IsHeld(p.TopicPartition):
		return observe.WaitRebalance, arrived
	case v.Retry.Holds(&p.Lane) && p.At().After(v.Now):
		return observe.WaitRetry, p.FailedAt
	case v.CircuitOpen:
		return observe.WaitCircuit, v.Since.Tripped
	case v.Retry.Holds(&p.Lane):
		return observe.WaitWorker, p.At()
	case v.Due:
		return observe.WaitWorker, arrived
	default:
		return observe.WaitWindow, arrived
	}
}

// arrivalOfHead returns when the head of a partition with records arrived.
func arrivalOfHead(p *partition.Partition) time.Time {
	if len(p.Work) > 0 {
		return p.Work[0].Arrived
	}
	return p.Buf.Arrived()
}

// waitsToBeFetched is waits for a partition with no unresolved record received.
func (v *View) waitsToBeFetched(p *partition.Partition) (observe.Wait, time.Time) {
	switch {
	case p.End <= p.Next:
		return observe.WaitNone, time.Time{}
	case v.Paused:
		return observe.WaitPaused, v.Since.Paused
	case p.Pauses&partition.Alone != 0:
		return observe.WaitPaused, v.PausedAlone(p.TopicPartition)
	case p.Pauses&partition.ByBreaker != 0:
		return observe.WaitCircuit, v.Since.Tripped
	case p.Pauses&partition.ByBudget != 0:
		return observe.WaitMemory, p.FullAt
	default:
		return observe.WaitFetch, p.BehindAt
	}
}

// slow returns the invocations that have run far longer than others took.
func (v *View) slow() (list []observe.SlowInvocation) {
	if len(v.InFlight) == 0 {
		return nil
	}
	usual, ended, known := v.Took.Most(0.99)
	bound := max(slowTimes*time.Duration(usual), slowLeast)
	if !known || ended < slowAmong {
		return nil
	}
	for inv := range v.InFlight {
		if v.Now.Sub(inv.Started) > bound {
			list = append(list, observe.SlowInvocation{Invocation: inv.ID, Partitions: partition.Ranges(inv.Parts), Records: inv.Records, Attempt: inv.Attempt,
				Since: inv.Started, Usual: time.Duration(usual)})
		}
	}
	slices.SortFunc(list, func(a, b observe.SlowInvocation) int { return a.Since.Compare(b.Since) })
	return list
}
