package stream

import (
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/observe"
)

// answered takes in the answer to a lookup, for the partitions that still live: an answer belongs to the assignment that
// it was asked in.
func (m *Member) answered(now time.Time, l lookup) {
	m.lookups.underWay--
	if l.Kind == start.Seek {
		if l.parts[0] == l.seek.p {
			l.seek.question = l.Question // the operation goes on, or says what is wrong
		}
		return
	}
	var again []*partition.Partition
	failure := l.Err
	open := lookup{Question: start.Question{Kind: start.Offsets, Tries: l.Tries}, wanted: make(map[*partition.Partition]start.Answer)}
	for i, p := range l.parts {
		f := &l.Found[i]
		if !p.Alive || p.Phase == partition.Draining {
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
func (l *lookups) again(failed lookup, parts []*partition.Partition, after time.Time) {
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
func (m *Member) startFound(now time.Time, p *partition.Partition, f *start.Answer) {
	if p.Phase != partition.Starting || p.Found != nil {
		return
	}
	p.Note, p.Words = f.Note, ""
	if f.Committed < 0 && !f.Anew {
		p.Found = f
		m.commits.begun = append(m.commits.begun, p)
		return
	}
	m.launch(now, p, f)
}

// launch lets a partition run from its start.
func (m *Member) launch(now time.Time, p *partition.Partition, f *start.Answer) {
	if p.Phase != partition.Starting {
		return
	}
	p.Phase, p.Found, p.Anew = partition.Running, nil, false
	p.Committed = f.Committed
	p.Renote = f.Committed >= 0 && !f.Noted
	p.LeaderEpoch = f.LeaderEpoch
	m.startAt(p, f.Offset, f.LeaderEpoch)
	m.commits.mark(p) // of a topic that was made again: a client refuses the commit before it knows the start
	m.settle(p, now)
	m.announce()
}

// startAt tells the client where to read a partition on.
func (m *Member) startAt(p *partition.Partition, offset int64, leaderEpoch int32) {
	m.troubles.Started(p.TopicPartition)
	m.flow.epochs++
	if offset != p.Next {
		p.BehindAt = time.Now()
	}
	p.Epoch, p.Next, p.ReadEpoch = m.flow.epochs, offset, leaderEpoch
	m.flow.toStart = append(m.flow.toStart, driver.Start{TopicPartition: p.TopicPartition, Offset: offset, LeaderEpoch: leaderEpoch, Epoch: p.Epoch})
}

// announce closes Ready when every partition of the first assignment is started.
func (m *Member) announce() {
	for _, p := range m.parts {
		if p.Phase == partition.Starting {
			return
		}
	}
	m.settled(time.Now())
	m.getReady()
}

// getReady closes Ready.
func (m *Member) getReady() { m.readyOnce.Do(func() { close(m.ready) }) }

// movesAtOnce is how often in a row a partition is moved without a pause: a client or a broker that goes on refusing every
// position is not asked in a loop.
const movesAtOnce = 3

// relocate goes on elsewhere when a position does not exist any more, or not yet, or, where to says where, when the log was
// cut below it and has grown again.
func (m *Member) relocate(now time.Time, tp event.TopicPartition, from, to int64) {
	p := m.parts[tp]
	if p == nil || p.Phase != partition.Running || p.Moving {
		return
	}
	if from < 0 {
		from = p.Next
	}
	if to >= p.Next { // it was said of a position that was left since
		m.startAt(p, p.Next, p.ReadEpoch)
		return
	}
	p.Moves++
	if to != start.Nowhere && p.Moves <= movesAtOnce {
		m.move(now, p, from, start.Answer{Offset: to, LeaderEpoch: -1})
		return
	}
	p.Moving = true
	l := lookup{Question: start.Question{Kind: start.Move, From: from, To: to}, parts: []*partition.Partition{p}}
	if p.Moves > movesAtOnce {
		l.after = now.Add(m.lookupPause(p.Moves - movesAtOnce))
	}
	m.lookups.add(l)
}

// move goes on at the offset found: the log's start when retention passed the position, and what was received before
// stays and is handled; its end, or where it parts from what was read, when the log was cut.
func (m *Member) move(now time.Time, p *partition.Partition, from int64, f start.Answer) {
	p.Moving = false
	if p.Phase != partition.Running {
		return
	}
	to := f.Offset
	info := observe.OffsetsLostInfo{TopicPartition: p.TopicPartition, From: from, To: to}
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
		f = start.Answer{Offset: min(p.Position(), to), LeaderEpoch: p.LeaderEpoch, Committed: p.Committed, Noted: !p.Renote}
		if f.LeaderEpoch < 0 {
			f.LeaderEpoch = p.ReadEpoch
		}
		moves := p.Moves
		p = m.renew(p)
		p.Moves = moves
		m.launch(now, p, &f)
	case to == from: // it is there again, with or without what was read before it
		m.startAt(p, to, p.ReadEpoch)
	default:
		if p.Head() == nil {
			p.LeaderEpoch = max(p.LeaderEpoch, f.LeaderEpoch)
		}
		m.startAt(p, to, f.LeaderEpoch)
	}
	m.commits.mark(p)
	m.offsetsLost(info, p.Key)
}

func (m *Member) offsetsLost(info observe.OffsetsLostInfo, key string) {
	if info.Why == "" {
		return
	}
	m.shared.Log.Error("offsets lost", "reason", info.Why, "partition", key, "from", info.From, "to", info.To, "lost", info.Lost)
	m.shared.Hooks.OffsetsLost(info)
}

// renew ends a partition's life here and begins another within the same assignment. The client keeps its pauses, so what
// the old life alone was paused for ends with it.
func (m *Member) renew(p *partition.Partition) *partition.Partition {
	m.resume(p, partition.ByBudget)
	m.remove(p)
	q := m.admit(p.TopicPartition)
	q.Note, q.Assignment = p.Note, p.Assignment
	return q
}

// reportedAnew takes in the client's word that a topic was deleted and made again, for which it holds the partitions. The
// engine decides: it may have noticed by itself, and gone on with the new topic already.
func (m *Member) reportedAnew(topic string) {
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
func (m *Member) compareIDs(l *lookup) (unknown []*partition.Partition) {
	var old []*partition.Partition
	for i, p := range l.parts {
		if !p.Alive || p.Phase != partition.Running {
			continue
		}
		id, known := l.IDs[p.Topic]
		known = known && l.Found[i].Err == nil
		switch none := [16]byte{}; {
		case !known:
			unknown = append(unknown, p)
		case id != none && p.Note.Topic != none && id != p.Note.Topic:
			old = append(old, p)
		case l.reported && (id == none || p.Note.Topic == none):
			old = append(old, p) // nothing to compare: the client's word counts
		case l.reported:
			m.startAt(p, p.Next, p.ReadEpoch) // it runs with the new topic already
		case p.Note.Topic == none:
			p.Note.Topic, p.Words = id, ""
		}
	}
	m.recreated(old)
	return unknown
}

// recreated begins anew with partitions whose topic was deleted and made again: what is known of it, and what is in
// flight, belongs to another log.
func (m *Member) recreated(olds []*partition.Partition) {
	l := lookup{Question: start.Question{Kind: start.Begin}}
	for _, old := range olds {
		info := observe.OffsetsLostInfo{TopicPartition: old.TopicPartition, From: old.Next, Lost: max(0, old.Next-old.Position()), Why: "topic recreated"}
		m.shared.Counters.Lost.Add(info.Lost)
		p := m.renew(old)
		p.Anew = true
		l.parts = append(l.parts, p)
		m.offsetsLost(info, p.Key)
	}
	if len(l.parts) > 0 {
		m.lookups.add(l)
	}
}
