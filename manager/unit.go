package manager

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager/store"
	"github.com/esm-go/esm/observe/diag"
)

// unit is one mapping in this process: its definition, and the lives (Runners) that run it. Only its goroutine, run,
// starts and ends lives; other goroutines set the definition and read the state.
type unit struct {
	m       *Manager
	uuid    string
	log     *slog.Logger // also keeps its lines in journal
	journal *diag.Journal
	poller  *pollerLog
	before  *unit         // a deleted mapping with the same UUID, which must end first
	wake    chan struct{} // signals a change; buffered
	done    chan struct{} // closed when run has returned

	// mu guards the fields below.
	mu      sync.Mutex
	def     store.Definition
	deleted bool
	begun   bool  // a life has been Enabled, or the mapping Disabled, at least once
	current *life // nil between lives
	next    *life // replaces current when it is ready
	trouble trouble
}

// trouble says why there is no life, or why the latest definition is not applied. It is zero if there is no problem.
type trouble struct {
	result string // LastProcessingResult
	code   string // StateTransitionReason
}

func newUnit(m *Manager, d store.Definition, before *unit) *unit {
	journal := diag.NewJournal(m.o.logger.With("UUID", d.Mapping.UUID).Handler())
	return &unit{
		m: m, uuid: d.Mapping.UUID, def: d, before: before, log: slog.New(journal), journal: journal,
		poller: &pollerLog{out: m.o.pollerLog},
		wake:   make(chan struct{}, 1), done: make(chan struct{}),
	}
}

func (u *unit) nudge() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// redefine sets the mapping's definition. It returns false if the mapping has been deleted.
func (u *unit) redefine(d store.Definition) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.deleted {
		return false
	}
	u.def = d
	u.nudge()
	return true
}

// remove marks the mapping as deleted.
func (u *unit) remove() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.deleted = true
	u.nudge()
}

func (u *unit) wanted() (d store.Definition, deleted bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.def, u.deleted
}

// run runs the mapping as defined until ctx ends or the mapping is deleted. It returns the *esm.StuckError of the last
// life that left something behind.
func (u *unit) run(ctx context.Context) error {
	defer close(u.done)
	if u.before != nil {
		<-u.before.done
		u.before = nil
	}
	s := supervisor{unit: u, ctx: ctx}
	for s.step() {
		s.wait()
	}
	return errors.Join(s.stuck...)
}

// supervisor is the state that only run uses.
type supervisor struct {
	*unit
	ctx      context.Context
	failures int       // consecutive failed starts and lives
	notUntil time.Time // earliest time of the next start
	seen     store.Revision
	stuck    []error
}

// step brings what runs one step closer to the definition. It returns false when there is nothing left to do.
func (s *supervisor) step() bool {
	s.reap()
	d, deleted := s.wanted()
	if s.seen != d.Revision { // the definition has changed: try at once
		s.seen, s.failures, s.notUntil = d.Revision, 0, time.Time{}
	}
	switch {
	case deleted || s.ctx.Err() != nil:
		for _, l := range s.lives() {
			l.end()
		}
		return len(s.lives()) > 0
	case !enabled(d.Mapping):
		s.disable()
	case s.current == nil:
		s.start(d)
	default:
		s.current.resume()
		s.update(d)
	}
	return true
}

// lives returns the running lives. Only the supervisor changes them, so it reads them without the lock.
func (s *supervisor) lives() []*life {
	return slices.DeleteFunc([]*life{s.current, s.next}, func(l *life) bool { return l == nil })
}

// disable lets current finish what is in flight, without a time limit, and then leave the group.
func (s *supervisor) disable() {
	if s.next != nil {
		s.next.end()
	}
	if s.current != nil && s.current.pause() {
		s.current.end()
	}
	if len(s.lives()) == 0 {
		s.failures, s.notUntil = 0, time.Time{}
		s.settle(trouble{}, true)
	}
}

// start starts a life if there is none.
func (s *supervisor) start(d store.Definition) {
	if s.next != nil { // it has outlived the life that it was to replace
		s.place(s.next, nil)
		return
	}
	if time.Now().Before(s.notUntil) {
		return
	}
	if l := s.begin(d); l != nil {
		s.place(l, nil)
	}
}

// begin starts a life. If it cannot, it records the trouble and returns nil.
func (s *supervisor) begin(d store.Definition) *life {
	l, t := newLife(s.unit, d)
	if l == nil {
		s.fail(t)
		return nil
	}
	s.settle(trouble{}, false)
	l.run(s.ctx)
	return l
}

// update applies a definition that current does not have yet: to the running life if possible, else with a new life. If
// both can be in the group at the same time, the new life is ready before the old one ends.
func (s *supervisor) update(d store.Definition) {
	if s.next != nil {
		switch {
		case s.next.def.Revision != d.Revision && !s.next.take(d):
			s.next.end() // reaped, then started again
		case s.next.isReady():
			s.current.end() // reaped, then replaced
		}
		return
	}
	if s.current.def.Revision == d.Revision {
		return
	}
	if s.ctx.Err() != nil || time.Now().Before(s.notUntil) {
		return
	}
	switch t, how := s.current.update(d); how {
	case updated:
		s.failures = 0
		s.settle(trouble{}, false)
	case refused:
		s.fail(t)
	case replace:
		if l := s.begin(d); l != nil {
			s.place(s.current, l)
		}
	case restart:
		s.current.end() // reaped, then started with the new definition
	}
}

// reap removes lives that have ended.
func (s *supervisor) reap() {
	for _, l := range s.lives() {
		if !l.isOver() {
			if l.isReady() {
				s.settle(s.trouble, true)
			}
			continue
		}
		if l == s.current {
			s.place(nil, s.next)
		} else {
			s.place(s.current, nil)
		}
		if _, isStuck := errors.AsType[*esm.StuckError](l.err); isStuck {
			s.log.Error("a mapping stopped, and left something behind", "err", l.err)
			s.stuck = []error{l.err}
		}
		switch {
		case l.ended.Load() || s.ctx.Err() != nil:
		case l.err != nil:
			if l.lived() > time.Minute {
				s.failures = 0
			}
			s.log.Error("a mapping's run ended", "err", l.err)
			s.fail(trouble{result: "PROBLEM: " + l.err.Error(), code: l.code()})
		default:
			s.fail(trouble{result: "PROBLEM: the run ended by itself"})
		}
	}
}

// fail records a problem and schedules the retry.
func (s *supervisor) fail(t trouble) {
	s.failures++
	pause := s.m.o.backoff.after(s.failures)
	s.notUntil = time.Now().Add(pause)
	s.log.Warn("a mapping cannot be carried out as it is defined; trying again", "result", t.result, "after", pause)
	s.settle(t, true)
}

// settle stores the trouble, and whether the mapping has left the state Creating.
func (s *supervisor) settle(t trouble, begun bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble, s.begun = t, s.begun || begun
}

// place sets the lives.
func (s *supervisor) place(current, next *life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.next = current, next
}

// wait returns when something has happened that step needs to see.
func (s *supervisor) wait() {
	var again <-chan time.Time
	if pause := time.Until(s.notUntil); pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		again = timer.C
	}
	stop := s.ctx.Done()
	if s.ctx.Err() != nil {
		stop = nil // already known; only the lives are left to wait for
	}
	select {
	case <-s.wake:
	case <-again:
	case <-stop:
	}
}
