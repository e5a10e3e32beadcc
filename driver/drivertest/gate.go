package drivertest

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// gate creates listeners whose traffic a test can stop, by closing everything or by blocking all bytes.
type gate struct {
	spoils    atomic.Bool
	mu        sync.Mutex
	listeners []*gateListener
	conns     map[*gateConn]bool
	// up is not nil while the gate is stopped, flow while it is frozen; each is closed when that ends.
	up, flow chan struct{}
}

func newGate() *gate { return &gate{conns: make(map[*gateConn]bool)} }

// listen has the signature of net.Listen.
func (g *gate) listen(network, address string) (net.Listener, error) {
	inner, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	l := &gateListener{g: g, inner: inner, addr: inner.Addr(), done: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listeners = append(g.listeners, l)
	return l, nil
}

// stop closes every connection and refuses new ones.
func (g *gate) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.up != nil {
		return
	}
	g.up = make(chan struct{})
	for _, l := range g.listeners {
		_ = l.inner.Close()
	}
	for c := range g.conns {
		_ = c.Conn.Close()
	}
}

// start listens again, on the same ports.
func (g *gate) start() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.up == nil {
		return nil
	}
	var errs []error
	for _, l := range g.listeners {
		inner, err := net.Listen(l.addr.Network(), l.addr.String())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		l.inner = inner
	}
	close(g.up)
	g.up = nil
	return errors.Join(errs...)
}

// freeze stops the delivery of bytes, in both directions.
func (g *gate) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.flow == nil {
		g.flow = make(chan struct{})
	}
}

func (g *gate) thaw() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.flow != nil {
		close(g.flow)
		g.flow = nil
	}
}

// spoil turns on or off the alteration of bytes on their way to the client, like a faulty disk or network.
func (g *gate) spoil(on bool) { g.spoils.Store(on) }

// spoilt is the text that is altered.
const spoilt = "spoil this"

func (g *gate) frozen() chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.flow
}

type gateListener struct {
	g     *gate
	inner net.Listener
	addr  net.Addr
	done  chan struct{}
	once  sync.Once
}

// Accept waits through a stop.
func (l *gateListener) Accept() (net.Conn, error) {
	for {
		l.g.mu.Lock()
		inner, up := l.inner, l.g.up
		l.g.mu.Unlock()
		if up != nil {
			select {
			case <-up:
				continue
			case <-l.done:
				return nil, net.ErrClosed
			}
		}
		conn, err := inner.Accept()
		l.g.mu.Lock()
		up = l.g.up
		again := l.inner != inner
		c := &gateConn{Conn: conn, g: l.g, done: make(chan struct{})}
		if err == nil && up == nil {
			l.g.conns[c] = true
		}
		l.g.mu.Unlock()
		switch {
		case err == nil && up == nil:
			return c, nil
		case err == nil:
			_ = conn.Close()
		case up == nil && !again:
			return nil, err
		}
	}
}

func (l *gateListener) Close() error {
	l.once.Do(func() { close(l.done) })
	l.g.mu.Lock()
	defer l.g.mu.Unlock()
	return l.inner.Close()
}

func (l *gateListener) Addr() net.Addr { return l.addr }

type gateConn struct {
	net.Conn
	g    *gate
	done chan struct{}
	once sync.Once
}

// pass waits while the gate is frozen.
func (c *gateConn) pass() error {
	for {
		flow := c.g.frozen()
		if flow == nil {
			return nil
		}
		select {
		case <-flow:
		case <-c.done:
			return net.ErrClosed
		}
	}
}

func (c *gateConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if perr := c.pass(); perr != nil {
		return 0, perr
	}
	return n, err
}

func (c *gateConn) Write(b []byte) (int, error) {
	if err := c.pass(); err != nil {
		return 0, err
	}
	if c.g.spoils.Load() {
		b = bytes.ReplaceAll(b, []byte(spoilt), bytes.ToUpper([]byte(spoilt)))
	}
	return c.Conn.Write(b)
}

func (c *gateConn) Close() error {
	c.once.Do(func() { close(c.done) })
	c.g.mu.Lock()
	delete(c.g.conns, c)
	c.g.mu.Unlock()
	return c.Conn.Close()
}
