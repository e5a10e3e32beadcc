package stream

import (
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/lookup"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/observe"
)

// answered handles the answer to a lookup.
func (m *Member) answered(now time.Time, l lookup.Lookup) {
	o := m.lookups.Take(&l)
	for _, a := range o.Found {
		if l.Kind == start.Move {
			m.move(now, a.Of, l.From, *a.Found)
		} else {
			m.startFound(now, a.Of, a.Found)
		}
	}
	switch l.Kind {
	case start.IDs:
		if l.Err == nil {
			if unknown := m.compareIDs(&l); l.Reported {
				o.Again = unknown
			}
		}
	case start.Others:
		m.foundOthers(l.Others)
	}
	if o.Failure == nil {
		return
	}
	after := m.lookups.Pause(l.Tries + 1)
	m.shared.Counters.PollErrors.Add(1)
	m.shared.Hooks.Error(m.troubles.LookupFailed(o.Failure))
	m.lookups.Again(l, o.Again, now.Add(after))
}

// startFound handles the start found for a partition. A start that is not committed yet is committed before any record is
// delivered. So it is decided once for the whole group, whichever member continues from it.
func (m *Member) startFound(now time.Time, p *partition.Partition, f *start.Answer) {
	if p.Phase != partition.Starting || p.Found != nil {
		return
	}
	p.Note, p.Words = f.Note, ""
	if f.Committed < 0 && !f.Anew {
		p.Found = f
		m.commits.Begin(p)
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
	m.commits.Mark(p) // for a recreated topic: a client refuses the commit until it knows the start
	m.settle(p, now)
	m.announce()
}

// startAt tells the client where to continue reading a partition.
func (m *Member) startAt(p *partition.Partition, offset int64, leaderEpoch int32) {
	m.troubles.Started(p.TopicPartition)
	m.flow.epochs++
	if offset != p.Next {
		p.BehindAt = time.Now()
	}
	p.Epoch, p.Next, p.ReadEpoch = m.flow.epochs, offset, leaderEpoch
	m.flow.toStart = append(m.flow.toStart, driver.Start{TopicPartition: p.TopicPartition, Offset: offset, LeaderEpoch: leaderEpoch, Epoch: p.Epoch})
}

// announce closes Ready when every partition of the first assignment has started.
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

// movesAtOnce is how many times in a row a partition is moved without a pause. Beyond it the engine backs off, so as not
// to loop with a client or a broker that refuses every position.
const movesAtOnce = 3

// relocate handles a position that does not exist any longer, or not yet. If to is not start.Nowhere, the log was
// truncated below the position and has grown again, and to is where to continue.
func (m *Member) relocate(now time.Time, tp event.TopicPartition, from, to int64) {
	p := m.parts[tp]
	if p == nil || p.Phase != partition.Running || p.Moving {
		return
	}
	if from < 0 {
		from = p.Next
	}
	if to >= p.Next { // the client reported a position that was left since
		m.startAt(p, p.Next, p.ReadEpoch)
		return
	}
	p.Moves++
	if to != start.Nowhere && p.Moves <= movesAtOnce {
		m.move(now, p, from, start.Answer{Offset: to, LeaderEpoch: -1})
		return
	}
	p.Moving = true
	l := lookup.Lookup{Question: start.Question{Kind: start.Move, From: from, To: to}, Parts: []*partition.Partition{p}}
	if p.Moves > movesAtOnce {
		l.After = now.Add(m.lookups.Pause(p.Moves - movesAtOnce))
	}
	m.lookups.Add(l)
}

// move continues at the offset found. If retention passed the position, that is the log's start, and received records
// are still handled. If the log was truncated, it is the log's end, or where the log diverges from what was read.
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
		// Received, unresolved records may have been cut off, and others may take their offsets: no commit may pass those. So
		// the partition restarts at its first unresolved record that still exists. The epoch is that of what was read, so
		// that the client can detect whether the log diverges further back.
		f = start.Answer{Offset: min(p.Position(), to), LeaderEpoch: p.LeaderEpoch, Committed: p.Committed, Noted: !p.Renote}
		if f.LeaderEpoch < 0 {
			f.LeaderEpoch = p.ReadEpoch
		}
		moves := p.Moves
		p = m.renew(p)
		p.Moves = moves
		m.launch(now, p, &f)
	case to == from: // the position exists again, with or without what was read before it
		m.startAt(p, to, p.ReadEpoch)
	default:
		if p.Head() == nil {
			p.LeaderEpoch = max(p.LeaderEpoch, f.LeaderEpoch)
		}
		m.startAt(p, to, f.LeaderEpoch)
	}
	m.commits.Mark(p)
	m.offsetsLost(info, p.Key)
}

func (m *Member) offsetsLost(info observe.OffsetsLostInfo, key string) {
	if info.Why == "" {
		return
	}
	m.shared.Log.Error("offsets lost", "reason", info.Why, "partition", key, "from", info.From, "to", info.To, "lost", info.Lost)
	m.shared.Hooks.OffsetsLost(info)
}

// renew ends a partition's life and starts another within the same assignment. The client keeps its pauses, so the pause
// for the old life's memory is lifted.
func (m *Member) renew(p *partition.Partition) *partition.Partition {
	m.resume(p, partition.ByBudget)
	m.remove(p)
	q := m.admit(p.TopicPartition)
	q.Note, q.Assignment = p.Note, p.Assignment
	return q
}

// reportedAnew handles the client's report that a topic was recreated; the client holds its partitions until they are
// started. The engine decides: it may have noticed already, and be reading the new topic.
func (m *Member) reportedAnew(topic string) {
	l := lookup.Lookup{Question: start.Question{Kind: start.IDs}, Reported: true}
	for _, p := range m.parts {
		if p.Phase == partition.Running && p.Topic == topic {
			l.Parts = append(l.Parts, p)
		}
	}
	if len(l.Parts) > 0 {
		m.lookups.Add(l)
	}
}

// compareIDs restarts the partitions whose topic is not the one that they were started with. It returns those whose topic
// id is unknown.
func (m *Member) compareIDs(l *lookup.Lookup) (unknown []*partition.Partition) {
	var old []*partition.Partition
	for i, p := range l.Parts {
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
		case l.Reported && (id == none || p.Note.Topic == none):
			old = append(old, p) // nothing to compare: trust the client
		case l.Reported:
			m.startAt(p, p.Next, p.ReadEpoch) // it reads the new topic already
		case p.Note.Topic == none:
			p.Note.Topic, p.Words = id, ""
		}
	}
	m.recreated(old)
	return unknown
}

// recreated restarts partitions whose topic was recreated: what is known of them, and what is in flight, belongs to
// another log.
func (m *Member) recreated(olds []*partition.Partition) {
	l := lookup.Lookup{Question: start.Question{Kind: start.Begin}}
	for _, old := range olds {
		info := observe.OffsetsLostInfo{TopicPartition: old.TopicPartition, From: old.Next, Lost: max(0, old.Next-old.Position()), Why: "topic recreated"}
		m.shared.Counters.Lost.Add(info.Lost)
		p := m.renew(old)
		p.Anew = true
		l.Parts = append(l.Parts, p)
		m.offsetsLost(info, p.Key)
	}
	if len(l.Parts) > 0 {
		m.lookups.Add(l)
	}
}

// advanceLookups starts the lookups that may start now.
func (m *Member) advanceLookups(now time.Time) {
	if m.stop.phase != working {
		return
	}
	if again := m.lookups.Advance(now, m.settings.Start, m.settings.Fingerprint, m.parts); !again.IsZero() {
		m.at(again)
	}
}
