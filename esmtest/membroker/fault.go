package membroker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/esm-go/esm/driver"
)

// Op names a call of a consumer, for fault injection.
type Op string

// The calls of driver.Consumer that wait for the network.
const (
	OpPoll        Op = "poll"
	OpCommit      Op = "commit"
	OpCommitted   Op = "committed"
	OpListOffsets Op = "listoffsets"
	OpTopics      Op = "topics"
	OpClose       Op = "close"
)

// faults are the injected faults. The broker's mutex guards them.
type faults struct {
	fail  map[Op][]failure
	hang  map[Op]*hang
	delay map[Op]time.Duration
	calls map[Op]int
	// up is not nil while the broker is stopped; it is closed when the broker starts.
	up chan struct{}
}

type failure struct {
	left int
	err  error
}

// hang blocks calls until released is closed.
type hang struct {
	released chan struct{}
	// late are the requests whose callers gave up. They have reached the broker nevertheless.
	late []func()
}

func newFaults() faults {
	return faults{
		fail: make(map[Op][]failure), hang: make(map[Op]*hang),
		delay: make(map[Op]time.Duration), calls: make(map[Op]int),
	}
}

// Fail makes the next n calls of op fail with err, after those of earlier Fail calls for op. An err that is
// neither a *driver.Error nor a *driver.CommitError is wrapped in a *driver.Error of KindOther. A Poll that
// fails ends its consumer; use Report for what a Poll merely reports.
func (b *Broker) Fail(op Op, n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > 0 && err != nil {
		b.faults.fail[op] = append(b.faults.fail[op], failure{n, err})
		b.wakeAll()
	}
}

// Hang makes calls of op wait until release is called or their context ends. A commit whose caller gave up is
// applied at the release, as a broker does with a request that it already has. A hanging Poll returns
// nothing. release may be called more than once.
func (b *Broker) Hang(op Op) (release func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.faults.hang[op]
	if h == nil {
		h = &hang{released: make(chan struct{})}
		b.faults.hang[op] = h
	}
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.release(op, h)
	})
}

// release ends a hang. The caller holds mu.
func (b *Broker) release(op Op, h *hang) {
	if b.faults.hang[op] != h {
		return
	}
	delete(b.faults.hang, op)
	close(h.released)
	for _, f := range h.late {
		f()
	}
	b.wakeAll()
}

// Delay makes every call of op take d longer; 0 means no delay.
func (b *Broker) Delay(op Op, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults.delay[op] = d
}

// Stop takes the broker off the network: Poll reports driver.KindUnavailable once and then returns nothing,
// and other calls wait until Start or the end of their context. Memberships survive it.
func (b *Broker) Stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.faults.up == nil {
		b.faults.up = make(chan struct{})
		b.wakeAll()
	}
}

// Start brings the broker back after Stop.
func (b *Broker) Start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.start()
}

func (b *Broker) start() {
	if b.faults.up != nil {
		close(b.faults.up)
		b.faults.up = nil
		b.wakeAll()
	}
}

// Heal ends every fault: it releases hangs, forgets delays and failures, and starts a stopped broker.
// NewBroker registers it to run at the end of the test.
func (b *Broker) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for op, h := range b.faults.hang {
		b.release(op, h)
	}
	clear(b.faults.fail)
	clear(b.faults.delay)
	b.start()
}

// Calls returns how often op was called on this broker, including failed calls.
func (b *Broker) Calls(op Op) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.faults.calls[op]
}

// Report makes the next Poll of every open consumer of group report errors in Fetch.Errors. An empty group
// means every group.
func (b *Broker) Report(group string, errs ...*driver.Error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.consumers {
		if group == "" || c.cfg.GroupID == group {
			c.reports = append(c.reports, errs...)
			c.signal()
		}
	}
}

// request is called by each call that waits for the network. It returns nil when the broker should serve the
// call. late, which may be nil, runs later with mu held if the caller gives up while its request hangs.
func (b *Broker) request(ctx context.Context, op Op, late func()) error {
	b.mu.Lock()
	b.faults.calls[op]++
	d := b.faults.delay[op]
	b.mu.Unlock()
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return unavailable(ctx.Err())
		}
	}
	for {
		b.mu.Lock()
		h, up := b.faults.hang[op], b.faults.up
		if h == nil && up == nil {
			err := b.takeFailure(op)
			b.mu.Unlock()
			if err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return unavailable(err)
			}
			return nil
		}
		b.mu.Unlock()
		var released chan struct{}
		if h != nil {
			released, up = h.released, nil
		}
		select {
		case <-released:
		case <-up:
		case <-ctx.Done():
			b.mu.Lock()
			if h != nil && late != nil && b.faults.hang[op] == h {
				h.late = append(h.late, late)
			}
			b.mu.Unlock()
			return unavailable(ctx.Err())
		}
	}
}

// takeFailure consumes one scripted failure of op. The caller holds mu.
func (b *Broker) takeFailure(op Op) error {
	list := b.faults.fail[op]
	if len(list) == 0 {
		return nil
	}
	err := list[0].err
	if list[0].left--; list[0].left == 0 {
		b.faults.fail[op] = list[1:]
	}
	var e *driver.Error
	var c *driver.CommitError
	if errors.As(err, &e) || errors.As(err, &c) {
		return err
	}
	return &driver.Error{Kind: driver.KindOther, Offset: -1, Err: err}
}

func unavailable(err error) *driver.Error {
	return &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: err}
}
