//go:build cgo

package observe_test

import (
	"net"
	"os"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/esm-go/esm/driver/confluent"
)

// TestLogLinesConfluent is TestLogLines on librdkafka, which runs in real time.
func TestLogLinesConfluent(t *testing.T) {
	if os.Getenv("ESM_LOG_LINES") == "" {
		t.Skip("takes two minutes of real time: run with ESM_LOG_LINES=1 and -parallel 16")
	}
	for _, c := range troubles() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			gate := &door{open: make(map[net.Conn]bool)}
			c.run(t, confluent.Driver(), []kfake.Opt{kfake.ListenFn(gate.listen)}, gate.set, new(net.Dialer).DialContext)
		})
	}
}

// door is a listener that closes connections while it is shut.
type door struct {
	mu   sync.Mutex
	shut bool
	open map[net.Conn]bool
}

type doorListener struct {
	net.Listener
	door *door
}

func (d *door) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address) //nolint:noctx // kfake gives no context
	return doorListener{l, d}, err
}

func (l doorListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || l.door.enter(c) {
			return c, err
		}
		_ = c.Close()
	}
}

func (d *door) enter(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.shut {
		d.open[c] = true
	}
	return !d.shut
}

func (d *door) set(shut bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut = shut; shut {
		for c := range d.open {
			_ = c.Close()
		}
		clear(d.open)
	}
}
