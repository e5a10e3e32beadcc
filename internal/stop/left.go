package stop

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/observe"
)

// Left are the handlers and calls that had to be left behind. Safe for concurrent use.
type Left struct {
	any  atomic.Bool
	mu   sync.Mutex
	list []leftBehind
}

// leftBehind is one of them. Token says whose end ends it: an invocation's or a member's poll goroutine's.
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

// Call adds a call; token is nil where nothing will say that it came to its end.
func (l *Left) Call(token any, c observe.StuckCall) {
	l.add(leftBehind{token: token, at: time.Now(), call: &c})
}

func (l *Left) add(b leftBehind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, b)
	l.any.Store(true)
}

// Returned notes that what was left behind has come to its end.
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

// Stuck is what Run returns of it: what was left behind by the stop that began then, and what a poller left behind before and
// still runs; nil when there is nothing.
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

// Calls are those under way that can take as long as what the user gave us likes. Safe for concurrent use.
type Calls struct {
	mu   sync.Mutex
	last int
	list map[int]observe.StuckCall
}

// Begin notes that a call begins; what it returns is given to End.
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

// End notes that it has ended.
func (c *Calls) End(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.list, n)
}

// UnderWay are those that have not ended, the oldest first.
func (c *Calls) UnderWay() []observe.StuckCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.list), func(a, b observe.StuckCall) int { return a.Since.Compare(b.Since) })
}
