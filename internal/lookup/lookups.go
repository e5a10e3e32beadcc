package lookup

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/internal/stop"
	"github.com/esm-go/esm/observe"
)

// Lookup is a question about offsets, and its answer. What follows from the answer the loop does, for the partitions that
// still live then.
type Lookup struct {
	start.Question
	Parts []*partition.Partition // only read by the loop; the goroutine uses Names
	// Reported: the client said that the topic was made again, and holds its partitions.
	Reported bool
	// After is when it may begin.
	After time.Time
	// Then takes in the answer to a start.Seek, on the loop.
	Then func(*Lookup)
	// wanted is what start.Begin found for the partitions of start.Offsets.
	wanted map[*partition.Partition]start.Answer
}

const (
	// AtOnce is how many lookups are under way at a time: a broker that does not answer keeps only those waiting that ask for
	// its partitions.
	AtOnce = 4
	// parts is into how many a lookup is split that a slow broker kept waiting.
	parts = 8
	// othersAfter is how long after an assignment its members look for commits of another mapping in their group. Those of a
	// version that is being replaced by another one are over by then.
	othersAfter = time.Minute
)

// Lookups are those that wait and those under way, and when to look at what is looked at now and then. But for Run they are the
// loop's alone.
type Lookups struct {
	// Answers has what was answered, for Take.
	Answers     chan Lookup
	questions   chan Lookup // holds as many as may be under way
	rng         *rand.Rand
	interval    time.Duration // between two looks at the topics' ids; 0 = they are not looked at
	queued      []Lookup
	underWay    int
	checkFailed bool      // of the ids of topics, the last one
	nextCheck   time.Time // of the topics' ids
	nextOthers  time.Time // when to look for another mapping's commits; zero = not before the next assignment
}

// Init makes them ready; interval is the time between two looks at the topics' ids, 0 for none, and rng the loop's.
func (l *Lookups) Init(interval time.Duration, rng *rand.Rand) {
	l.questions, l.Answers = make(chan Lookup, AtOnce), make(chan Lookup, 1)
	l.interval, l.rng, l.nextCheck = interval, rng, time.Now().Add(interval)
}

// Run is a lookup goroutine, until closed is.
func (l *Lookups) Run(ctx context.Context, asker *start.Asker, calls *stop.Calls, closed <-chan struct{}) {
	for {
		select {
		case one := <-l.questions:
			lookCtx, cancel := context.WithTimeout(ctx, start.Timeout)
			call := calls.Begin(observe.OpStart)
			asker.Resolve(lookCtx, &one.Question)
			calls.End(call)
			cancel()
			select {
			case l.Answers <- one:
			case <-closed:
				return
			}
		case <-closed:
			return
		}
	}
}

// Pause is how long to wait before a lookup's nth try after the first.
func (l *Lookups) Pause(n int) time.Duration {
	return limit.Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second}.After(n, l.rng)
}

// Add queues a lookup.
func (l *Lookups) Add(one Lookup) { l.queued = append(l.queued, one) }

// Again asks once more for the partitions that had no answer. Those of a broker that is slow are asked for apart.
func (l *Lookups) Again(failed Lookup, again []*partition.Partition, after time.Time) {
	if failed.Kind == start.Offsets {
		failed.Kind = start.Begin // what was found before may not hold any more
	}
	next := Lookup{Question: start.Question{Kind: failed.Kind, From: failed.From, To: failed.To, Tries: failed.Tries + 1}, Reported: failed.Reported, After: after}
	if failed.Kind == start.Topics {
		l.Add(next)
	}
	if len(again) == 0 {
		return
	}
	size := len(again)
	if failed.Slow {
		size = (size + parts - 1) / parts
	}
	for some := range slices.Chunk(again, size) {
		next.Parts = some
		l.Add(next)
	}
}

// Failing reports whether a lookup that failed is to be tried again, or one is under way.
func (l *Lookups) Failing() bool {
	return l.checkFailed || l.underWay > 0 || slices.ContainsFunc(l.queued, func(one Lookup) bool { return one.Tries > 0 })
}

// Advance hands the lookups that may begin to their goroutines. It returns when to call it again; zero when the next answer is
// soon enough.
func (l *Lookups) Advance(now time.Time, policy start.Policy, fingerprint string, held map[event.TopicPartition]*partition.Partition) (again time.Time) {
	again = earlier(l.checkTopics(now, held), l.checkOthers(now, fingerprint, held))
	if len(l.queued) == 0 {
		return again
	}
	waiting := l.queued[:0]
	for _, one := range l.queued {
		switch {
		case l.underWay == AtOnce: // the next answer comes back here
			waiting = append(waiting, one)
		case now.Before(one.After):
			again = earlier(again, one.After)
			waiting = append(waiting, one)
		case one.name(policy):
			l.underWay++
			l.questions <- one // never waits: the channel holds as many as may be under way
		}
	}
	clear(l.queued[len(waiting):])
	l.queued = waiting
	return again
}

// name writes down for a lookup's goroutine what it needs to know; false when none of its partitions lives any more.
func (l *Lookup) name(policy start.Policy) bool {
	l.Start = policy
	if l.Kind == start.Topics {
		return true
	}
	living := l.Parts[:0:0]
	for _, p := range l.Parts {
		if p.Alive && p.Phase != partition.Draining {
			living = append(living, p)
			l.Names = append(l.Names, p.TopicPartition)
			l.Anew = append(l.Anew, p.Anew)
			l.Found = append(l.Found, l.wanted[p])
		}
	}
	l.Parts = living
	return len(living) > 0
}

// checkTopics asks now and then whether topics were deleted and made again. It returns when it will.
func (l *Lookups) checkTopics(now time.Time, held map[event.TopicPartition]*partition.Partition) (again time.Time) {
	if l.interval <= 0 {
		return time.Time{}
	}
	if now.Before(l.nextCheck) {
		return l.nextCheck
	}
	l.nextCheck = now.Add(l.interval)
	running := running(held)
	if len(running) == 0 {
		l.checkFailed = false // what could not be looked up is not asked any more
		return l.nextCheck
	}
	l.Add(Lookup{Question: start.Question{Kind: start.IDs}, Parts: running})
	return l.nextCheck
}

// LookForOthers has the group's commits looked at for those of another mapping a while after now: after an assignment, or a refresh of
// all commits.
func (l *Lookups) LookForOthers(now time.Time) { l.nextOthers = now.Add(othersAfter) }

// checkOthers asks for the commits of other mappings when it is time; it returns when that will be, zero for never.
func (l *Lookups) checkOthers(now time.Time, fingerprint string, held map[event.TopicPartition]*partition.Partition) (again time.Time) {
	if l.nextOthers.IsZero() || fingerprint == "" {
		return time.Time{}
	}
	if now.Before(l.nextOthers) {
		return l.nextOthers
	}
	l.nextOthers = time.Time{}
	l.Add(Lookup{Question: start.Question{Kind: start.Others}, Parts: running(held)})
	return time.Time{}
}

// running are the partitions that are fetched and handled.
func running(held map[event.TopicPartition]*partition.Partition) (list []*partition.Partition) {
	for _, p := range held {
		if p.Phase == partition.Running {
			list = append(list, p)
		}
	}
	return list
}

// earlier is the earlier one of two times, of which a zero one is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
