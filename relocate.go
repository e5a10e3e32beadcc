package esm

import (
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
)

// answered takes in the answer to a lookup, for the partitions that still live: an answer belongs to the assignment that
// it was asked in.
func (m *member) answered(now time.Time, l lookup) {
	m.lookingUp--
	if l.kind == lookupSeek {
		l.seek.answered = true // the operation goes on, or says what is wrong
		return
	}
	var again []*partition
	failure := l.err
	open := lookup{kind: lookupOffsets, tries: l.tries, wanted: make(map[*partition]startAnswer)}
	for i, p := range l.parts {
		f := &l.found[i]
		if !p.alive || p.phase == draining {
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
		case lookupStart, lookupOffsets:
			if f.open {
				open.parts = append(open.parts, p)
				open.wanted[p] = *f
				continue
			}
			m.startFound(now, p, f)
		case lookupMove:
			m.move(now, p, l.from, *f)
		}
	}
	if len(open.parts) > 0 {
		m.lookUp(open)
	}
	switch l.kind {
	case lookupIDs:
		m.checkFailed = l.err != nil && !l.reported
		if l.err == nil {
			again = m.compareIDs(&l)
		}
		if !l.reported {
			again, failure = nil, l.err // the next check comes by itself
		}
	case lookupOthers:
		again = nil
		m.foundOthers(l.others)
	}
	if failure == nil {
		return
	}
	after := m.lookupPause(l.tries + 1)
	m.counters.pollErrors.Add(1)
	m.lookupFailed(failure)
	m.lookUpAgain(l, again, now.Add(after))
}

// lookUpAgain asks once more for the partitions that had no answer. Those of a broker that is slow are asked for apart.
func (m *member) lookUpAgain(l lookup, parts []*partition, after time.Time) {
	if l.kind == lookupOffsets {
		l.kind = lookupStart // what was found before may not hold any more
	}
	next := lookup{kind: l.kind, from: l.from, to: l.to, reported: l.reported, tries: l.tries + 1, after: after}
	if l.kind == lookupCensus {
		m.lookUp(next)
	}
	if len(parts) == 0 {
		return
	}
	size := len(parts)
	if l.slow {
		size = (size + lookupParts - 1) / lookupParts
	}
	for some := range slices.Chunk(parts, size) {
		next.parts = some
		m.lookUp(next)
	}
}

// startFound takes in where a partition starts. A start that the group has not yet is committed before anything of the partition
// is delivered, so that it is decided once for the whole group, whoever reads on from it.
func (m *member) startFound(now time.Time, p *partition, f *startAnswer) {
	if p.phase != starting || p.found != nil {
		return
	}
	p.note, p.words = f.note, ""
	if f.committed < 0 && !f.anew {
		p.found = f
		m.begun = append(m.begun, p)
		return
	}
	m.launch(now, p, f)
}

// launch lets a partition run from its start.
func (m *member) launch(now time.Time, p *partition, f *startAnswer) {
	if p.phase != starting {
		return
	}
	p.phase, p.found, p.anew = running, nil, false
	p.committed = f.committed
	p.renote = f.committed >= 0 && !f.noted
	p.leaderEpoch = f.leaderEpoch
	m.startAt(p, f.offset, f.leaderEpoch)
	m.markDirty(p) // of a topic that was made again: a client refuses the commit before it knows the start
	m.settle(p, now)
	m.announce()
}

