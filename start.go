package esm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/limit"
)

// lookup is a question about offsets, and its answer. It changes nothing at the broker: what follows from the answer the
// loop does, for the partitions that still live then.
type lookup struct {
	kind  lookupKind
	parts []*partition // only read by the loop; the goroutine uses names
	names []TopicPartition
	anew  []bool // the partition's topic was made again: its commit means nothing
	start startPolicy
	from  int64 // lookupMove: the offset that does not exist
	to    int64 // lookupMove: where the client found the log to part from what was read, nowhere when it did not
	// reported: the client said that the topic was made again, and holds its partitions.
	reported bool
	// wanted is what lookupStart found for the partitions of lookupOffsets.
	wanted map[*partition]startAnswer
	seek   *seek // of lookupSeek
	// tries counts the attempts that failed, after is when the next may begin.
	tries int
	after time.Time

	found []startAnswer
	ids   map[string][16]byte
	// slow: a broker did not answer in time, and the partitions that had to wait for it are to be asked for apart.
	slow bool
	// others are the fingerprints of other mappings in the group's commits.
	others []string
	err    error
}

type lookupKind uint8

const (
	lookupStart   lookupKind = iota + 1 // where newly assigned partitions begin
	lookupOffsets                       // the offsets at which those begin that the group has no commit of
	lookupMove                          // where to go on from a position that does not exist
	lookupIDs                           // whether topics were made again
	lookupCensus                        // which topics there are when the mapping first asks
	lookupOthers                        // whether another mapping commits in this group
	lookupSeek                          // the offset of a Seek
)

const (
	// lookupsAtOnce is how many lookups are under way at a time: a broker that does not answer keeps only those waiting
	// that ask for its partitions.
	lookupsAtOnce = 4
	// lookupParts is into how many a lookup is split that a slow broker kept waiting.
	lookupParts = 8
	// firstOffsetsTimeout is how long the first question for offsets may take, and grows with each try.
	firstOffsetsTimeout = 4 * time.Second
)

// startPolicy is StartingPosition.
type startPolicy struct{ at driver.OffsetAt }

// startAnswer is what was found for one partition.
type startAnswer struct {
	offset      int64
	leaderEpoch int32
	committed   int64 // the group's commit, -1 without
	note        note  // what a commit is to say
	noted       bool  // the group's commit says so
	at          driver.OffsetAt
	open        bool // offset is yet to be looked up, at that
	anew        bool // the start cannot be committed before the client knows it
	err         error
}

