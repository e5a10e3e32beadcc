package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// node is one broker (or the ZooKeeper server). It keeps its ports and folder while processes come and go.
type node struct {
	id    int
	ports map[Listener]int
	gates map[Listener]*Gate
	root  string
	out   *lastLines

	mu   sync.Mutex // held only for field access
	proc *process
}

const keptLines = 300

func newNode(root string, id int, listeners []Listener) (*node, error) {
	ports, err := freePorts(len(listeners))
	if err != nil {
		return nil, err
	}
	n := &node{id: id, ports: map[Listener]int{}, gates: map[Listener]*Gate{}, root: root, out: newLastLines(keptLines)}
	for i, l := range listeners {
		n.ports[l] = ports[i]
	}
	return n, os.MkdirAll(n.dir("data"), 0o755)
}

// advertised returns where clients find a listener: its gate if it has one.
func (n *node) advertised(l Listener) string {
	if g := n.gates[l]; g != nil {
		return g.Addr()
	}
	return n.addr(l)
}

func (n *node) addr(l Listener) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.ports[l]))
}

func (n *node) dir(name string) string {
	return filepath.Join(n.root, fmt.Sprintf("node-%d", n.id), name)
}

func (n *node) write(name string, content []byte) error {
	return os.WriteFile(n.dir(name), content, 0o600)
}

func (n *node) current() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.proc
}

func (n *node) running() bool {
	p := n.current()
	return p != nil && !p.exited()
}

func (n *node) start(java string, args []string) error {
	if n.running() {
		return fmt.Errorf("node %d runs already", n.id)
	}
	p, err := startProcess(n.out, java, args...)
	if err != nil {
		return fmt.Errorf("start node %d: %w", n.id, err)
	}
	n.mu.Lock()
	n.proc = p
	n.mu.Unlock()
	return nil
}

func (n *node) kill() {
	if p := n.current(); p != nil {
		p.kill()
	}
}

func (n *node) stop(d time.Duration) error {
	p := n.current()
	if p == nil || p.exited() {
		return fmt.Errorf("node %d is not running", n.id)
	}
	return p.stop(d)
}

// errExited says that a process ended before it was ready.
var errExited = errors.New("ended before it was ready")

// waitPort waits until the node's plain listener accepts connections.
func (n *node) waitPort(ctx context.Context) error {
	var d net.Dialer
	return n.wait(ctx, func(ctx context.Context) error {
		c, err := d.DialContext(ctx, "tcp", n.addr(Plaintext))
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// wait is poll, but fails at once with errExited when the node's process has ended.
func (n *node) wait(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var gone error
	err := poll(ctx, func(ctx context.Context) error {
		if !n.running() {
			gone = fmt.Errorf("node %d %w", n.id, errExited)
			cancel()
			return gone
		}
		return f(ctx)
	})
	if gone != nil {
		return gone
	}
	return err
}

// clashed reports whether the node's last lines say that a port was taken.
func (n *node) clashed() bool {
	return n.out.contains("Address already in use") || n.out.contains("BindException")
}
