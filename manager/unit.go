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

// unit is one mapping in this process: what it is to be, and the lives (Runners) that carry it out. Its goroutine, run,
// alone starts and ends lives; others tell it what is wanted, and look.
type unit struct {
	m       *Manager
	uuid    string
	log     *slog.Logger // keeps its lines in journal
	journal *diag.Journal
	poller  *pollerLog
	before  *unit         // a deleted mapping of the same UUID, which has to end first
	wake    chan struct{} // something is new; buffered
	done    chan struct{} // closed when run has returned

	// mu guards what follows.
	mu      sync.Mutex
	def     store.Definition
	deleted bool
	begun   bool  // a life has been Enabled, or the mapping has been Disabled, before
	current *life // nil between lives
	next    *life // takes current's place when it is ready
	trouble trouble
}

// trouble is why there is no life, or why the newest definition is not carried out. It is zero when all is well.
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

// redefine says what the mapping is to be from now on; false when it is deleted already.
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

// remove says that the mapping is to end.
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

// run carries out what is wanted until ctx ends or the mapping is deleted. It returns the *esm.StuckErrors of the
// lives that ended last.
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

// supervisor is what run alone knows.
type supervisor struct {
	*unit
	ctx      context.Context
	failures int       // starts and lives in a row that failed
	notUntil time.Time // the next start
	seen     store.Revision
	stuck    []error
}

// step brings what runs one step closer to what is wanted; false when there is nothing left to do, ever.
func (s *supervisor) step() bool {
	s.reap()
	d, deleted := s.wanted()
	if s.seen != d.Revision { // somebody has changed something: try at once
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

// lives are those that run; the supervisor alone changes them, and reads without the lock.
func (s *supervisor) lives() []*life {
	return slices.DeleteFunc([]*life{s.current, s.next}, func(l *life) bool { return l == nil })
}

// disable lets current finish what is in flight, without a bound, then leave the group.
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

// start begins a life where there is none.
func (s *supervisor) start(d store.Definition) {
	if s.next != nil { // it has outlived the one whose place it was to take
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

// begin starts a life; nil when it cannot, which is kept as trouble.
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

// update carries out a definition that current does not have yet: live where that goes, else by another life, which is
// ready before this one ends where both can be in the group at a time.
func (s *supervisor) update(d store.Definition) {
	if s.next != nil {
		switch {
		case s.next.def.Revision != d.Revision && !s.next.take(d):
			s.next.end() // reaped, then begun again
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

// reap takes away lives that have ended.
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

// fail keeps what is wrong and sets when to try again.
func (s *supervisor) fail(t trouble) {
	s.failures++
	pause := s.m.o.backoff.after(s.failures)
	s.notUntil = time.Now().Add(pause)
	s.log.Warn("a mapping cannot be carried out as it is defined; trying again", "result", t.result, "after", pause)
	s.settle(t, true)
}

// settle keeps trouble, and whether the mapping has left Creating for good.
func (s *supervisor) settle(t trouble, begun bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble, s.begun = t, s.begun || begun
}

// place says which lives there are.
func (s *supervisor) place(current, next *life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current, s.next = current, next
}

// wait returns when something has happened that step should see.
func (s *supervisor) wait() {
	var again <-chan time.Time
	if pause := time.Until(s.notUntil); pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		again = timer.C
	}
	stop := s.ctx.Done()
	if s.ctx.Err() != nil {
		stop = nil // known; what is left are the lives
	}
	select {
	case <-s.wake:
	case <-again:
	case <-stop:
	}
}
