package stream

import (
	"context"
	"time"

	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/observe"
)

// lookup is a question about offsets, and its answer. What follows from the answer the loop does, for the partitions that
// still live then.
type lookup struct {
	start.Question
	parts []*partition.Partition // only read by the loop; the goroutine uses names
	seek  *seek                  // of start.Seek
	// reported: the client said that the topic was made again, and holds its partitions.
	reported bool
	// wanted is what start.Begin found for the partitions of start.Offsets.
	wanted map[*partition.Partition]start.Answer
	// after is when it may begin.
	after time.Time
}

const (
	// lookupsAtOnce is how many lookups are under way at a time: a broker that does not answer keeps only those waiting
	// that ask for its partitions.
	lookupsAtOnce = 4
	// lookupParts is into how many a lookup is split that a slow broker kept waiting.
	lookupParts = 8
)

// lookups are those that wait and those under way, and when to look at what is looked at now and then.
type lookups struct {
	queued      []lookup
	underWay    int
	checkFailed bool      // of the ids of topics, the last one
	nextCheck   time.Time // of the topics' ids
	nextOthers  time.Time // when to look for another mapping's commits; zero = not before the next assignment
	others      map[string]bool
}

// lookupLoop is a lookup goroutine.
func (m *Member) lookupLoop(ctx context.Context) {
	asker := start.Asker{Consumer: m.consumer, Census: &m.shared.Census, Cluster: m.shared.Cluster,
		Fingerprint: func() string { return m.shared.Current.Load().Fingerprint }}
	for {
		select {
		case l := <-m.toLookUp:
			lookCtx, cancel := context.WithTimeout(ctx, start.Timeout)
			call := m.shared.Calls.Begin(observe.OpStart)
			asker.Resolve(lookCtx, &l.Question)
			m.shared.Calls.End(call)
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
func (m *Member) lookupPause(n int) time.Duration {
	return limit.Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second}.After(n, m.rng)
}

// add queues a lookup.
func (l *lookups) add(one lookup) { l.queued = append(l.queued, one) }

// advanceLookups hands the lookups that may begin to their goroutines.
func (m *Member) advanceLookups(now time.Time) {
	if m.stop.phase != working {
		return
	}
	m.checkTopics(now)
	m.checkOthers(now)
	if len(m.lookups.queued) == 0 {
		return
	}
	waiting := m.lookups.queued[:0]
	for _, l := range m.lookups.queued {
		switch {
		case m.lookups.underWay == lookupsAtOnce: // the next answer comes back here
			waiting = append(waiting, l)
		case now.Before(l.after):
			m.at(l.after)
			waiting = append(waiting, l)
		case m.name(&l):
			m.lookups.underWay++
			m.toLookUp <- l // never waits: the channel holds as many as may be under way
		}
	}
	clear(m.lookups.queued[len(waiting):])
	m.lookups.queued = waiting
}

// name writes down for a lookup's goroutine what it needs to know; false when none of its partitions lives any more.
func (m *Member) name(l *lookup) bool {
	l.Start = m.settings.Start
	if l.Kind == start.Topics {
		return true
	}
	living := l.parts[:0:0]
	for _, p := range l.parts {
		if p.Alive && p.Phase != partition.Draining {
			living = append(living, p)
			l.Names = append(l.Names, p.TopicPartition)
			l.Anew = append(l.Anew, p.Anew)
			l.Found = append(l.Found, l.wanted[p])
		}
	}
	l.parts = living
	return len(living) > 0
}

// checkTopics asks now and then whether topics were deleted and made again.
func (m *Member) checkTopics(now time.Time) {
	if m.shared.Config.LagInterval <= 0 || !m.shared.Config.Driver.Features().TopicIDs {
		return
	}
	if now.Before(m.lookups.nextCheck) {
		m.at(m.lookups.nextCheck)
		return
	}
	m.lookups.nextCheck = now.Add(m.shared.Config.LagInterval)
	m.at(m.lookups.nextCheck)
	parts := m.running()
	if len(parts) == 0 {
		m.lookups.checkFailed = false // what could not be looked up is not asked any more
		return
	}
	m.lookups.add(lookup{Question: start.Question{Kind: start.IDs}, parts: parts})
}

// running are the partitions that are fetched and handled.
func (m *Member) running() (parts []*partition.Partition) {
	for _, p := range m.parts {
		if p.Phase == partition.Running {
			parts = append(parts, p)
		}
	}
	return parts
}
