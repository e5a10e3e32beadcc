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

// Manager runs the mappings of a store. Make it with New, run it once with Run; all its methods are safe for concurrent
// use.
type Manager struct {
	store     store.Store
	functions Functions
	o         options
	started   atomic.Bool
	synced    chan struct{} // closed when everything that the store had at first is known
	starts    chan struct{} // a place for each Runner that starts
	shares    shares

	// mu guards what follows. It is never held while waiting.
	mu       sync.Mutex
	running  bool
	ended    bool
	isSynced bool
	applied  store.Revision // up to which the store's changes are known
	moved    chan struct{}  // closed, and made anew, when applied grows
	units    map[string]*unit
	unseen   map[string]bool // of a Watch that began again: what it has not told yet
	problems map[string]error
	storeErr error
}

// New makes a Manager. It does no I/O and starts nothing. Its error joins what is wrong with the options.
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

// Run runs the store's mappings until ctx ends, then stops them, all at the same time, and returns when each has
// stopped: nil, or the *esm.StuckErrors of those that had to leave something behind. It follows the store: what another
// process or a person changes there is changed here. A store that cannot be read is not an error: Run goes on trying,
// and Healthy and the log say so.
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

// follow watches the store until ctx ends; start is given each mapping that is new.
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

// beginWatch prepares for a Watch that tells everything from the start.
func (m *Manager) beginWatch() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unseen = make(map[string]bool, len(m.units))
	for uuid := range m.units {
		m.unseen[uuid] = true
	}
}

// apply takes in what the store tells. It is the only place where units are made and told to go.
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

// mark ends the part of a Watch that tells what is: what it has not told is gone.
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

// problem keeps, or forgets, what of the store cannot be read.
func (m *Manager) problem(p store.Problem) {
	if p.Err == nil {
		delete(m.problems, p.Source)
		m.o.logger.Info("mended in the store of mappings", "source", p.Source)
		return
	}
	m.problems[p.Source] = p.Err
	m.o.logger.Error("the store of mappings has something that cannot be read; it is left alone", "source", p.Source, "err", p.Err)
}

// forget drops a unit that has ended.
func (m *Manager) forget(u *unit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.units[u.uuid] == u {
		delete(m.units, u.uuid)
	}
}

// await returns when the store's changes up to a revision are known, or ctx has ended. Before Run it waits for that.
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
		case <-moved: // a mark moves it too, so whoever waits for the first sync wakes
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Ready is closed when Run knows everything that the store had when it began. The mappings are being started then; how
// far they are their states say.
func (m *Manager) Ready() <-chan struct{} { return m.synced }

// Healthy reports whether the Manager works: nil, or an error that says that Run does not run or that the store cannot
// be followed. A mapping that is wrong, or a file that cannot be read, is not a reason: see Get and Problems.
func (m *Manager) Healthy() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.running {
		return ErrNotRunning
	}
	return m.storeErr
}

// Problems are what the store has and cannot be read, by source.
func (m *Manager) Problems() []store.Problem {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sortedProblems(m.problems)
}

// stuckErrors gathers what units return.
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
