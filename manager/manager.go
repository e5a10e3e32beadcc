package manager

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/manager/store"
)

// Manager runs the mappings of a store. Create it with New, and run it once with Run. All its methods are safe for
// concurrent use.
type Manager struct {
	store     store.Store
	functions Functions
	o         options
	started   atomic.Bool
	synced    chan struct{} // closed when the initial content of the store is known
	starts    chan struct{} // holds a place for each Runner that is starting
	shares    shares

	// mu guards the fields below. It is never held while waiting.
	mu       sync.Mutex
	running  bool
	ended    bool
	isSynced bool
	applied  store.Revision // the revision up to which the store's changes are known
	moved    chan struct{}  // closed and replaced when applied grows
	units    map[string]*unit
	unseen   map[string]bool // mappings that a restarted Watch has not reported yet
	problems map[string]error
	storeErr error
}

// New creates a Manager. It does no I/O and starts nothing. Its error joins all problems with the options.
func New(s store.Store, f Functions, opts ...Option) (*Manager, error) {
	o := newOptions(opts)
	if s == nil {
		o.check(errors.New("manager: the store is nil: use manager/store/files, topic or memory"))
	}
	if f == nil {
		o.check(errors.New("manager: the functions are nil: use Handlers, or whatever finds a handler by name"))
	}
	if err := o.err(); err != nil {
		return nil, err
	}
	return &Manager{
		store: s, functions: f, o: o, shares: shares{bytes: o.bufferBytes}, synced: make(chan struct{}), starts: make(chan struct{}, o.starts),
		moved: make(chan struct{}), units: make(map[string]*unit), problems: make(map[string]error),
	}, nil
}

// Run runs the store's mappings until ctx ends. It then stops them all concurrently, and returns when each has stopped:
// nil, or the *esm.StuckErrors of those that had to leave something behind. It follows the store: changes made there by
// another process or by hand take effect here. A store that cannot be read is not an error: Run retries, and Healthy
// and the log report it.
//
// A second call returns ErrAlreadyRun.
func (m *Manager) Run(ctx context.Context) error {
	if !m.started.CompareAndSwap(false, true) {
		return ErrAlreadyRun
	}
	m.mu.Lock()
	m.running = true
	m.mu.Unlock()
	var units sync.WaitGroup
	var stuck stuckErrors
	m.follow(ctx, func(u *unit) {
		units.Go(func() {
			stuck.add(u.run(ctx))
			m.forget(u)
		})
	})
	m.mu.Lock()
	m.running, m.ended = false, true
	close(m.moved)
	m.moved = make(chan struct{})
	m.mu.Unlock()
	units.Wait()
	return stuck.join()
}

// follow watches the store until ctx ends. It calls start for each new mapping.
func (m *Manager) follow(ctx context.Context, start func(*unit)) {
	for failures := 1; ; failures++ {
		m.beginWatch()
		began := time.Now()
		err := m.store.Watch(ctx, func(c store.Change) { m.apply(c, start) })
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			failures = 1
		}
		pause := m.o.backoff.after(failures)
		m.o.logger.Error("the store of mappings cannot be followed; trying again", "err", err, "after", pause)
		m.mu.Lock()
		m.storeErr = fmt.Errorf("manager: the store cannot be followed: %w", err)
		m.mu.Unlock()
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// beginWatch prepares for a Watch that reports everything from the start.
func (m *Manager) beginWatch() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unseen = make(map[string]bool, len(m.units))
	for uuid := range m.units {
		m.unseen[uuid] = true
	}
}

// apply applies a change that the store reports. Only apply creates units and starts them.
func (m *Manager) apply(c store.Change, start func(*unit)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case c.Problem != nil:
		m.problem(*c.Problem)
		return
	case c.UUID == "":
		m.mark()
	case c.Definition == nil:
		if u := m.units[c.UUID]; u != nil {
			u.remove()
		}
	default:
		delete(m.unseen, c.UUID)
		before := m.units[c.UUID]
		if before != nil && before.redefine(*c.Definition) {
			break
		}
		u := newUnit(m, *c.Definition, before)
		m.units[c.UUID] = u
		start(u)
	}
	if c.Revision > m.applied || c.UUID == "" {
		m.applied = max(m.applied, c.Revision)
		close(m.moved)
		m.moved = make(chan struct{})
	}
}

// mark handles the end of a Watch's initial report: mappings that it did not report no longer exist.
func (m *Manager) mark() {
	for uuid := range m.unseen {
		if u := m.units[uuid]; u != nil {
			u.remove()
		}
	}
	m.unseen, m.storeErr = nil, nil
	if !m.isSynced {
		m.isSynced = true
		close(m.synced)
	}
}

// problem records, or clears, a problem that the store reports.
func (m *Manager) problem(p store.Problem) {
	if p.Err == nil {
		delete(m.problems, p.Source)
		m.o.logger.Info("fixed in the store of mappings", "source", p.Source)
		return
	}
	m.problems[p.Source] = p.Err
	m.o.logger.Error("the store of mappings has something that cannot be read; it is left alone", "source", p.Source, "err", p.Err)
}

// forget removes a unit that has ended.
func (m *Manager) forget(u *unit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.units[u.uuid] == u {
		delete(m.units, u.uuid)
	}
}

// await returns when the store's changes up to a revision are known, or ctx ends. Before Run starts, it waits for that
// too.
func (m *Manager) await(ctx context.Context, r store.Revision) error {
	for {
		m.mu.Lock()
		known, ended, moved := m.isSynced && m.applied >= r, m.ended, m.moved
		m.mu.Unlock()
		switch {
		case ended:
			return ErrNotRunning
		case known:
			return nil
		}
		select {
		case <-moved: // mark closes it too, so callers that wait for the first sync wake up
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Ready returns a channel that is closed when Run knows everything that the store contained at the start. The mappings
// may still be starting then: see their states.
func (m *Manager) Ready() <-chan struct{} { return m.synced }

// Healthy reports whether the Manager works. It returns nil, or an error if Run is not running or the store cannot be
// followed. A faulty mapping or an unreadable file is not a reason: see Get and Problems.
func (m *Manager) Healthy() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.running {
		return ErrNotRunning
	}
	return m.storeErr
}

// Problems returns what the store contains but cannot read, by source.
func (m *Manager) Problems() []store.Problem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sortedProblems(m.problems)
}

// stuckErrors collects the errors of units.
type stuckErrors struct {
	mu   sync.Mutex
	errs []error
}

func (s *stuckErrors) add(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err)
}

func (s *stuckErrors) join() error { return errors.Join(s.errs...) }
