package esm

import (
	"time"

	"github.com/esm-go/esm/driver"
)

// answered takes in the answer to a lookup.
func (m *member) answered(now time.Time, l lookup) {
	m.lookupBusy = nil
	var again []*partition
	failure := l.err
	for i, p := range l.parts {
		f := &l.found[i]
		if !p.alive {
			continue
		}
		if l.err != nil || f.err != nil {
			again = append(again, p)
			if failure == nil {
				failure = f.err
			}
			continue
		}
		switch l.kind {
		case lookupStart:
			p.initial = f.initial
			m.launch(now, p, f)
		case lookupMove:
			m.move(now, p, l.from, f)
		}
	}
	if l.kind == lookupIDs {
		again = nil // the next check comes by itself
	}
	for topic, id := range l.ids {
		old := m.topicIDs[topic]
		if l.err == nil {
			m.topicIDs[topic] = id
			if _, seen := m.firstIDs[topic]; !seen {
				m.firstIDs[topic] = id
			}
		}
		if l.kind == lookupIDs && old != ([16]byte{}) && id != ([16]byte{}) && old != id {
			m.recreated(topic)
		}
	}
	if failure == nil {
		m.lookupErrors = 0
		m.lookedUp()
		if l.kind == lookupStart {
			m.announce()
		}
		return
	}
	m.lookupErrors++
	m.lookupAfter = now.Add(backoff{100 * time.Millisecond, 5 * time.Second}.after(m.lookupErrors, m.rng))
	m.counters.pollErrors.Add(1)
	m.lookupFailed(failure)
	if len(again) > 0 {
		m.lookUp(lookup{kind: l.kind, parts: again, from: l.from})
	}
}

// launch lets a partition run from its start.
func (m *member) launch(now time.Time, p *partition, f *startAnswer) {
	if p.phase != starting {
		return
	}
	delete(m.anew, p.TopicPartition)
	p.phase = running
	p.committed = f.committed
	p.leaderEpoch = f.leaderEpoch
	m.startAt(p, f.offset, f.leaderEpoch)
	m.markDirty(p) // where the start could not be committed before it was known to the client
	m.settle(p, now)
}

// startAt tells the client where to read a partition on.
func (m *member) startAt(p *partition, offset int64, leaderEpoch int32) {
	m.started(p.TopicPartition)
	m.epochs++
	p.epoch, p.next = m.epochs, offset
	m.toStart = append(m.toStart, driver.Start{TopicPartition: p.TopicPartition, Offset: offset, LeaderEpoch: leaderEpoch, Epoch: p.epoch})
}

// announce closes Ready when every partition of the first assignment is started.
func (m *member) announce() {
	for _, p := range m.parts {
		if p.phase == starting {
			return
		}
	}
	m.readyOnce.Do(func() { close(m.ready) })
}

// relocate looks for where to go on when a position does not exist any more, or not yet.
func (m *member) relocate(tp TopicPartition, from int64) {
	p := m.parts[tp]
	if p == nil || p.phase != running || p.moving {
		return
	}
	p.moving = true
	if from < 0 {
		from = p.next
	}
	m.lookUp(lookup{kind: lookupMove, parts: []*partition{p}, from: from})
}

// move goes on at the offset found: the log's start when retention passed the position, and what was received before
// stays and is handled; its end when the log is shorter than the position.
func (m *member) move(now time.Time, p *partition, from int64, f *startAnswer) {
	p.moving = false
	if p.phase != running {
		return
	}
	info := OffsetsLostInfo{TopicPartition: p.TopicPartition, From: from, To: f.offset}
	switch {
	case f.offset > from:
		info.Why, info.Lost = "retention", f.offset-from
		m.counters.lost.Add(info.Lost)
	case f.offset < from:
		info.Why = "truncation"
	}
	if f.offset < from {
		// Records that were received and are not resolved may have been cut off, and others may take their offsets: no
		// commit may pass those. So the partition begins anew, at its first unresolved record that is still there.
		at := min(p.position(), f.offset)
		committed, initial := p.committed, p.initial
		p = m.renew(p)
		p.initial = initial
		m.launch(now, p, &startAnswer{offset: at, leaderEpoch: -1, committed: committed})
	} else {
		m.startAt(p, f.offset, -1)
	}
	m.markDirty(p)
	if info.Why != "" {
		m.log.Error("offsets lost", "why", info.Why, "partition", p.key, "from", from, "to", f.offset, "lost", info.Lost)
		m.hooks.offsetsLost(info)
	}
}

// renew ends a partition's life here and begins another within the same assignment. The client keeps its pauses, so what
// the old life alone was paused for ends with it.
func (m *member) renew(p *partition) *partition {
	m.resume(p, pausedByBudget)
	m.remove(p)
	return m.admit(p.TopicPartition)
}

// recreated begins anew with a topic that was deleted and made again: what is known of it, and what is in flight,
// belongs to another log.
func (m *member) recreated(topic string) {
	m.topicThere(topic)
	var olds []*partition
	for tp, p := range m.parts {
		if tp.Topic == topic && p.phase != draining {
			olds = append(olds, p)
		}
	}
	l := lookup{kind: lookupStart}
	for _, old := range olds {
		m.anew[old.TopicPartition] = struct{}{}
		l.parts = append(l.parts, m.renew(old))
		m.hooks.offsetsLost(OffsetsLostInfo{TopicPartition: old.TopicPartition, From: old.next, To: 0, Why: "topic recreated"})
	}
	if len(l.parts) > 0 {
		m.lookUp(l)
	}
}
