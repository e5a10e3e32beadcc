package limit

import "sync"

// Slots bounds the concurrent invocations of a mapping; its members share it. A member takes a slot before it begins an
// invocation and releases it afterwards. A member that finds none is queued, so that none starves. A new number takes
// effect at once. If it is lower, running invocations continue, and no slot is granted until enough have been released.
type Slots struct {
	mu sync.Mutex
	// target is the number of slots. With full, it is the number of assigned partitions instead, up to most if that is
	// not 0.
	target, most int
	full         bool
	busy         int
	queue        []chan<- struct{} // of members that wait for a slot, each once
	// partitions is the number of partitions assigned to this process.
	partitions int
}

// count returns the number of slots. The caller holds mu.
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

// Begin sets the limits that apply before the first decision: minimum slots, or with full as many as partitions are
// assigned, at most maximum (0 = no bound).
func (w *Slots) Begin(minimum, maximum int, full bool) {
	w.most, w.full, w.target = maximum, full, max(minimum, 1)
}

// Limit returns the number of invocations that may run concurrently.
func (w *Slots) Limit() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count()
}

// Set changes the number of slots. If target is at least the number of assigned partitions, the number of slots follows
// theirs until Set is called again.
func (w *Slots) Set(target int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.target, w.full = target, target >= max(w.partitions, 1)
	w.grant()
}

// Assign adds change, which may be negative, to the number of assigned partitions.
func (w *Slots) Assign(change int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partitions += change
	w.grant()
}

// Acquire takes a slot. If none is free, or others wait, it returns false, and a slot is granted through told later. told
// is buffered for one. It identifies the member, so each member has its own.
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

// Release returns a slot.
func (w *Slots) Release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	w.grant()
}

// grant gives free slots to the waiting members. The caller holds mu.
func (w *Slots) grant() {
	for len(w.queue) > 0 && w.busy < w.count() {
		told := w.queue[0]
		n := copy(w.queue, w.queue[1:])
		w.queue[n] = nil
		w.queue = w.queue[:n]
		w.busy++
		told <- struct{}{} // never waits: told is buffered for one, and a queued member has no granted slot pending
	}
}

// Leave removes a member that ends from the queue, and takes back a slot that was granted to it.
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
