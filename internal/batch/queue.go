package batch

import "time"

// Queue is a heap of lanes by time. A lane is in at most one queue.
type Queue[O any] struct{ items []*Lane[O] }

// place is a lane's place in its queue.
type place[O any] struct {
	q     *Queue[O]
	index int
	at    time.Time
}

// Add adds a lane to the queue.
func (q *Queue[O]) Add(l *Lane[O], at time.Time) {
	l.place = place[O]{q: q, index: len(q.items), at: at}
	q.items = append(q.items, l)
	q.up(len(q.items) - 1)
}

// Head returns the lane with the earliest time, nil if there is none.
func (q *Queue[O]) Head() *Lane[O] {
	if len(q.items) == 0 {
		return nil
	}
	return q.items[0]
}

// Holds reports whether the lane is in this queue.
func (q *Queue[O]) Holds(l *Lane[O]) bool { return l.place.q == q }

// Remove removes a lane, which must be in this queue.
func (q *Queue[O]) Remove(l *Lane[O]) {
	i, last := l.place.index, len(q.items)-1
	q.swap(i, last)
	q.items[last] = nil
	q.items = q.items[:last]
	l.place = place[O]{}
	if i < last {
		q.down(i)
		q.up(i)
	}
}

func (q *Queue[O]) swap(i, j int) {
	q.items[i], q.items[j] = q.items[j], q.items[i]
	q.items[i].place.index, q.items[j].place.index = i, j
}

func (q *Queue[O]) less(i, j int) bool { return q.items[i].place.at.Before(q.items[j].place.at) }

func (q *Queue[O]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

func (q *Queue[O]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q.items) {
			return
		}
		if child+1 < len(q.items) && q.less(child+1, child) {
			child++
		}
		if !q.less(child, i) {
			return
		}
		q.swap(i, child)
		i = child
	}
}
