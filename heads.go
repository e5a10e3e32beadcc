package esm

import (
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

const (
	// An invocation is slow when it runs for slowTimes what 99 of 100 took, and slowLeast at least, once slowAmong have ended.
	slowTimes = 5
	slowLeast = time.Second
	slowAmong = 20
)

// headState is what of a partition is kept for PartitionStatus.Head alone.
type headState struct {
	firstErr error
	// failedAt is when its head failed last, fullAt since when it waits for memory.
	failedAt, fullAt time.Time
	// hashed is the key's hash of the record at hashedAt, in the epoch hashedIn.
	hashed   observe.KeyHash
	hashedAt int64
	hashedIn uint64
}

// waiting is since when what partitions wait for has held; it is kept for PartitionStatus.Head alone.
type waiting struct {
	// unsettled is since when the assignment is not all started; zero when it is.
	paused, tripped, revoked, unsettled time.Time
}

// WithHeadKeys has Status show the key of the first unresolved record of each partition, as PartitionStatus.Head.Key. By
// default it has the hash of it alone: keys may be names of people, and a Status is made to be shown.
func WithHeadKeys() Option { return optionFunc(func(o *options) { o.headKeys = true }) }

// view is what is the same for all partitions of a snapshot.
type view struct {
	now              time.Time
	circuitOpen, due bool // due: a batch is
}

func (m *member) view(now time.Time) view {
	return view{now: now, circuitOpen: m.shared.Circuit.IsOpen(), due: m.pool.Due(now, m.settings.Limits)}
}

// head says which record blocks a partition, and what it waits for. It runs on the loop.
func (m *member) head(v view, p *partition, s *PartitionStatus) {
	h := &s.Head
	h.WaitsFor, h.Since = m.waits(v, p)
	if p.failures > 0 {
		h.FirstError = p.firstErr
	}
	r := p.Head()
	if r == nil {
		return
	}
	if r.Key != nil && (p.hashed == 0 || p.hashedAt != r.Offset || p.hashedIn != p.epoch) {
		p.hashed, p.hashedAt, p.hashedIn = observe.HashKey(r.Key), r.Offset, p.epoch
	}
	if r.Key != nil {
		h.KeyHash = p.hashed
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
func (m *member) waits(v view, p *partition) (Wait, time.Time) {
	switch {
	case p.phase == starting:
		return observe.WaitStart, p.seenAt
	case p.sending != nil:
		return observe.WaitDestination, p.sending.since
	case p.inflight != nil:
		return observe.WaitHandler, p.inflight.started
	case p.phase == draining:
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
		return observe.WaitRetry, p.failedAt
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
func (m *member) arrived(p *partition) time.Time {
	if len(p.Work) > 0 {
		return p.Work[0].Arrived
	}
	return p.Buf.Arrived()
}

// waitsToBeFetched is waits for a partition of which nothing unresolved has been received.
func (m *member) waitsToBeFetched(p *partition) (Wait, time.Time) {
	switch {
	case p.end <= p.next:
		return observe.WaitNone, time.Time{}
	case m.flow.paused:
		return observe.WaitPaused, m.waiting.paused
	case p.pauses&pausedByBreaker != 0:
		return observe.WaitCircuit, m.waiting.tripped
	case p.pauses&pausedByBudget != 0:
		return observe.WaitMemory, p.fullAt
	default:
		return observe.WaitFetch, p.behindAt
	}
}

// slow are the invocations that run for far longer than others took. It runs on the loop.
func (m *member) slow(now time.Time) (list []SlowInvocation) {
	if len(m.flying) == 0 {
		return nil
	}
	usual, ended, known := m.shared.Meters.invocation.Most(0.99)
	bound := max(slowTimes*time.Duration(usual), slowLeast)
	if !known || ended < slowAmong {
		return nil
	}
	for inv := range m.flying {
		if now.Sub(inv.started) > bound {
			list = append(list, SlowInvocation{Invocation: inv.ID, Partitions: ranges(inv.parts), Records: inv.Records, Attempt: inv.Attempt,
				Since: inv.started, Usual: time.Duration(usual)})
		}
	}
	slices.SortFunc(list, func(a, b SlowInvocation) int { return a.Since.Compare(b.Since) })
	return list
}

// client returns the member's client, nil where it has ended, and the generation of its group, -1 where it is not known.
func (m *member) client() (consumer driver.Consumer, generation int32) {
	generation = -1
	m.do(func() { consumer, generation = m.consumer, m.consumer.Member().Generation })
	return consumer, generation
}
