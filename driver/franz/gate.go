package franz

import (
	"context"
	"sync"
)

// gate lets either the poll goroutine or a Listener call be inside, never both. The poll goroutine is inside while it
// asks the client and until its caller comes back for more; a Listener call that waits has the next turn.
//
// kgo's BlockRebalanceOnPoll does the same for kgo itself, but then PollRecords waits for a callback whatever becomes
// of its context.
type gate struct {
	mu      sync.Mutex
	holder  holder
	waiting int           // Listener calls that wait
	changed chan struct{} // closed at the next change; nil when nobody waits
}

type holder uint8

const (
	nobody holder = iota
	poller
	listenerCall
)

// enterPoll waits for the turn of the poll goroutine; false when ctx ended first.
func (g *gate) enterPoll(ctx context.Context) bool {
	for {
		g.mu.Lock()
		if g.holder == poller || g.holder == nobody && g.waiting == 0 {
			g.holder = poller
			g.mu.Unlock()
			return true
		}
		changed := g.wait()
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// leavePoll ends the turn of the poll goroutine, if it has it.
func (g *gate) leavePoll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holder == poller {
		g.holder = nobody
		g.wake()
	}
}

// callWaits says whether a Listener call waits for the poll goroutine.
func (g *gate) callWaits() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting > 0
}

// enterCall waits for the turn of a Listener call; interrupt ends what the poll goroutine waits for.
func (g *gate) enterCall(interrupt func()) {
	g.mu.Lock()
	g.waiting++
	for g.holder != nobody {
		changed := g.wait()
		g.mu.Unlock()
		interrupt()
		<-changed
		g.mu.Lock()
	}
	g.waiting--
	g.holder = listenerCall
	g.mu.Unlock()
}

func (g *gate) leaveCall() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holder = nobody
	g.wake()
}

func (g *gate) wait() <-chan struct{} {
	if g.changed == nil {
		g.changed = make(chan struct{})
	}
	return g.changed
}

func (g *gate) wake() {
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}
