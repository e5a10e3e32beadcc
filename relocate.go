package esm

import (
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/start"
)

// answered takes in the answer to a lookup, for the partitions that still live: an answer belongs to the assignment that
// it was asked in.
func (m *member) answered(now time.Time, l lookup) {
	m.lookups.underWay--
	if l.Kind == start.Seek {
		l.seek.question = l.Question // the operation goes on, or says what is wrong
		return
	}
	var again []*partition
	failure := l.Err
	open := lookup{Question: start.Question{Kind: start.Offsets, Tries: l.Tries}, wanted: make(map[*partition]start.Answer)}
	for i, p := range l.parts {
		f := &l.Found[i]
		if !p.alive || p.phase == draining {
			continue
		}
		if l.Err != nil || f.Err != nil {
			again = append(again, p)
			if failure == nil {
				failure = f.Err
			}
			continue
		}
		switch l.Kind {
		case start.Begin, start.Offsets:
			if f.Open {
				open.parts = append(open.parts, p)
				open.wanted[p] = *f
				continue
			}
			m.startFound(now, p, f)
		case start.Move:
			m.move(now, p, l.From, *f)
		}
	}
	if len(open.parts) > 0 {
		m.lookups.add(open)
	}
	switch l.Kind {
	case start.IDs:
		m.lookups.checkFailed = l.Err != nil && !l.reported
		if l.Err == nil {
			again = m.compareIDs(&l)
		}
		if !l.reported {
			again, failure = nil, l.Err // the next check comes by itself
		}
	case start.Others:
		again = nil
		m.foundOthers(l.Others)
	}
	if failure == nil {
		return
	}
	after := m.lookupPause(l.Tries + 1)
	m.shared.Counters.PollErrors.Add(1)
	m.shared.Hooks.Error(m.troubles.LookupFailed(failure))
	m.lookups.again(l, again, now.Add(after))
}

// again asks once more for the partitions that had no answer. Those of a broker that is slow are asked for apart.
func (l *lookups) again(failed lookup, parts []*partition, after time.Time) {
	if failed.Kind == start.Offsets {
		failed.Kind = start.Begin // what was found before may not hold any more
	}
	next := lookup{Question: start.Question{Kind: failed.Kind, From: failed.From, To: failed.To, Tries: failed.Tries + 1}, reported: failed.reported, after: after}
	if failed.Kind == start.Topics {
		l.add(next)
	}
	if len(parts) == 0 {
		return
	}
	size := len(parts)
	if failed.Slow {
		size = (size + lookupParts - 1) / lookupParts
	}
	for some := range slices.Chunk(parts, size) {
		next.parts = some
		l.add(next)
	}
}

// startFound takes in where a partition starts. A start that the group has not yet is committed before anything of the partition
// is delivered, so that it is decided once for the whole group, whoever reads on from it.
func (m *member) startFound(now time.Time, p *partition, f *start.Answer) {
	if p.phase != starting || p.found != nil {
		return
	}
	p.note, p.words = f.Note, ""
	if f.Committed < 0 && !f.Anew {
		p.found = f
		m.commits.begun = append(m.commits.begun, p)
		return
	}
	m.launch(now, p, f)
}

// launch lets a partition run from its start.
func (m *member) launch(now time.Time, p *partition, f *start.Answer) {
	if p.phase != starting {
		return
	}
	p.phase, p.found, p.anew = running, nil, false
	p.committed = f.Committed
	p.renote = f.Committed >= 0 && !f.Noted
	p.leaderEpoch = f.LeaderEpoch
	m.startAt(p, f.Offset, f.LeaderEpoch)
	m.commits.mark(p) // of a topic that was made again: a client refuses the commit before it knows the start
	m.settle(p, now)
	m.announce()
}

// startAt tells the client where to read a partition on.
func (m *member) startAt(p *partition, offset int64, leaderEpoch int32) {
	m.troubles.Started(p.TopicPartition)
	m.flow.epochs++
	p.epoch, p.next, p.readEpoch = m.flow.epochs, offset, leaderEpoch
	m.flow.toStart = append(m.flow.toStart, driver.Start{TopicPartition: p.TopicPartition, Offset: offset, LeaderEpoch: leaderEpoch, Epoch: p.epoch})
}

