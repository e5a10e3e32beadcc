package esm

import "time"

// acquire has the member hold a slot for its next invocation; false when it has to wait for one.
func (m *member) acquire() bool {
	if !m.slot && !m.waiting {
		m.slot = m.workers.Acquire(m.slots)
		m.waiting = !m.slot
	}
	return m.slot
}

// giveBackSlot gives back a slot that there is no use for.
func (m *member) giveBackSlot() {
	if m.slot {
		m.slot = false
		m.workers.Release()
	}
}

// followCircuit stops or resumes this member's intake as the circuit now stands. A circuit that the process has no partition
// left to try with closes when its cooldown ends. It runs on the loop.
func (m *member) followCircuit(now time.Time) {
	shut, until := m.circuit.Shut(now)
	if shut {
		m.at(until)
	} else if m.budget.Partitions.Load() == 0 && m.circuit.Abandon(now) {
		m.circuitClosed()
	}
	if shut == m.tripped {
		return
	}
	m.waitsForCircuit.Store(shut)
	if m.tripped = shut; shut {
		m.pauseAll(pausedByBreaker)
	} else {
		m.resumeAll(pausedByBreaker)
	}
}

// flush hands the collected changes to the client.
func (m *member) flush() {
	if len(m.toStart) > 0 {
		m.consumer.Start(m.toStart)
		m.toStart = m.toStart[:0]
	}
	if len(m.toPause) > 0 {
		m.consumer.Pause(m.toPause)
		m.toPause = m.toPause[:0]
	}
	if len(m.toResume) > 0 {
		m.consumer.Resume(m.toResume)
		m.toResume = m.toResume[:0]
	}
}

// release gives memory of a partition back to the budget, and lets paused partitions be fetched again: this one when it
// is well below its share, all of them when the whole is well below the bound.
func (m *member) release(p *partition, held int) {
	if held == 0 {
		return
	}
	m.budget.Used.Add(-int64(held))
	if len(m.budgetPaused) == 0 {
		return
	}
	if m.budget.Ample() {
		for q := range m.budgetPaused {
			m.resume(q, pausedByBudget)
		}
		clear(m.budgetPaused)
		return
	}
	if _, paused := m.budgetPaused[p]; paused && p.Held() <= m.budget.Share()/2 {
		delete(m.budgetPaused, p)
		m.resume(p, pausedByBudget)
	}
}

func (m *member) pause(p *partition, why pauseReason) {
	if p.pauses == 0 {
		m.toPause = append(m.toPause, p.TopicPartition)
	}
	if why&^p.pauses&pausedByBudget != 0 {
		m.pool.SetStalled(&p.Lane, true)
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
		m.toResume = append(m.toResume, p.TopicPartition)
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
	if m.paused {
		r |= pausedByUser
	}
	if m.tripped {
		r |= pausedByBreaker
	}
	if m.pausedParts.has(tp) {
		r |= pausedAlone
	}
	return r
}

// obey pauses or resumes as is now wished. It runs on the loop.
func (m *member) obey() {
	now := m.wish.Load()
	if now == m.obeyed || m.stop.phase != working {
		return
	}
	m.obeyed = now
	switch paused := now%2 == 1; {
	case paused == m.paused:
	case paused:
		m.paused = true
		m.pauseAll(pausedByUser)
	default:
		m.paused = false
		m.resumeAll(pausedByUser)
	}
}