// startAt tells the client where to read a partition on.
func (m *member) startAt(p *partition, offset int64, leaderEpoch int32) {
	m.started(p.TopicPartition)
	m.epochs++
	p.epoch, p.next, p.readEpoch = m.epochs, offset, leaderEpoch
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

// nowhere stands for no offset.
const nowhere = -1

// movesAtOnce is how often in a row a partition is moved without a pause: a client or a broker that goes on refusing every
// position is not asked in a loop.
const movesAtOnce = 3

// relocate goes on elsewhere when a position does not exist any more, or not yet, or, where to says where, when the log was
// cut below it and has grown again.
func (m *member) relocate(now time.Time, tp TopicPartition, from, to int64) {
	p := m.parts[tp]
	if p == nil || p.phase != running || p.moving {
		return
	}
	if from < 0 {
		from = p.next
	}
	if to >= p.next { // it was said of a position that was left since
		m.startAt(p, p.next, p.readEpoch)
		return
	}
	p.moves++
	if to != nowhere && p.moves <= movesAtOnce {
		m.move(now, p, from, startAnswer{offset: to, leaderEpoch: -1})
		return
	}
	p.moving = true
	l := lookup{kind: lookupMove, parts: []*partition{p}, from: from, to: to}
	if p.moves > movesAtOnce {
		l.after = now.Add(m.lookupPause(p.moves - movesAtOnce))
	}
	m.lookUp(l)
}

// move goes on at the offset found: the log's start when retention passed the position, and what was received before
// stays and is handled; its end, or where it parts from what was read, when the log was cut.
func (m *member) move(now time.Time, p *partition, from int64, f startAnswer) {
	p.moving = false
	if p.phase != running {
		return
	}
	to := f.offset
	info := OffsetsLostInfo{TopicPartition: p.TopicPartition, From: from, To: to}
	switch {
	case to > from:
		info.Why, info.Lost = "retention", to-from
	case to < from:
		info.Why, info.Lost = "truncation", from-to
	}
	m.counters.lost.Add(info.Lost)
	switch {
	case to < from:
		// Records that were received and are not resolved may have been cut off, and others may take their offsets: no
		// commit may pass those. So the partition begins anew, at its first unresolved record that is still there. The
		// epoch is that of what was read, so that the client finds out whether the log parts from it further back.
		f = startAnswer{offset: min(p.position(), to), leaderEpoch: p.leaderEpoch, committed: p.committed, noted: !p.renote}
		if f.leaderEpoch < 0 {
			f.leaderEpoch = p.readEpoch
		}
		moves := p.moves
		p = m.renew(p)
		p.moves = moves
		m.launch(now, p, &f)
	case to == from: // it is there again, with or without what was read before it
		m.startAt(p, to, p.readEpoch)
	default:
		if p.Head() == nil {
			p.leaderEpoch = max(p.leaderEpoch, f.leaderEpoch)
		}
		m.startAt(p, to, f.leaderEpoch)
	}
	m.markDirty(p)
	m.offsetsLost(info, p.Key)
}

func (m *member) offsetsLost(info OffsetsLostInfo, key string) {
	if info.Why == "" {
		return
	}
	m.log.Error("offsets lost", "why", info.Why, "partition", key, "from", info.From, "to", info.To, "lost", info.Lost)
	m.hooks.offsetsLost(info)
}

// renew ends a partition's life here and begins another within the same assignment. The client keeps its pauses, so what
// the old life alone was paused for ends with it.
func (m *member) renew(p *partition) *partition {
	m.resume(p, pausedByBudget)
	m.remove(p)
	q := m.admit(p.TopicPartition)
	q.note, q.assignment = p.note, p.assignment
	return q
}

// reportedAnew takes in the client's word that a topic was deleted and made again, for which it holds the partitions. The
// engine decides: it may have noticed by itself, and gone on with the new topic already.
func (m *member) reportedAnew(topic string) {
	l := lookup{kind: lookupIDs, reported: true}
	for _, p := range m.running() {
		if p.Topic == topic {
			l.parts = append(l.parts, p)
		}
	}
	if len(l.parts) > 0 {
		m.lookUp(l)
	}
}

// compareIDs begins anew with the partitions whose topic is not the one that they were started with, and returns those of
// which it is not known.
func (m *member) compareIDs(l *lookup) (unknown []*partition) {
	var old []*partition
	for i, p := range l.parts {
		if !p.alive || p.phase != running {
			continue
		}
		id, known := l.ids[p.Topic]
		known = known && l.found[i].err == nil
		switch none := [16]byte{}; {
		case !known:
			unknown = append(unknown, p)
		case id != none && p.note.topic != none && id != p.note.topic:
			old = append(old, p)
		case l.reported && (id == none || p.note.topic == none):
			old = append(old, p) // nothing to compare: the client's word counts
		case l.reported:
			m.startAt(p, p.next, p.readEpoch) // it runs with the new topic already
		case p.note.topic == none:
			p.note.topic, p.words = id, ""
		}
	}
	m.recreated(old)
	return unknown
}

// recreated begins anew with partitions whose topic was deleted and made again: what is known of it, and what is in
// flight, belongs to another log.
func (m *member) recreated(olds []*partition) {
	l := lookup{kind: lookupStart}
	for _, old := range olds {
		info := OffsetsLostInfo{TopicPartition: old.TopicPartition, From: old.next, Lost: max(0, old.next-old.position()), Why: "topic recreated"}
		m.counters.lost.Add(info.Lost)
		p := m.renew(old)
		p.anew = true
		l.parts = append(l.parts, p)
		m.offsetsLost(info, p.Key)
	}
	if len(l.parts) > 0 {
		m.lookUp(l)
	}
}
