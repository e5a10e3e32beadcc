//go:build cgo

package confluent

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

// front is an address that stays the same while the broker behind it moves, like a name or a load balancer.
type front struct {
	net.Listener
	mu     sync.Mutex
	target string
	wg     sync.WaitGroup
}

func newFront(t *testing.T, target string) *front {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{Listener: ln, target: target}
	f.wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = ln.Close(); f.wg.Wait() })
	return f
}

func (f *front) serve(conn net.Conn) {
	defer conn.Close()
	f.mu.Lock()
	target := f.target
	f.mu.Unlock()
	up, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer up.Close()
	go func() { _, _ = io.Copy(up, conn); _ = up.Close() }()
	_, _ = io.Copy(conn, up)
}

func (f *front) move(target string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.target = target
}

// The only broker comes back at another address under the same ID. librdkafka cannot find it; the driver reports that,
// and a consumer in its place continues to read.
func TestReplaceWhereTheCoordinatorMoved(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute: librdkafka tells of a lasting failure every 30 s")
	}
	t.Parallel()
	first := kafkatest.Fake(t)
	b := &broker{Client: first.Client, t: t, session: 2 * time.Second}
	f := newFront(t, first.Kfake.ListenAddrs()[0])
	topic := b.NewTopic(t, 1)
	b.produce(topic, 0, 5)
	config := b.config("g", topic)
	config.BootstrapServers = []string{f.Addr().String()}
	m := join(t, config, from(0))
	p := tp(topic, 0)
	m.untilCount(p, 5)
	first.Kfake.Close()
	second := kafkatest.Fake(t)
	second.CreateTopic(t, topic, 1)
	(&broker{Client: second.Client, t: t}).produce(topic, 0, 7)
	f.move(second.Kfake.ListenAddrs()[0])
	begin := time.Now()
	select {
	case <-m.done:
	case <-time.After(2 * time.Minute):
		t.Fatal("the member neither joined again nor gave up")
	}
	m.mu.Lock()
	err, heard := m.pollErr, m.heard
	m.mu.Unlock()
	t.Logf("given up after %v", time.Since(begin))
	if e, ok := errors.AsType[*driver.Error](err); !ok || !errors.Is(err, driver.ErrReplace) || e.Kind != driver.KindUnavailable {
		t.Fatalf("Poll ended with %v", err)
	}
	if len(heard) != 2 || !strings.HasPrefix(heard[1], "lost") {
		t.Errorf("heard %v, want its partition lost", heard)
	}
	begin = time.Now()
	m.leave()
	if d := time.Since(begin); d > 2*leaveWithin {
		t.Errorf("Close took %v", d)
	}
	join(t, config, from(0)).untilCount(p, 7)
}

// An answer counts for the series of failures during which it was asked for, and for no later one.
func TestAnAnswerBelongsToItsFailures(t *testing.T) {
	begin := time.Now()
	var o coordinator
	o.failed(begin)
	o.answers = make(chan bool, 1)
	o.failed(begin.Add(30 * time.Second))
	if o.since != begin || o.answers == nil {
		t.Errorf("the same series: %+v", o)
	}
	later := begin.Add(30*time.Second + coordinatorQuiet + 1)
	o.failed(later)
	if o.since != later || o.last != later || o.answers != nil {
		t.Errorf("another series: %+v", o)
	}
}
