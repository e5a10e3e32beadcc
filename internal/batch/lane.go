package batch

import (
	"time"

	"github.com/esm-go/esm/event"
)

// Lane is what was received of one partition and is not resolved, in order: Work failed and waits to be tried again, or
// is in flight, then comes Buf. O is whose lane it is.
type Lane[O any] struct {
	Owner O
	// Key is "topic-partition", Overhead what the lane adds to an event's JSON beside its records.
	Key      string
	Overhead int

	Work []Unit
	Buf  Buffer

	place place[O]
	// stalled: nothing more is fetched for it, since the records in memory are too many.
	stalled bool
}

// Part is one lane's records in a batch, as the engine keeps them: the handler never sees this slice.
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

// Buffered returns the number of records received and not resolved.
func (l *Lane[O]) Buffered() int {
	n := l.Buf.Count
	for i := range l.Work {
		n += len(l.Work[i].Records)
	}
	return n
}

// Head returns the first record that is not resolved, nil when there is none.
func (l *Lane[O]) Head() *event.KafkaRecord {
	if len(l.Work) > 0 {
		return &l.Work[0].Records[0]
	}
	return l.Buf.First()
}

// PopWork takes the head unit out and puts what is left of it in its place.
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

// Waits reports whether the lane stands in a queue.
func (l *Lane[O]) Waits() bool { return l.place.q != nil }

// At returns the time by which the lane stands in its queue.
func (l *Lane[O]) At() time.Time { return l.place.at }
