package stream

import (
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
)

// flow is what the client was told, or is still to be told, of this member's partitions, and why it fetches none.
type flow struct {
	toStart           []driver.Start
	toPause, toResume []event.TopicPartition
	epochs            uint64 // of the starts

	paused bool
	obeyed uint64 // the wish that paused follows
	// obeyedParts is the version of PausedParts that the partitions follow.
	obeyedParts uint64
	// tripped is whether the circuit was open, and not half-open, at the last look.
	tripped bool
	// full has the partitions that wait for memory, since fullSince; fullTold is whether that is a condition by now.
	full      map[*partition.Partition]struct{}
	fullSince time.Time
	fullTold  bool
}

// slot is a worker for the next invocation: either held, or requested and to come through the member's slots channel.
type slot struct{ held, waiting bool }

// acquire takes a slot for the member's next invocation. It returns false if the member has to wait for one.
func (m *Member) acquire() bool {
	if !m.slot.held && !m.slot.waiting {
		m.slot.held = m.shared.Workers.Acquire(m.slots)
		m.slot.waiting = !m.slot.held
	}
	return m.slot.held
}

// giveBackSlot returns a slot that is not needed.
func (m *Member) giveBackSlot() {
	if m.slot.held {
		m.slot.held = false
		m.shared.Workers.Release()
	}
}

// followCircuit pauses or resumes this member's partitions as the circuit requires. If no partition is left in the
// process to test the circuit with, the circuit closes when its cooldown ends. It runs on the loop.
func (m *Member) followCircuit(now time.Time) {
	shut, until := m.shared.Circuit.Shut(now)
	if shut {
		m.at(until)
	} else if m.shared.Budget.Partitions.Load() == 0 && m.shared.Circuit.Abandon(now) {
		m.shared.Conditions.CircuitClosed()
	}
	if shut == m.flow.tripped {
		return
	}
	m.WaitsForCircuit.Store(shut)
	if m.flow.tripped = shut; shut {
		m.since.Tripped = now
		m.pauseAll(partition.ByBreaker)
	} else {
		m.resumeAll(partition.ByBreaker)
	}
}

// flush passes the collected changes to the client.
func (m *Member) flush() {
	if len(m.flow.toStart) > 0 {
		m.consumer.Start(m.flow.toStart)
		m.flow.toStart = m.flow.toStart[:0]
	}
	if len(m.flow.toPause) > 0 {
		m.consumer.Pause(m.flow.toPause)
		m.flow.toPause = m.flow.toPause[:0]
	}
	if len(m.flow.toResume) > 0 {
		m.consumer.Resume(m.flow.toResume)
		m.flow.toResume = m.flow.toResume[:0]
	}
}

// release returns a partition's memory to the budget and resumes partitions that were paused for it: this one when it
// holds at most half its share, all of them when the total is well below the limit.
func (m *Member) release(p *partition.Partition, held int) {
	if held == 0 {
		return
	}
	m.shared.Budget.Used.Add(-int64(held))
	if len(m.flow.full) == 0 {
		return
	}
	if m.shared.Budget.Ample() {
		for q := range m.flow.full {
			m.resume(q, partition.ByBudget)
		}
		clear(m.flow.full)
		return
	}
	if _, paused := m.flow.full[p]; paused && p.Held() <= m.shared.Budget.Share()/2 {
		delete(m.flow.full, p)
		m.resume(p, partition.ByBudget)
	}
}

func (m *Member) pause(p *partition.Partition, why partition.PauseReason) {
	if p.Pauses == 0 {
		m.flow.toPause = append(m.flow.toPause, p.TopicPartition)
	}
	if why&^p.Pauses&partition.ByBudget != 0 {
		m.pool.SetStalled(&p.Lane, true)
		p.FullAt = time.Now()
	}
	p.Pauses |= why
}

func (m *Member) resume(p *partition.Partition, why partition.PauseReason) {
	if p.Pauses == 0 {
		return
	}
	if why&p.Pauses&partition.ByBudget != 0 {
		m.pool.SetStalled(&p.Lane, false)
	}
	if p.Pauses &^= why; p.Pauses == 0 {
		m.flow.toResume = append(m.flow.toResume, p.TopicPartition)
	}
}

func (m *Member) pauseAll(why partition.PauseReason) {
	for _, p := range m.parts {
		m.pause(p, why)
	}
}

func (m *Member) resumeAll(why partition.PauseReason) {
	for _, p := range m.parts {
		m.resume(p, why)
	}
}

// standing returns the reasons for which a partition is paused as soon as it is assigned.
func (m *Member) standing(tp event.TopicPartition) partition.PauseReason {
	var r partition.PauseReason
	if m.flow.paused {
		r |= partition.ByUser
	}
	if m.flow.tripped {
		r |= partition.ByBreaker
	}
	if m.shared.PausedParts.Has(tp) {
		r |= partition.Alone
	}
	return r
}

// obey pauses or resumes as currently wished. It runs on the loop.
func (m *Member) obey() {
	now := m.shared.Wish.Load()
	if now == m.flow.obeyed || m.stop.phase != working {
		return
	}
	m.flow.obeyed = now
	switch paused := now%2 == 1; {
	case paused == m.flow.paused:
	case paused:
		m.flow.paused, m.since.Paused = true, time.Now()
		m.pauseAll(partition.ByUser)
	default:
		m.flow.paused = false
		m.resumeAll(partition.ByUser)
	}
}

// nudged looks again at what the members share: the circuit, and partitions that waited for an orphaned handler.
func (m *Member) nudged() {
	now := time.Now()
	m.followCircuit(now)
	for _, p := range m.parts {
		m.settle(p, now)
	}
}
