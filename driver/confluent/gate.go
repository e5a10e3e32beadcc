//go:build cgo

package confluent

import "sync"

// gate counts the calls that goroutines other than the poll goroutine have inside librdkafka. Close frees librdkafka's
// handle, so no call may begin after that, and Close must wait for those that have begun.
type gate struct {
	mu     sync.Mutex
	inside int
	shut   bool
	empty  chan struct{} // closed when shut and no call is inside
}

func newGate() *gate { return &gate{empty: make(chan struct{})} }

// enter reports whether a call may begin; if so, leave must follow.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return false
	}
	g.inside++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.shut && g.inside == 0 {
		close(g.empty)
	}
}

// close refuses new calls and returns a channel that is closed when the last call has left.
func (g *gate) close() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.shut {
		g.shut = true
		if g.inside == 0 {
			close(g.empty)
		}
	}
	return g.empty
}

// count returns the number of calls inside.
func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside
}
