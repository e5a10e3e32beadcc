package limit

import "sync"

// Slots are the concurrent invocations that the members of a mapping share. A member takes a slot before it begins an
// invocation and gives it back when that has ended; who finds none is told in its turn, so that no member starves. The
// number changes at once: fewer lets what runs go on, and no slot is handed out until enough have come back.
type Slots struct {
	mu sync.Mutex
	// target is the number of slots; full = as many as partitions are assigned, whatever their number becomes, but most.
	target, most int
	full         bool
	busy         int
	queue        []chan<- struct{} // of members that wait for a slot, each once
	// partitions is the number of partitions assigned to this process.
	partitions int
}

// count is the number of slots. The caller holds mu.
func (w *Slots) count() int {
	if !w.full {
		return w.target
	}
	n := max(w.partitions, 1)
	if w.most > 0 {
		n = min(n, w.most)
	}
	return n
}

// Begin sets what holds before the first decision: minimum slots, or with full as many as partitions are assigned, at most
// maximum, 0 for no bound.
func (w *Slots) Begin(minimum, maximum int, full bool) {
	w.most, w.full, w.target = maximum, full, max(minimum, 1)
}

// Limit returns the number of invocations that may run at a time.
func (w *Slots) Limit() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count()
}

// Set changes the number of slots. A number that the assigned partitions cap stays at the cap when more are assigned,
// until it is set again.
func (w *Slots) Set(target int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.target, w.full = target, target >= max(w.partitions, 1)
	w.grant()
}

// Assign notes that partitions came (or went).
func (w *Slots) Assign(change int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partitions += change
	w.grant()
}

// Acquire takes a slot; when there is none, or others wait, it reports false, and one is granted through told later. told
// holds one word, and tells members apart: each has its own.
func (w *Slots) Acquire(told chan<- struct{}) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 && w.busy < w.count() {
		w.busy++
		return true
	}
	w.queue = append(w.queue, told)
	return false
}

// Release gives a slot back.
func (w *Slots) Release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	w.grant()
}

// grant hands free slots to those that wait. The caller holds mu.
func (w *Slots) grant() {
	for len(w.queue) > 0 && w.busy < w.count() {
		told := w.queue[0]
		n := copy(w.queue, w.queue[1:])
		w.queue[n] = nil
		w.queue = w.queue[:n]
		w.busy++
		told <- struct{}{} // never waits: it holds one, and a member stands in the queue once and with no slot granted
	}
}

// Leave takes a member that ends out of the queue, and its slot back if it was granted one.
func (w *Slots) Leave(told chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, q := range w.queue {
		if q == (chan<- struct{})(told) {
			w.queue = append(w.queue[:i], w.queue[i+1:]...)
			break
		}
	}
	select {
	case <-told:
		w.busy--
		w.grant()
	default:
	}
}

// Counts returns how many slots are taken, how many partitions are assigned, and how many members wait.
func (w *Slots) Counts() (busy, partitions, waiting int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busy, w.partitions, len(w.queue)
}
