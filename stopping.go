package esm

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// stopping is the stop of Run: when it began and by when it has to be over. Safe for concurrent use.
type stopping struct {
	mu    sync.Mutex
	at    time.Time
	by    time.Time
	begun chan struct{} // closed then
}

func (s *stopping) init() { s.begun = make(chan struct{}) }

// begin begins it; false when it had begun.
func (s *stopping) begin(timeout time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() {
		return false
	}
	all, _ := stopBound(timeout)
	s.at = time.Now()
	s.by = s.at.Add(all)
	close(s.begun)
	return true
}

// times are when it began and when it has to be over; zero before it begins.
func (s *stopping) times() (at, by time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, s.by
}

// memberBy is when a member's stop has to be over, a little earlier.
func (s *stopping) memberBy() time.Time {
	at, by := s.times()
	if at.IsZero() {
		return at
	}
	return by.Add(-by.Sub(at) / 50)
}

// left are the handlers and calls that had to be left behind. Safe for concurrent use.
type left struct {
	any  atomic.Bool
	mu   sync.Mutex
	list []leftBehind
}

// leftBehind is one of them. Token says whose end ends it: an invocation's or a member's poll goroutine's.
type leftBehind struct {
	token    any
	at       time.Time
	returned bool
	handler  *StuckHandler
	call     *StuckCall
}

func (l *left) handler(inv *invocation, h StuckHandler) {
	l.add(leftBehind{token: inv, at: time.Now(), handler: &h})
}

func (l *left) call(token any, c StuckCall) {
	l.add(leftBehind{token: token, at: time.Now(), call: &c})
}

func (l *left) add(b leftBehind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, b)
	l.any.Store(true)
}

// returned notes that what was left behind has come to its end.
func (l *left) returned(token any) {
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

// stuck is what Run returns of it: what was left behind by the stop that began then, and what a poller left behind before and
// still runs; nil when there is nothing.
func (l *left) stuck(begun time.Time) *StuckError {
	l.mu.Lock()
	defer l.mu.Unlock()
	var s StuckError
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

// calls are those under way that can take as long as what the user gave us likes. Safe for concurrent use.
type calls struct {
	mu   sync.Mutex
	last int
	list map[int]StuckCall
}

// begin notes that a call begins; what it returns is given to end.
func (c *calls) begin(op Op) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.list == nil {
		c.list = make(map[int]StuckCall)
	}
	c.last++
	c.list[c.last] = StuckCall{Op: op, Since: time.Now()}
	return c.last
}

func (c *calls) end(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.list, n)
}

func (c *calls) underWay() []StuckCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.SortedFunc(maps.Values(c.list), func(a, b StuckCall) int { return a.Since.Compare(b.Since) })
}

// beginStop begins the stop of Run.
func (r *Runner) beginStop() {
	if !r.shared.stopping.begin(r.shared.opts.stopTimeout) {
		return
	}
	unlock := r.lock()
	state := r.state
	unlock()
	if state != Disabled {
		r.setState(Disabling)
	}
	r.shared.roster.nudge() // those that are leaving already may have to hurry
}

// await waits until Run's work is done, for as long as a stop may take: whatever blocks, Run returns by then.
func (r *Runner) await(ctx context.Context, done <-chan error) error {
	var result error
	select {
	case result = <-done:
		return r.conclude(result, true)
	case <-ctx.Done():
	case <-r.shared.stopping.begun:
	}
	r.beginStop()
	begun, by := r.shared.stopping.times()
	// A hook that runs has a fifth of the time; from then on nobody waits for it, and the rest of the stop goes on.
	hook := time.NewTimer(by.Sub(begun) / 5)
	defer hook.Stop()
	end := time.NewTimer(by.Sub(begun))
	defer end.Stop()
	for {
		select {
		case result = <-done:
			return r.conclude(result, true)
		case <-hook.C:
			r.shared.hooks.Release()
		case <-end.C:
			return r.conclude(nil, false)
		}
	}
}

// conclude is the end of Run, with all done or not.
func (r *Runner) conclude(result error, done bool) error {
	r.shared.stopping.begin(r.shared.opts.stopTimeout) // of a Run that ended by itself
	begun, by := r.shared.stopping.times()
	r.end()
	r.shared.hooks.Finish()
	last := time.NewTimer(max(time.Until(by), 0))
	defer last.Stop()
	select {
	case <-r.shared.hooks.Ended:
	case <-last.C:
		r.shared.hooks.Release()
	}
	stuck := r.shared.left.stuck(begun)
	if stuck == nil {
		stuck = new(StuckError)
	}
	if call := r.shared.hooks.Stuck(); call != nil {
		stuck.Calls = append(stuck.Calls, *call)
	}
	if !done {
		stuck.Calls = append(stuck.Calls, r.blocked()...)
	}
	if len(stuck.Handlers)+len(stuck.Calls) > 0 {
		if result == nil {
			result = stuck
		} else {
			result = errors.Join(result, stuck)
		}
	}
	r.shared.log.Info("event source mapping ended", "err", result)
	return result
}

// blocked names what keeps Run's work from ending.
func (r *Runner) blocked() []StuckCall {
	list := r.shared.calls.underWay()
	for _, m := range r.shared.roster.list() {
		for _, x := range []struct {
			op   Op
			what string
			at   int64
		}{
			{OpPoll, "the loop is busy with one thing", m.busySince.Load()},
			{OpPoll, "", m.inPoll.Load()},
			{OpCommit, "", m.commitBegan.Load()},
			{OpClose, "", m.closeBegan.Load()},
		} {
			if x.at == 0 {
				continue
			}
			call := StuckCall{Op: x.op, Since: time.Unix(0, x.at)}
			if x.what != "" {
				call.Err = errors.New(x.what)
			}
			list = append(list, call)
		}
	}
	if len(list) == 0 {
		_, by := r.shared.stopping.times()
		list = append(list, StuckCall{Op: OpClose, Since: by, Err: errors.New("the stop was not over in time")})
	}
	return list
}
