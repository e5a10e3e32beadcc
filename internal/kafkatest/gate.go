package kafkatest

import (
	"net"
	"sync"
	"time"
)

// A Gate is a proxy in front of one listener of a node. Clients that got the addresses of a gated [Door] reach the
// broker only through it, even from other processes. It is safe for concurrent use.
type Gate struct {
	target string
	ln     net.Listener
	wg     sync.WaitGroup

	mu    sync.Mutex
	mode  gateMode
	delay time.Duration // per chunk, while slow
	flow  chan struct{} // closed when a frozen gate is released
	conns map[net.Conn]struct{}
	done  bool
}

type gateMode uint8

const (
	gateOpen gateMode = iota
	gateCut
	gateFrozen
)

// newGate opens a gate on a free port in front of an address.
func newGate(target string) (*Gate, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	g := &Gate{target: target, ln: ln, conns: map[net.Conn]struct{}{}}
	g.wg.Go(g.accept)
	return g, nil
}

// Addr returns the address at which clients reach the gate.
func (g *Gate) Addr() string { return g.ln.Addr().String() }

// Cut resets every connection, and each new one at once.
func (g *Gate) Cut() { g.set(gateCut, 0) }

// Freeze keeps connections open but blocks all traffic in both directions, like a half-open connection.
func (g *Gate) Freeze() { g.set(gateFrozen, 0) }

// Slow delays each chunk of up to 16 KiB, in both directions.
func (g *Gate) Slow(delay time.Duration) { g.set(gateOpen, delay) }

// Heal ends every fault. What a frozen gate held back then arrives.
func (g *Gate) Heal() { g.set(gateOpen, 0) }

func (g *Gate) set(mode gateMode, delay time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.flow != nil && mode != gateFrozen {
		close(g.flow)
		g.flow = nil
	}
	if g.flow == nil && mode == gateFrozen {
		g.flow = make(chan struct{})
	}
	g.mode, g.delay = mode, delay
	if mode == gateCut {
		g.reset()
	}
}

// reset ends every connection with a TCP reset. The caller holds mu.
func (g *Gate) reset() {
	for c := range g.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
	clear(g.conns)
}

// close closes the gate and waits for its goroutines.
func (g *Gate) close() {
	g.mu.Lock()
	g.done = true
	if g.flow != nil {
		close(g.flow)
		g.flow = nil
	}
	g.reset()
	g.mu.Unlock()
	_ = g.ln.Close()
	g.wg.Wait()
}

// keep registers a connection, and reports whether it may stay open.
func (g *Gate) keep(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.done || g.mode == gateCut {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
		return false
	}
	g.conns[c] = struct{}{}
	return true
}

func (g *Gate) accept() {
	for {
		client, err := g.ln.Accept()
		if err != nil {
			return
		}
		if !g.keep(client) {
			continue
		}
		g.wg.Go(func() { g.serve(client) })
	}
}

// serve connects a client to the broker.
func (g *Gate) serve(client net.Conn) {
	defer g.forget(client)
	g.pass()
	broker, err := net.DialTimeout("tcp", g.target, 5*time.Second)
	if err != nil || !g.keep(broker) {
		return
	}
	defer g.forget(broker)
	var wg sync.WaitGroup
	wg.Go(func() { g.pipe(broker, client) })
	g.pipe(client, broker)
	wg.Wait()
}

// pipe copies one direction until either end closes.
func (g *Gate) pipe(to, from net.Conn) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
	}()
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		g.pass()
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits while the gate is frozen, and then for its delay.
func (g *Gate) pass() {
	g.mu.Lock()
	flow, delay := g.flow, g.delay
	g.mu.Unlock()
	if flow != nil {
		<-flow
	}
	if delay > 0 {
		time.Sleep(delay)
	}
}

func (g *Gate) forget(c net.Conn) {
	_ = c.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
}