// lookupLoop is a lookup goroutine.
func (m *member) lookupLoop(ctx context.Context) {
	for {
		select {
		case l := <-m.lookups:
			lookCtx, cancel := context.WithTimeout(ctx, lookupTimeout)
			call := m.calls.begin(OpStart)
			m.resolve(lookCtx, &l)
			m.calls.end(call)
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

// lookupPause is how long to wait before a lookup's nth try after the first.
func (m *member) lookupPause(n int) time.Duration {
	return limit.Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second}.After(n, m.rng)
}

// lookUp queues a lookup.
func (m *member) lookUp(l lookup) { m.queuedLookups = append(m.queuedLookups, l) }

// advanceLookups hands the lookups that may begin to their goroutines.
func (m *member) advanceLookups(now time.Time) {
	if m.stop.phase != working {
		return
	}
	m.checkTopics(now)
	m.checkOthers(now)
	if len(m.queuedLookups) == 0 {
		return
	}
	waiting := m.queuedLookups[:0]
	for _, l := range m.queuedLookups {
		switch {
		case m.lookingUp == lookupsAtOnce: // the next answer comes back here
			waiting = append(waiting, l)
		case now.Before(l.after):
			m.at(l.after)
			waiting = append(waiting, l)
		case m.name(&l):
			m.lookingUp++
			m.lookups <- l // never waits: the channel holds as many as may be under way
		}
	}
	clear(m.queuedLookups[len(waiting):])
	m.queuedLookups = waiting
}

// name writes down for a lookup's goroutine what it needs to know; false when none of its partitions lives any more.
func (m *member) name(l *lookup) bool {
	l.start = m.settings.start
	if l.kind == lookupCensus {
		return true
	}
	living := l.parts[:0:0]
	for _, p := range l.parts {
		if p.alive && p.phase != draining {
			living = append(living, p)
			l.names = append(l.names, p.TopicPartition)
			l.anew = append(l.anew, p.anew)
			l.found = append(l.found, l.wanted[p])
		}
	}
	l.parts = living
	return len(living) > 0
}

// checkTopics asks now and then whether topics were deleted and made again.
func (m *member) checkTopics(now time.Time) {
	if m.opts.lagInterval <= 0 || !m.opts.driver.Features().TopicIDs {
		return
	}
	if now.Before(m.nextCheck) {
		m.at(m.nextCheck)
		return
	}
	m.nextCheck = now.Add(m.opts.lagInterval)
	m.at(m.nextCheck)
	m.lookUp(lookup{kind: lookupIDs, parts: m.running()})
}

// running are the partitions that are fetched and handled.
func (m *member) running() (parts []*partition) {
	for _, p := range m.parts {
		if p.phase == running {
			parts = append(parts, p)
		}
	}
	return parts
}

// resolve answers a lookup. It runs on a lookup goroutine and touches nothing of the loop's.
func (m *member) resolve(ctx context.Context, l *lookup) {
	switch l.kind {
	case lookupStart:
		l.err = m.resolveStart(ctx, l)
	case lookupOffsets:
		m.findStarts(ctx, l)
	case lookupMove:
		l.err = m.resolveMove(ctx, l)
	case lookupIDs:
		var topics map[string]driver.Topic
		if topics, l.err = m.describe(ctx, l.names); l.err == nil {
			l.take(topics)
		}
	case lookupCensus:
		l.err = m.takeCensus(ctx, l.start)
	case lookupOthers:
		l.err = m.resolveOthers(ctx, l)
	case lookupSeek:
		m.resolveSeek(ctx, l)
	}
}

// take notes which topics are there, and what is wrong with the others.
func (l *lookup) take(topics map[string]driver.Topic) {
	l.ids = make(map[string][16]byte, len(topics))
	for i, tp := range l.names {
		t, ok := topics[tp.Topic]
		switch {
		case !ok:
			l.found[i].err = &driver.Error{Kind: driver.KindUnknownTopic, TopicPartition: tp, Offset: -1, Err: errors.New("no broker answered for the topic")}
		case t.Err != nil:
			l.found[i].err = t.Err
		default:
			l.ids[tp.Topic] = t.ID
		}
	}
}

// describe returns the partitions' topics, by name.
func (m *member) describe(ctx context.Context, names []TopicPartition) (map[string]driver.Topic, error) {
	topics := make(map[string]driver.Topic)
	var ask []string
	for _, tp := range names {
		if _, seen := topics[tp.Topic]; !seen {
			topics[tp.Topic] = driver.Topic{}
			ask = append(ask, tp.Topic)
		}
	}
	described, err := m.consumer.Topics(ctx, ask...)
	if err != nil {
		return nil, err
	}
	clear(topics)
	for _, t := range described {
		topics[t.Name] = t
	}
	return topics, nil
}

// history is what the group's commits say of one topic.
type history struct {
	// commits: the group has some. ours: this library made some of them, and initial is what they say.
	commits, ours bool
	initial       int32
	// madeAgain: some are of a topic of the same name that was deleted since.
	madeAgain bool
}

// resolveStart decides where partitions begin: at the group's commit; without one at StartingPosition when the group
// has never read the topic, or the partition was there when it began; at the beginning when it was added later, or the
// topic made later or again.
func (m *member) resolveStart(ctx context.Context, l *lookup) error {
	if err := m.takeCensus(ctx, l.start); err != nil {
		return err
	}
	topics, err := m.describe(ctx, l.names)
	if err != nil {
		return err
	}
	l.take(topics)
	commits, err := m.commitsOf(ctx, l.names, topics)
	if err != nil {
		return err
	}
	past := make(map[string]history)
	for tp, c := range commits {
		if c.Err == nil {
			past[tp.Topic] = past[tp.Topic].add(c, note{topic: l.ids[tp.Topic], cluster: m.cluster})
		}
	}
	for i, tp := range l.names {
		f := &l.found[i]
		f.committed, f.leaderEpoch = -1, -1
		if f.err != nil {
			continue
		}
		f.at, f.open = l.start.at, true
		id, h := l.ids[tp.Topic], past[tp.Topic]
		later := m.census.later(tp.Topic, id) // the mapping asked before there was this topic
		f.note = note{topic: id, cluster: m.cluster, partitions: topics[tp.Topic].Partitions}
		switch {
		case h.ours:
			f.note.partitions = h.initial
		case h.commits || h.madeAgain || later:
			f.note.partitions = 0
		}
		c, ok := commits[tp]
		old := ok && c.Err == nil && parseNote(c.Metadata).stale(f.note)
		switch {
		case l.anew[i] || old:
			f.at, f.note.partitions, f.anew = driver.AtEarliest, 0, true
		case ok:
			f.offset, f.leaderEpoch, f.committed, f.err, f.open = c.Offset, c.LeaderEpoch, c.Offset, c.Err, false
			f.noted = c.Metadata == f.note.text(m.current.Load().fingerprint)
		case h.madeAgain || later || (h.commits || h.ours) && tp.Partition >= f.note.partitions:
			f.at = driver.AtEarliest
		}
	}
	return nil
}

// add takes in a commit of the topic of which one of today would say now.
func (h history) add(c driver.Committed, now note) history {
	n := parseNote(c.Metadata)
	switch {
	case n.stale(now):
		h.madeAgain = true
	case !n.ours:
		h.commits = true
	case h.ours:
		h.initial = min(h.initial, n.partitions)
	default:
		h.commits, h.ours, h.initial = true, true, n.partitions
	}
	return h
}

// commitsOf answers the group's commits of every partition of the named partitions' topics, of those that have one, or
// an error in its place.
func (m *member) commitsOf(ctx context.Context, names []TopicPartition, topics map[string]driver.Topic) (map[TopicPartition]driver.Committed, error) {
	var all []TopicPartition
	for topic, t := range topics {
		if t.Err == nil {
			for i := range t.Partitions {
				all = append(all, TopicPartition{Topic: topic, Partition: i})
			}
		}
	}
	for _, tp := range names { // one that the metadata does not show yet
		if t, ok := topics[tp.Topic]; ok && t.Err == nil && tp.Partition >= t.Partitions {
			all = append(all, tp)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	answers, err := m.consumer.Committed(ctx, all)
	if err != nil {
		return nil, err
	}
	commits := make(map[TopicPartition]driver.Committed, len(answers))
	for _, c := range answers {
		if c.Err != nil || c.Offset >= 0 {
			commits[c.TopicPartition] = c
		}
	}
	return commits, nil
}

// findStarts finds the offsets of starts that are still open. The end of a log is asked for before a time is: a record
// that comes between the two questions is behind that end, and not skipped. A leader that does not answer keeps the others'
// partitions waiting for as long as the first try takes, and is asked for its own apart from then on.
func (m *member) findStarts(ctx context.Context, l *lookup) {
	ctx, cancel := context.WithTimeout(ctx, min(lookupTimeout, firstOffsetsTimeout<<min(l.tries, 8)))
	defer cancel()
	var queries, ends []driver.OffsetQuery
	var index, timed []int
	for i, tp := range l.names {
		f := &l.found[i]
		queries, index = append(queries, driver.OffsetQuery{TopicPartition: tp, At: f.at}), append(index, i)
		if f.at >= 0 {
			ends, timed = append(ends, driver.OffsetQuery{TopicPartition: tp, At: driver.AtEnd}), append(timed, i)
		}
	}
	end := make(map[int]driver.OffsetAnswer, len(timed))
	ask := func(queries []driver.OffsetQuery, index []int, found func(i int, a driver.OffsetAnswer)) {
		if len(queries) == 0 {
			return
		}
		answers, err := m.consumer.ListOffsets(ctx, queries)
		if err != nil {
			l.slow = errors.Is(err, context.DeadlineExceeded)
		}
		for k, i := range index {
			f := &l.found[i]
			if err != nil {
				f.err = err
			} else if f.err == nil {
				if f.err = answers[k].Err; f.err == nil {
					found(i, answers[k])
				}
			}
		}
	}
	ask(ends, timed, func(i int, a driver.OffsetAnswer) { end[i] = a })
	ask(queries, index, func(i int, a driver.OffsetAnswer) {
		f := &l.found[i]
		if f.at >= 0 && end[i].Offset < a.Offset {
			a = end[i]
		}
		f.offset, f.leaderEpoch, f.open = a.Offset, a.LeaderEpoch, false
	})
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
	to := l.from
	if l.to != nowhere {
		to = min(to, l.to)
	}
	f.offset = min(max(to, first.Offset), end.Offset)
	if f.leaderEpoch = -1; f.offset == first.Offset {
		f.leaderEpoch = first.LeaderEpoch
	}
	return nil
}

// errStart says what a commit was for.
func errStart(err error) error { return fmt.Errorf("committing the starting positions: %w", err) }
