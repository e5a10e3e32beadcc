package franz

import "sync"

// gate keeps Listener calls inside Poll and Close: they run one at a time, and only while the poll goroutine waits for
// them. The poll goroutine gives way at the start of each Poll, after its caller has passed on the last Poll's result,
// and whenever a call interrupts its wait for records.
//
// kgo's BlockRebalanceOnPoll would also let callbacks run between two Polls.
type gate struct {
	mu      sync.Mutex
	changed sync.Cond
	open    bool // the poll goroutine waits, or has ended
	waiting int  // waiting calls
	running bool // a call runs
}

func (g *gate) init() { g.changed.L = &g.mu }

// giveWay lets the waiting calls run; it returns when none is left.
func (g *gate) giveWay() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.waiting > 0 || g.running {
		g.open = true
		g.changed.Broadcast()
		g.changed.Wait()
	}
	g.open = false
}

// openForGood lets every call run from now on, because Poll is no longer called.
func (g *gate) openForGood() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = true
	g.changed.Broadcast()
}

// callWaits reports whether a call waits.
func (g *gate) callWaits() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting > 0
}

// busy reports whether a call runs.
func (g *gate) busy() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running
}

// enterCall waits until a Listener call may run; interrupt ends the poll goroutine's current wait.
func (g *gate) enterCall(interrupt func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting++
	interrupt()
	for !g.open || g.running {
		g.changed.Wait()
	}
	g.waiting--
	g.running = true
}

func (g *gate) leaveCall() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running = false
	g.changed.Broadcast()
}
