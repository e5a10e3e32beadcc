package limit

import "testing"

// However slots become free, they are granted to the waiting members in order; no later caller goes before them.
func TestSlotsAreHandedOutInTurn(t *testing.T) {
	type member = chan struct{}
	granted := func(m member) bool {
		select {
		case <-m:
			return true
		default:
			return false
		}
	}
	waiting := func(t *testing.T, w *Slots, n int) (members []member) {
		for range n {
			m := make(member, 1)
			if w.Acquire(m) {
				t.Fatal("a slot where there is none")
			}
			members = append(members, m)
		}
		return members
	}
	taken := func(t *testing.T, partitions int, full bool) *Slots { // there is one slot, and it is taken
		var w Slots
		w.Begin(1, 3, full)
		w.Assign(partitions)
		if !w.Acquire(make(member, 1)) {
			t.Fatal("no slot")
		}
		return &w
	}
	full := func(t *testing.T) *Slots { return taken(t, 1, true) } // as many as partitions
	for _, c := range []struct {
		name string
		make func(t *testing.T) *Slots
		free func(w *Slots)
	}{
		{"one is given back", full, func(w *Slots) { w.Release() }},
		{"a partition comes", full, func(w *Slots) { w.Assign(1) }},
		{"there are to be more", func(t *testing.T) *Slots { return taken(t, 3, false) }, func(w *Slots) { w.Set(2) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := c.make(t)
			m := waiting(t, w, 2)
			c.free(w)
			if !granted(m[0]) || granted(m[1]) {
				t.Error("not to the one that has waited longest, alone")
			}
			if busy, _, left := w.Counts(); left != 1 || busy != w.Limit() {
				t.Errorf("%d busy of %d, %d waiting", busy, w.Limit(), left)
			}
		})
	}
	t.Run("who asks while another one waits waits too", func(t *testing.T) {
		w := full(t)
		w.Set(1)
		first := waiting(t, w, 1)[0]
		w.mu.Lock() // a slot that is free although a member waits, for example after fewer partitions, then more
		w.busy--
		w.mu.Unlock()
		second := waiting(t, w, 1)[0]
		w.Assign(0)
		if !granted(first) || granted(second) {
			t.Error("the second went first")
		}
	})
	t.Run("most bounds them", func(t *testing.T) {
		w := full(t)
		w.Assign(7)
		if n := w.Limit(); n != 3 {
			t.Errorf("%d slots, want 3", n)
		}
	})
	t.Run("a member that ends leaves the queue, or the slot that it was granted", func(t *testing.T) {
		w := full(t)
		m := waiting(t, w, 3)
		w.Leave(m[0])
		w.Release()
		if granted(m[0]) || len(m[1]) != 1 {
			t.Fatal("the slot went to the one that had left")
		}
		w.Leave(m[1]) // granted, but not received yet
		if !granted(m[2]) {
			t.Error("the slot of the one that left went to nobody")
		}
		w.Release()
		if busy, _, left := w.Counts(); busy != 0 || left != 0 {
			t.Errorf("%d busy, %d waiting", busy, left)
		}
	})
}
