package esm

import "sync"

// workers are the concurrent invocations that the members of a mapping share. A member takes a slot before it begins an
// invocation and gives it back when that has ended; who finds none is told in its turn, so that no member starves. The
// number changes at once: fewer lets what runs go on, and no slot is handed out until enough have come back.
type workers struct {
	mu sync.Mutex
	// target is the number of slots; full = as many as partitions are assigned, whatever their number becomes, but most.
	target, most int
	full         bool
	busy         int
	queue        []*member // that wait for a slot, each once
	// partitions is the number of partitions assigned to this process.
	partitions int
}

// count is the number of slots. The caller holds mu.
func (w *workers) count() int {
	if !w.full {
		return w.target
	}
	n := max(w.partitions, 1)
	if w.most > 0 {
		n = min(n, w.most)
	}
	return n
}

// begin sets what holds before the first decision: the number of slots, or as many as partitions, at most so many.
func (w *workers) begin(o *options) {
	w.most = o.maximumWorkers
	// The default policy begins with all that the range allows: a process that has just started has everything to catch
	// up with, and must not wait for Lambda's minute. A policy that the user chose begins at the minimum.
	w.full, w.target = !o.scaler, max(o.minimumWorkers, 1)
}

// limit is the number of invocations that may run at a time.
func (w *workers) limit() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count()
}

// set changes the number of slots. A number that the assigned partitions cap stays at the cap when more are assigned,
// until it is set again.
func (w *workers) set(target int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.target, w.full = target, target >= max(w.partitions, 1)
	w.grant()
}

// assign notes that partitions came (or went).
func (w *workers) assign(change int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partitions += change
	w.grant()
}

// acquire takes a slot; when there is none, or others wait, the member is told through its slots channel later.
func (w *workers) acquire(m *member) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 && w.busy < w.count() {
		w.busy++
		return true
	}
	w.queue = append(w.queue, m)
	return false
}

// release gives a slot back.
func (w *workers) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
	w.grant()
}

// grant hands free slots to those that wait. The caller holds mu.
func (w *workers) grant() {
	for len(w.queue) > 0 && w.busy < w.count() {
		m := w.queue[0]
		n := copy(w.queue, w.queue[1:])
		w.queue[n] = nil
		w.queue = w.queue[:n]
		w.busy++
		m.slots <- struct{}{} // never waits: it holds one, and a member stands in the queue once and with no slot granted
	}
}

// leave takes a member that ends out of the queue, and its slot back if it was granted one.
func (w *workers) leave(m *member) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, q := range w.queue {
		if q == m {
			w.queue = append(w.queue[:i], w.queue[i+1:]...)
			break
		}
	}
	select {
	case <-m.slots:
		w.busy--
		w.grant()
	default:
	}
}

// acquire has the member hold a slot for its next invocation; false when it has to wait for one.
func (m *member) acquire() bool {
	if !m.slot && !m.waiting {
		m.slot = m.workers.acquire(m)
		m.waiting = !m.slot
	}
	return m.slot
}

// spare gives back a slot that there is no use for.
func (m *member) spare() {
	if m.slot {
		m.slot = false
		m.workers.release()
	}
}
