package simulate

// An event of the simulation, or a partition in the queue of those with work: anything that has a time and a
// number.
type event struct {
	at   float64
	kind eventKind
	of   int
	seq  uint64
}

// events is a heap by time. Events of the same time come in the order in which they were pushed, so that
// every run is the same.
type events struct {
	queue queue
	seq   uint64
}

func (h *events) push(e event) {
	h.seq++
	e.seq = h.seq
	h.queue.push(e)
}

func (h *events) pop() (event, bool) { return h.queue.pop() }

// queue is a binary heap by time, then sequence, then number.
type queue []event

func (q queue) less(i, j int) bool {
	a, b := &q[i], &q[j]
	if a.at != b.at {
		return a.at < b.at
	}
	if a.seq != b.seq {
		return a.seq < b.seq
	}
	return a.of < b.of
}

func (q *queue) push(e event) {
	*q = append(*q, e)
	h := *q
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (q *queue) pop() (event, bool) {
	h := *q
	if len(h) == 0 {
		return event{}, false
	}
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	*q = h
	for i := 0; ; {
		least := i
		for _, child := range [2]int{2*i + 1, 2*i + 2} {
			if child < len(h) && h.less(child, least) {
				least = child
			}
		}
		if least == i {
			return top, true
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
