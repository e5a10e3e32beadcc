package esm

import (
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/driver"
)

// flow is what the client has been told of this member's partitions, or is to be told, and why it fetches none of them.
type flow struct {
	toStart           []driver.Start
	toPause, toResume []TopicPartition
	epochs            uint64 // of the starts

	paused bool
	obeyed uint64 // the wish that paused follows
	// obeyedParts is the version of PausedParts that the partitions follow.
	obeyedParts uint64
	// tripped: the circuit was open, and not half-open, when it was last looked at.
	tripped bool
	// full are the partitions that wait for memory; fullSince is since when there are any, fullTold: that is a condition by now.
	full      map[*partition]struct{}
	fullSince time.Time
	fullTold  bool
}

// slot is a worker for the next invocation: held, or asked for, to come through the member's slots.
type slot struct{ held, waiting bool }

// acquire has the member hold a slot for its next invocation; false when it has to wait for one.
func (m *member) acquire() bool {
	if !m.slot.held && !m.slot.waiting {
		m.slot.held = m.shared.Workers.Acquire(m.slots)
		m.slot.waiting = !m.slot.held
	}
	return m.slot.held
}

// giveBackSlot gives back a slot that there is no use for.
func (m *member) giveBackSlot() {
	if m.slot.held {
		m.slot.held = false
		m.shared.Workers.Release()
	}
}

// followCircuit stops or resumes this member's intake as the circuit now stands. A circuit that the process has no partition
// left to try with closes when its cooldown ends. It runs on the loop.
func (m *member) followCircuit(now time.Time) {
	shut, until := m.shared.Circuit.Shut(now)
	if shut {
		m.at(until)
	} else if m.shared.Budget.Partitions.Load() == 0 && m.shared.Circuit.Abandon(now) {
		m.shared.Conditions.CircuitClosed()
	}
	if shut == m.flow.tripped {
		return
	}
	m.waitsForCircuit.Store(shut)
	if m.flow.tripped = shut; shut {
		m.waiting.tripped = now
		m.pauseAll(pausedByBreaker)
	} else {
		m.resumeAll(pausedByBreaker)
	}
}

// flush hands the collected changes to the client.
func (m *member) flush() {
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

// release gives memory of a partition back to the budget, and lets paused partitions be fetched again: this one when it
// is well below its share, all of them when the whole is well below the bound.
func (m *member) release(p *partition, held int) {
	if held == 0 {
		return
	}
	m.shared.Budget.Used.Add(-int64(held))
	if len(m.flow.full) == 0 {
		return
	}
	if m.shared.Budget.Ample() {
		for q := range m.flow.full {
			m.resume(q, pausedByBudget)
		}
		clear(m.flow.full)
		return
	}
	if _, paused := m.flow.full[p]; paused && p.Held() <= m.shared.Budget.Share()/2 {
		delete(m.flow.full, p)
		m.resume(p, pausedByBudget)
	}
}

func (m *member) pause(p *partition, why pauseReason) {
	if p.pauses == 0 {
		m.flow.toPause = append(m.flow.toPause, p.TopicPartition)
	}
	if why&^p.pauses&pausedByBudget != 0 {
		m.pool.SetStalled(&p.Lane, true)
		p.fullAt = time.Now()
	}
	p.pauses |= why
}

func (m *member) resume(p *partition, why pauseReason) {
	if p.pauses == 0 {
		return
	}
	if why&p.pauses&pausedByBudget != 0 {
		m.pool.SetStalled(&p.Lane, false)
	}
	if p.pauses &^= why; p.pauses == 0 {
		m.flow.toResume = append(m.flow.toResume, p.TopicPartition)
	}
}

func (m *member) pauseAll(why pauseReason) {
	for _, p := range m.parts {
		m.pause(p, why)
	}
}

func (m *member) resumeAll(why pauseReason) {
	for _, p := range m.parts {
		m.resume(p, why)
	}
}

// standing is the set of reasons for which a partition is paused as soon as it comes.
func (m *member) standing(tp TopicPartition) pauseReason {
	var r pauseReason
	if m.flow.paused {
		r |= pausedByUser
	}
	if m.flow.tripped {
		r |= pausedByBreaker
	}
	if m.shared.PausedParts.has(tp) {
		r |= pausedAlone
	}
	return r
}

// obey pauses or resumes as is now wished. It runs on the loop.
func (m *member) obey() {
	now := m.shared.Wish.Load()
	if now == m.flow.obeyed || m.stop.phase != working {
		return
	}
	m.flow.obeyed = now
	switch paused := now%2 == 1; {
	case paused == m.flow.paused:
	case paused:
		m.flow.paused, m.waiting.paused = true, time.Now()
		m.pauseAll(pausedByUser)
	default:
		m.flow.paused = false
		m.resumeAll(pausedByUser)
	}
}

// nudged looks again at what the members share: partitions that waited for a handler of another life, and the circuit.
func (m *member) nudged() {
	now := time.Now()
	m.followCircuit(now)
	for _, p := range m.parts {
		m.settle(p, now)
	}
}

// pauseWish is whether the mapping is to be paused, which Pause and Resume write and the loops read. It counts how often that
// changed, and is odd while it is to be paused: so a loop that looks late misses no change, and can say which of them has
// taken effect.
type pauseWish struct{ atomic.Uint64 }

func (w *pauseWish) IsPaused() bool { return w.Load()%2 == 1 }
