package esm

import "time"

// queue is a heap of partitions by time. A partition stands in one queue at most. Owned by the loop.
type queue struct{ items []*partition }

// queuePlace is a partition's place in its queue.
type queuePlace struct {
	q     *queue
	index int
	at    time.Time
}

// add puts a partition into the queue.
func (q *queue) add(p *partition, at time.Time) {
	p.place = queuePlace{q: q, index: len(q.items), at: at}
	q.items = append(q.items, p)
	q.up(len(q.items) - 1)
}

// head is the partition with the earliest time, nil when there is none.
func (q *queue) head() *partition {
	if len(q.items) == 0 {
		return nil
	}
	return q.items[0]
}

// remove takes a partition out of the queue in which it stands.
func (q *queue) remove(p *partition) {
	i, last := p.place.index, len(q.items)-1
	q.swap(i, last)
	q.items[last] = nil
	q.items = q.items[:last]
	p.place = queuePlace{}
	if i < last {
		q.down(i)
		q.up(i)
	}
}

func (q *queue) swap(i, j int) {
	q.items[i], q.items[j] = q.items[j], q.items[i]
	q.items[i].place.index, q.items[j].place.index = i, j
}

func (q *queue) less(i, j int) bool { return q.items[i].place.at.Before(q.items[j].place.at) }

func (q *queue) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !q.less(i, parent) {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

func (q *queue) down(i int) {
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
