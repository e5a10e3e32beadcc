package esm

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/esm-go/esm/driver"
)

// lookup is a question about offsets, and its answer. Lookups run one at a time on the lookup goroutine.
type lookup struct {
	kind  lookupKind
	parts []*partition // only read by the loop; the goroutine uses names
	names []TopicPartition
	anew  []bool // the partition's topic was made again: its commit means nothing
	start startPolicy
	known map[string][16]byte // topic ids as first seen, read by the goroutine only
	from  int64               // lookupMove: the offset that does not exist
	began time.Time

	found []startAnswer
	ids   map[string][16]byte
	err   error
}

type lookupKind uint8

const (
	lookupStart lookupKind = iota + 1 // where newly assigned partitions begin
	lookupMove                        // where to go on from a position that does not exist
	lookupIDs                         // whether topics were made again
)

// startPolicy is StartingPosition.
type startPolicy struct{ at driver.OffsetAt }

// startAnswer is what was found for one partition.
type startAnswer struct {
	offset      int64
	leaderEpoch int32
	committed   int64 // the group's commit, as it now is
	initial     int32
	earliest    int64 // lookupMove
	err         error
}

// lookupLoop is the lookup goroutine.
func (m *member) lookupLoop(ctx context.Context) {
	for {
		select {
		case l := <-m.lookups:
			lookCtx, cancel := context.WithTimeout(ctx, lookupTimeout)
			m.lookupBegan.Store(time.Now().UnixNano())
			m.resolve(lookCtx, &l)
			m.lookupBegan.Store(0)
			cancel()
			select {
			case m.answers <- l:
			case <-m.closed:
				return
			}
		case <-m.closed:
			return
		}
	}
}

// lookUp queues a lookup.
func (m *member) lookUp(l lookup) { m.queuedLookups = append(m.queuedLookups, l) }

// advanceLookups hands the next lookup to its goroutine.
func (m *member) advanceLookups(now time.Time) {
	if m.lookupBusy != nil || m.stop.phase != working {
		return
	}
	if len(m.queuedLookups) == 0 && m.opts.lagInterval > 0 && m.opts.driver.Features().TopicIDs {
		if now.Before(m.nextCheck) {
			m.at(m.nextCheck)
			return
		}
		m.nextCheck = now.Add(m.opts.lagInterval)
		l := lookup{kind: lookupIDs}
		for _, p := range m.parts {
			if p.phase == running {
				l.parts = append(l.parts, p)
			}
		}
		m.lookUp(l)
	}
	if len(m.queuedLookups) == 0 {
		return
	}
	if now.Before(m.lookupAfter) {
		m.at(m.lookupAfter)
		return
	}
	l := m.queuedLookups[0]
	m.queuedLookups = m.queuedLookups[1:]
	living := l.parts[:0:0]
	for _, p := range l.parts {
		if p.alive && p.phase != draining {
			living = append(living, p)
			l.names = append(l.names, p.TopicPartition)
			_, anew := m.anew[p.TopicPartition]
			l.anew = append(l.anew, anew)
		}
	}
	if l.parts = living; len(living) == 0 {
		m.at(now)
		return
	}
	l.start, l.known, l.began = m.settings.start, maps.Clone(m.firstIDs), now
	m.lookupBusy = &l
	m.lookups <- l // never waits: one at most is under way, and the channel holds one
}

// resolve answers a lookup. It runs on the lookup goroutine and touches nothing of the loop's.
func (m *member) resolve(ctx context.Context, l *lookup) {
	l.found = make([]startAnswer, len(l.names))
	switch l.kind {
	case lookupStart:
		l.err = m.resolveStart(ctx, l)
	case lookupMove:
		l.err = m.resolveMove(ctx, l)
	case lookupIDs:
		l.ids, _, l.err = m.describe(ctx, l.names)
	}
}

// queries asks for the offsets that at names, for the partitions without a commit.
func (l *lookup) queries(at []driver.OffsetAt) (queries []driver.OffsetQuery, index []int) {
	for i, tp := range l.names {
		if f := &l.found[i]; f.err == nil && f.committed < 0 {
			queries = append(queries, driver.OffsetQuery{TopicPartition: tp, At: at[i]})
			index = append(index, i)
		}
	}
	return queries, index
}

