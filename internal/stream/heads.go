package stream

import (
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

const (
	// An invocation is slow when it runs for slowTimes what 99 of 100 took, and slowLeast at least, once slowAmong have ended.
	slowTimes = 5
	slowLeast = time.Second
	slowAmong = 20
)

// waiting is since when what partitions wait for has held; it is kept for PartitionStatus.Head alone.
type waiting struct {
	// unsettled is since when the assignment is not all started; zero when it is.
	paused, tripped, revoked, unsettled time.Time
}

// view is what is the same for all partitions of a snapshot.
type view struct {
	now              time.Time
	circuitOpen, due bool // due: a batch is
}

func (m *Member) view(now time.Time) view {
	return view{now: now, circuitOpen: m.shared.Circuit.IsOpen(), due: m.pool.Due(now, m.settings.Limits)}
}

// head says which record blocks a partition, and what it waits for. It runs on the loop.
func (m *Member) head(v view, p *partition.Partition, s *observe.PartitionStatus) {
	h := &s.Head
	h.WaitsFor, h.Since = m.waits(v, p)
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
	if m.shared.Config.HeadKeys {
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

// waits says what a partition waits for, and since when. It runs on the loop.
func (m *Member) waits(v view, p *partition.Partition) (observe.Wait, time.Time) {
	switch {
	case p.Phase == partition.Starting:
		return observe.WaitStart, p.SeenAt
	case p.Sending != nil:
		return observe.WaitDestination, p.Sending.Since
	case p.Inflight != nil:
		return observe.WaitHandler, p.Inflight.Started
	case p.Phase == partition.Draining:
		return observe.WaitRebalance, m.waiting.revoked
	case p.Buffered() == 0:
		return m.waitsToBeFetched(p)
	}
	arrived := m.arrived(p)
	switch {
	case m.stop.phase != working:
		at, _ := m.shared.Stopping.Times()
		return observe.WaitStop, at
	case m.flow.paused:
		return observe.WaitPaused, m.waiting.paused
	case !p.Waits() && m.shared.Orphans.IsHeld(p.TopicPartition):
		return observe.WaitRebalance, arrived
	case m.retry.Holds(&p.Lane) && p.At().After(v.now):
		return observe.WaitRetry, p.FailedAt
	case v.circuitOpen:
		return observe.WaitCircuit, m.waiting.tripped
	case m.retry.Holds(&p.Lane):
		return observe.WaitWorker, p.At()
	case v.due:
		return observe.WaitWorker, arrived
	default:
		return observe.WaitWindow, arrived
	}
}

// arrived is when the head of a partition with records came.
func (m *Member) arrived(p *partition.Partition) time.Time {
	if len(p.Work) > 0 {
		return p.Work[0].Arrived
	}
	return p.Buf.Arrived()
}

// waitsToBeFetched is waits for a partition of which nothing unresolved has been received.
func (m *Member) waitsToBeFetched(p *partition.Partition) (observe.Wait, time.Time) {
	switch {
	case p.End <= p.Next:
		return observe.WaitNone, time.Time{}
	case m.flow.paused:
		return observe.WaitPaused, m.waiting.paused
	case p.Pauses&partition.ByBreaker != 0:
		return observe.WaitCircuit, m.waiting.tripped
	case p.Pauses&partition.ByBudget != 0:
		return observe.WaitMemory, p.FullAt
	default:
		return observe.WaitFetch, p.BehindAt
	}
}

// slow are the invocations that run for far longer than others took. It runs on the loop.
func (m *Member) slow(now time.Time) (list []observe.SlowInvocation) {
	if len(m.flying) == 0 {
		return nil
	}
	usual, ended, known := m.shared.Meters.Invocation.Most(0.99)
	bound := max(slowTimes*time.Duration(usual), slowLeast)
	if !known || ended < slowAmong {
		return nil
	}
	for inv := range m.flying {
		if now.Sub(inv.Started) > bound {
			list = append(list, observe.SlowInvocation{Invocation: inv.ID, Partitions: partition.Ranges(inv.Parts), Records: inv.Records, Attempt: inv.Attempt,
				Since: inv.Started, Usual: time.Duration(usual)})
		}
	}
	slices.SortFunc(list, func(a, b observe.SlowInvocation) int { return a.Since.Compare(b.Since) })
	return list
}

// Client returns the member's client, nil where it has ended, and the generation of its group, -1 where it is not known.
func (m *Member) Client() (consumer driver.Consumer, generation int32) {
	generation = -1
	m.do(func() { consumer, generation = m.consumer, m.consumer.Member().Generation })
	return consumer, generation
}
