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

// Lookup is a question about offsets, and its answer. The loop applies the answer to the partitions that are still
// assigned then.
type Lookup struct {
	start.Question
	Parts []*partition.Partition // only the loop reads them; the goroutine uses Names
	// Reported is whether the client reported that the topic was recreated; it holds the partitions then.
	Reported bool
	// After is when the lookup may start.
	After time.Time
	// Then applies the answer to a start.Seek, on the loop.
	Then func(*Lookup)
	// wanted is what start.Begin found for the partitions of start.Offsets.
	wanted map[*partition.Partition]start.Answer
}

const (
	// AtOnce is how many lookups run concurrently. A broker that does not answer delays only the lookups of its own
	// partitions, as long as those are fewer than AtOnce.
	AtOnce = 4
	// parts is how many lookups replace one that a slow broker delayed.
	parts = 8
	// othersAfter is how long after an assignment a member looks for commits of another mapping in its group. The commits
	// of a version that is being replaced should have ended by then.
	othersAfter = time.Minute
)

// Lookups has the queued and the running lookups, and the times of the periodic ones. Only the loop uses it, except for
// Run.
type Lookups struct {
	// Answers has the answered lookups, for Take.
	Answers     chan Lookup
	questions   chan Lookup // holds as many as may run concurrently
	rng         *rand.Rand
	interval    time.Duration // between two checks of the topics' ids; 0 = no checks
	queued      []Lookup
	underWay    int
	checkFailed bool      // the last check of the topics' ids
	checking    bool      // a check of them has not been answered
	nextCheck   time.Time // of the topics' ids
	nextOthers  time.Time // when to look for another mapping's commits; zero = not before the next assignment
}

// Init prepares l for use. interval is the time between two checks of the topics' ids (0 for none), rng the loop's.
func (l *Lookups) Init(interval time.Duration, rng *rand.Rand) {
	l.questions, l.Answers = make(chan Lookup, AtOnce), make(chan Lookup, 1)
	l.interval, l.rng, l.nextCheck = interval, rng, time.Now().Add(interval)
}

// Run is a lookup goroutine. It returns after closed is closed.
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

// Pause returns how long to wait before the nth retry of a lookup.
func (l *Lookups) Pause(n int) time.Duration {
	return limit.Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second}.After(n, l.rng)
}

// Add queues a lookup.
func (l *Lookups) Add(one Lookup) { l.queued = append(l.queued, one) }

// Again retries a lookup for the partitions that had no answer. If a broker was slow, it splits the lookup.
func (l *Lookups) Again(failed Lookup, again []*partition.Partition, after time.Time) {
	if failed.Kind == start.Offsets {
		failed.Kind = start.Begin // what was found before may no longer hold
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

// Failing reports whether a failed lookup is to be retried, or any is running.
func (l *Lookups) Failing() bool {
	return l.checkFailed || l.underWay > 0 || slices.ContainsFunc(l.queued, func(one Lookup) bool { return one.Tries > 0 })
}

// Advance starts the queued lookups that may start now. It returns when to call it again; zero if the next answer is soon
// enough.
func (l *Lookups) Advance(now time.Time, policy start.Policy, fingerprint string, held map[event.TopicPartition]*partition.Partition) (again time.Time) {
	again = earlier(l.checkTopics(now, held), l.checkOthers(now, fingerprint, held))
	if len(l.queued) == 0 {
		return again
	}
	waiting := l.queued[:0]
	for _, one := range l.queued {
		switch {
		case l.underWay == AtOnce: // the next answer leads back here
			waiting = append(waiting, one)
		case now.Before(one.After):
			again = earlier(again, one.After)
			waiting = append(waiting, one)
		case one.name(policy):
			l.underWay++
			l.checking = l.checking || one.isCheck()
			l.questions <- one // never waits: the channel holds as many as may run
		}
	}
	clear(l.queued[len(waiting):])
	l.queued = waiting
	return again
}

// name copies into a lookup what its goroutine needs to know. It returns false if none of its partitions is still
// assigned.
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

// isCheck reports whether a lookup is a periodic check for recreated topics.
func (l *Lookup) isCheck() bool { return l.Kind == start.IDs && !l.Reported }

// checkTopics checks periodically whether topics were recreated. It returns the time of the next check.
func (l *Lookups) checkTopics(now time.Time, held map[event.TopicPartition]*partition.Partition) (again time.Time) {
	if l.interval <= 0 {
		return time.Time{}
	}
	if now.Before(l.nextCheck) {
		return l.nextCheck
	}
	l.nextCheck = now.Add(l.interval)
	if l.checking || slices.ContainsFunc(l.queued, func(one Lookup) bool { return one.isCheck() }) {
		return l.nextCheck // while the brokers are slow, checks must not crowd out other lookups
	}
	running := running(held)
	if len(running) == 0 {
		l.checkFailed = false // a failed check is not retried
		return l.nextCheck
	}
	l.Add(Lookup{Question: start.Question{Kind: start.IDs}, Parts: running})
	return l.nextCheck
}

// LookForOthers schedules a check of the group's commits for those of another mapping, othersAfter from now. It follows
// an assignment, or a refresh of all commits.
func (l *Lookups) LookForOthers(now time.Time) { l.nextOthers = now.Add(othersAfter) }

// checkOthers looks for the commits of other mappings when it is time. It returns when that will be, zero for never.
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

// running returns the partitions that are fetched and handled.
func running(held map[event.TopicPartition]*partition.Partition) (list []*partition.Partition) {
	for _, p := range held {
		if p.Phase == partition.Running {
			list = append(list, p)
		}
	}
	return list
}

// earlier returns the earlier of two times. A zero time does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