// beginAt finds the offsets that at names, for the partitions without a commit, and commits them before anything of
// those partitions is delivered: so a start is decided once for the whole group, whoever reads on from it.
func (m *member) beginAt(ctx context.Context, l *lookup, at []driver.OffsetAt) error {
	queries, index := l.queries(at)
	if len(queries) == 0 {
		return nil
	}
	answers, err := m.consumer.ListOffsets(ctx, queries)
	if err != nil {
		return err
	}
	commits := make([]driver.Commit, 0, len(answers))
	for k, a := range answers {
		f := &l.found[index[k]]
		if f.err = a.Err; f.err != nil {
			continue
		}
		f.offset, f.leaderEpoch = a.Offset, -1
		if l.anew[index[k]] {
			continue // a client refuses commits of the old topic until the new one is started; the first commit follows at once
		}
		commits = append(commits, driver.Commit{TopicPartition: a.TopicPartition, Offset: a.Offset, LeaderEpoch: -1,
			Metadata: commitMetadata(f.initial)})
	}
	if len(commits) == 0 {
		return nil
	}
	if err := m.commit(ctx, commits); err != nil {
		return fmt.Errorf("committing the starting positions: %w", err)
	}
	for _, i := range index {
		if f := &l.found[i]; f.err == nil && !l.anew[i] {
			f.committed = f.offset
		}
	}
	return nil
}

// describe returns the ids and sizes of the partitions' topics.
func (m *member) describe(ctx context.Context, names []TopicPartition) (ids map[string][16]byte, sizes map[string]int32, err error) {
	ids, sizes = make(map[string][16]byte), make(map[string]int32)
	var topics []string
	for _, tp := range names {
		if _, seen := sizes[tp.Topic]; !seen {
			sizes[tp.Topic] = 0
			topics = append(topics, tp.Topic)
		}
	}
	described, err := m.consumer.Topics(ctx, topics...)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range described {
		if t.Err != nil {
			return nil, nil, t.Err
		}
		ids[t.Name], sizes[t.Name] = t.ID, t.Partitions
	}
	return ids, sizes, nil
}

// resolveStart decides where partitions begin: at the group's commit; without one at StartingPosition when the group
// has never read the topic, or the partition was there when it began; at the beginning when it was added later.
func (m *member) resolveStart(ctx context.Context, l *lookup) error {
	ids, sizes, err := m.describe(ctx, l.names)
	if err != nil {
		return err
	}
	l.ids = ids
	var all []driver.TopicPartition
	for topic, n := range sizes {
		for i := range n {
			all = append(all, TopicPartition{Topic: topic, Partition: i})
		}
	}
	for _, tp := range l.names { // one that the metadata does not show yet
		if tp.Partition >= sizes[tp.Topic] {
			all = append(all, tp)
		}
	}
	answers, err := m.consumer.Committed(ctx, all)
	if err != nil {
		return err
	}
	commits := make(map[TopicPartition]driver.Committed, len(answers))
	initial := make(map[string]int32) // by topic: partitions when the group began; -1 = a group of others' making
	for _, c := range answers {
		if c.Err == nil && c.Offset < 0 {
			continue
		}
		commits[c.TopicPartition] = c
		if c.Err != nil {
			continue
		}
		if n := parseCommitMetadata(c.Metadata); n > 0 {
			initial[c.Topic] = max(initial[c.Topic], n)
		} else if initial[c.Topic] == 0 {
			initial[c.Topic] = -1
		}
	}
	at := make([]driver.OffsetAt, len(l.names))
	for i, tp := range l.names {
		f := &l.found[i]
		f.committed, f.leaderEpoch = -1, -1
		n := initial[tp.Topic]
		if f.initial = n; n <= 0 {
			f.initial = sizes[tp.Topic]
		}
		if l.anew[i] {
			at[i], f.initial = driver.AtEarliest, sizes[tp.Topic]
			continue
		}
		if c, ok := commits[tp]; ok {
			f.offset, f.leaderEpoch, f.committed, f.err = c.Offset, c.LeaderEpoch, c.Offset, c.Err
			continue
		}
		at[i] = l.start.at
		if known := l.known[tp.Topic]; known != ([16]byte{}) && ids[tp.Topic] != known {
			at[i] = driver.AtEarliest // made again under the same name while this member ran
		} else if n < 0 || n > 0 && tp.Partition >= n {
			at[i] = driver.AtEarliest
		}
	}
	return m.beginAt(ctx, l, at)
}

// resolveMove finds where the log of one partition begins and ends.
func (m *member) resolveMove(ctx context.Context, l *lookup) error {
	tp := l.names[0]
	answers, err := m.consumer.ListOffsets(ctx, []driver.OffsetQuery{{TopicPartition: tp, At: driver.AtEarliest}, {TopicPartition: tp, At: driver.AtEnd}})
	if err != nil {
		return err
	}
	f := &l.found[0]
	first, end := answers[0], answers[1]
	if f.err = first.Err; f.err == nil {
		f.err = end.Err
	}
	f.earliest, f.leaderEpoch = first.Offset, -1
	f.offset = min(max(l.from, first.Offset), end.Offset)
	return nil
}
