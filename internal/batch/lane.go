package batch

import (
	"time"

	"github.com/esm-go/esm/event"
)

// Lane has the received and unresolved records of one partition, in order: first Work, which is in flight or waits to be
// retried, then Buf. O is the type of its owner.
type Lane[O any] struct {
	Owner O
	// Key is "topic-partition". Overhead is what the lane adds to an event's JSON in addition to its records.
	Key      string
	Overhead int

	Work []Unit
	Buf  Buffer

	place place[O]
	// stalled is whether the lane is not fetched because it holds too much memory.
	stalled bool
}

// Part is one lane's records in a batch, as the engine keeps them. The handler never sees this slice.
type Part[O any] struct {
	*Lane[O]
	Records []event.KafkaRecord
}

// Held returns the memory that the lane's records keep alive.
func (l *Lane[O]) Held() int {
	n := l.Buf.Held
	for i := range l.Work {
		n += l.Work[i].Held
	}
	return n
}

// Buffered returns the number of received and unresolved records.
func (l *Lane[O]) Buffered() int {
	n := l.Buf.Count
	for i := range l.Work {
		n += len(l.Work[i].Records)
	}
	return n
}

// Head returns the first unresolved record, nil if there is none.
func (l *Lane[O]) Head() *event.KafkaRecord {
	if len(l.Work) > 0 {
		return &l.Work[0].Records[0]
	}
	return l.Buf.First()
}

// PopWork replaces the head unit by what is left of it.
func (l *Lane[O]) PopWork(next ...Unit) {
	switch len(next) {
	case 0:
		copy(l.Work, l.Work[1:])
		l.Work[len(l.Work)-1] = Unit{}
		l.Work = l.Work[:len(l.Work)-1]
	case 1:
		l.Work[0] = next[0]
	default:
		l.Work = append(next, l.Work[1:]...)
	}
}

// Waits reports whether the lane is in a queue.
func (l *Lane[O]) Waits() bool { return l.place.q != nil }

// At returns the time by which the lane is ordered in its queue.
func (l *Lane[O]) At() time.Time { return l.place.at }
