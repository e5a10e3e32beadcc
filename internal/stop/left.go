package stop

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/observe"
)

// Left has the handlers and calls that a stop had to leave behind. It is safe for concurrent use.
type Left struct {
	any  atomic.Bool
	mu   sync.Mutex
	list []leftBehind
}

// leftBehind is one of them. token identifies it in Returned: an invocation, or the member of a poll goroutine.
type leftBehind struct {
	token    any
	at       time.Time
	returned bool
	handler  *observe.StuckHandler
	call     *observe.StuckCall
}

// Handler adds a handler.
func (l *Left) Handler(token any, h observe.StuckHandler) {
	l.add(leftBehind{token: token, at: time.Now(), handler: &h})
}

// Call adds a call. token is nil if nothing will report its end.
func (l *Left) Call(token any, c observe.StuckCall) {
	l.add(leftBehind{token: token, at: time.Now(), call: &c})
}

func (l *Left) add(b leftBehind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, b)
	l.any.Store(true)
}

// Returned records that what was left behind under token has ended.
func (l *Left) Returned(token any) {
	if !l.any.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.list {
		if l.list[i].token == token {
			l.list[i].returned = true
		}
	}
}

// Stuck returns the error of Run, nil if there is none. It names what the stop that began at begun left behind, and what
// pollers left behind before and is still running.
func (l *Left) Stuck(begun time.Time) *observe.StuckError {
	l.mu.Lock()
	defer l.mu.Unlock()
	var s observe.StuckError
	for _, b := range l.list {
		if (b.returned || b.token == nil) && (begun.IsZero() || b.at.Before(begun)) {
			continue
		}
		if b.handler != nil {
			s.Handlers = append(s.Handlers, *b.handler)
		} else {
			s.Calls = append(s.Calls, *b.call)
		}
	}
	if len(s.Handlers)+len(s.Calls) == 0 {
		return nil
	}
	return &s
}

// Calls are the calls in progress whose duration is up to code that the user provided. It is safe for concurrent use.
type Calls struct {
	mu   sync.Mutex
	last int
	list map[int]observe.StuckCall
}

// Begin records that a call begins. Its result is passed to End.
func (c *Calls) Begin(op observe.Op) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list == nil {
		c.list = make(map[int]observe.StuckCall)
	}
	c.last++
	c.list[c.last] = observe.StuckCall{Op: op, Since: time.Now()}
	return c.last
}

// End records that the call has ended.
func (c *Calls) End(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.list, n)
}

// UnderWay returns the calls that have not ended, oldest first.
func (c *Calls) UnderWay() []observe.StuckCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.list), func(a, b observe.StuckCall) int { return a.Since.Compare(b.Since) })
}