// announce closes Ready when every partition of the first assignment is started.
func (m *member) announce() {
	for _, p := range m.parts {
		if p.phase == starting {
			return
		}
	}
	m.settled(time.Now())
	m.getReady()
}

// getReady closes Ready.
func (m *member) getReady() { m.readyOnce.Do(func() { close(m.ready) }) }

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
	if to != start.Nowhere && p.moves <= movesAtOnce {
		m.move(now, p, from, start.Answer{Offset: to, LeaderEpoch: -1})
		return
	}
	p.moving = true
	l := lookup{Question: start.Question{Kind: start.Move, From: from, To: to}, parts: []*partition{p}}
	if p.moves > movesAtOnce {
		l.after = now.Add(m.lookupPause(p.moves - movesAtOnce))
	}
	m.lookups.add(l)
}

// move goes on at the offset found: the log's start when retention passed the position, and what was received before
// stays and is handled; its end, or where it parts from what was read, when the log was cut.
func (m *member) move(now time.Time, p *partition, from int64, f start.Answer) {
	p.moving = false
	if p.phase != running {
		return
	}
	to := f.Offset
	info := OffsetsLostInfo{TopicPartition: p.TopicPartition, From: from, To: to}
	switch {
	case to > from:
		info.Why, info.Lost = "retention", to-from
	case to < from:
		info.Why, info.Lost = "truncation", from-to
	}
	m.shared.Counters.Lost.Add(info.Lost)
	switch {
	case to < from:
		// Records that were received and are not resolved may have been cut off, and others may take their offsets: no
		// commit may pass those. So the partition begins anew, at its first unresolved record that is still there. The
		// epoch is that of what was read, so that the client finds out whether the log parts from it further back.
		f = start.Answer{Offset: min(p.position(), to), LeaderEpoch: p.leaderEpoch, Committed: p.committed, Noted: !p.renote}
		if f.LeaderEpoch < 0 {
			f.LeaderEpoch = p.readEpoch
		}
		moves := p.moves
		p = m.renew(p)
		p.moves = moves
		m.launch(now, p, &f)
	case to == from: // it is there again, with or without what was read before it
		m.startAt(p, to, p.readEpoch)
	default:
		if p.Head() == nil {
			p.leaderEpoch = max(p.leaderEpoch, f.LeaderEpoch)
		}
		m.startAt(p, to, f.LeaderEpoch)
	}
	m.commits.mark(p)
	m.offsetsLost(info, p.Key)
}

func (m *member) offsetsLost(info OffsetsLostInfo, key string) {
	if info.Why == "" {
		return
	}
	m.shared.Log.Error("offsets lost", "why", info.Why, "partition", key, "from", info.From, "to", info.To, "lost", info.Lost)
	m.shared.Hooks.OffsetsLost(info)
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
	l := lookup{Question: start.Question{Kind: start.IDs}, reported: true}
	for _, p := range m.running() {
		if p.Topic == topic {
			l.parts = append(l.parts, p)
		}
	}
	if len(l.parts) > 0 {
		m.lookups.add(l)
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
		id, known := l.IDs[p.Topic]
		known = known && l.Found[i].Err == nil
		switch none := [16]byte{}; {
		case !known:
			unknown = append(unknown, p)
		case id != none && p.note.Topic != none && id != p.note.Topic:
			old = append(old, p)
		case l.reported && (id == none || p.note.Topic == none):
			old = append(old, p) // nothing to compare: the client's word counts
		case l.reported:
			m.startAt(p, p.next, p.readEpoch) // it runs with the new topic already
		case p.note.Topic == none:
			p.note.Topic, p.words = id, ""
		}
	}
	m.recreated(old)
	return unknown
}

// recreated begins anew with partitions whose topic was deleted and made again: what is known of it, and what is in
// flight, belongs to another log.
func (m *member) recreated(olds []*partition) {
	l := lookup{Question: start.Question{Kind: start.Begin}}
	for _, old := range olds {
		info := OffsetsLostInfo{TopicPartition: old.TopicPartition, From: old.next, Lost: max(0, old.next-old.position()), Why: "topic recreated"}
		m.shared.Counters.Lost.Add(info.Lost)
		p := m.renew(old)
		p.anew = true
		l.parts = append(l.parts, p)
		m.offsetsLost(info, p.Key)
	}
	if len(l.parts) > 0 {
		m.lookups.add(l)
	}
}
