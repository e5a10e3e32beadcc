// Package files keeps a manager's mappings in a directory, one JSON file each: to be read, written, compared and kept
// under version control by people.
//
// A file is what store.Encode writes, or the JSON of CreateEventSourceMapping as a person wrote it, under any name that
// ends in .json and does not begin with a dot. Files that the Manager writes are named by the mapping's UUID; a file
// that a person made keeps its name. A file that is edited, added or removed by hand changes its mapping, within a
// second. One that cannot be read, or that a newer version wrote, is reported and left alone; the mapping that it held
// before goes on as it was.
//
// Writes are atomic and durable: a temporary file, fsync, rename, fsync of the directory. A directory belongs to one
// process, which holds a lock on it; for several replicas of a service there is package topic.
package files

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/esm-go/esm/manager/store"
)

const (
	suffix    = ".json"
	lockName  = ".esm.lock"
	temporary = ".esm-write-" // the beginning of a temporary file's name
)

// Option changes how a Store works.
type Option interface{ apply(*Store) }

type optionFunc func(*Store)

func (f optionFunc) apply(s *Store) { f(s) }

// WithPollInterval sets how often the directory is looked at for what people change; default 1 s.
func WithPollInterval(d time.Duration) Option {
	return optionFunc(func(s *Store) { s.interval = max(d, time.Millisecond) })
}

// ReadOnly takes no lock and refuses writes with store.ErrReadOnly: for a directory that is mounted read-only, such as a
// Kubernetes ConfigMap, which any number of processes may follow.
func ReadOnly() Option { return optionFunc(func(s *Store) { s.readOnly = true }) }

// Store is a store.Store in a directory.
type Store struct {
	directory string
	interval  time.Duration
	readOnly  bool
	unlock    func() error
	between   func(step string) // called between the steps of a write, for tests that end the process there

	mu       sync.Mutex
	closed   bool
	files    map[string]*file // by name
	now      map[string]entry // by UUID
	revision store.Revision
	changed  chan struct{} // closed, and made anew, when something changes
	problems map[string]*problem
	events   int // how often problems have changed
}

// file is what is known of a file.
type file struct {
	stamp stamp
	sum   [32]byte
	uuid  string // of the definition that it holds; empty where it cannot be read and never could
}

// entry is a definition, or the tombstone of one.
type entry struct {
	name     string // its file
	document []byte // nil in a tombstone
	revision store.Revision
}

// problem is a file that cannot be read; a nil err is one that could not.
type problem struct {
	err error
	at  int
}

// Open opens a directory, which it makes where it is missing, and reads it. Close gives it back. A directory that
// another process has open is an error.
func Open(directory string, opts ...Option) (*Store, error) {
	s := &Store{
		directory: directory, interval: time.Second, files: make(map[string]*file), now: make(map[string]entry),
		changed: make(chan struct{}), problems: make(map[string]*problem), unlock: func() error { return nil },
		between: func(string) {},
	}
	for _, opt := range opts {
		opt.apply(s)
	}
	if directory == "" {
		return nil, errors.New("files: no directory: name the one that holds, or is to hold, the mappings")
	}
	if !s.readOnly {
		if err := os.MkdirAll(directory, 0o700); err != nil {
			return nil, fmt.Errorf("files: %w", err)
		}
		unlock, err := lock(filepath.Join(directory, lockName))
		if err != nil {
			return nil, fmt.Errorf("files: %s: %w", directory, err)
		}
		s.unlock = unlock
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.sweep(), s.scan()); err != nil {
		return nil, errors.Join(err, s.unlock())
	}
	return s, nil
}

// Close gives the directory back. What is written afterwards is refused.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.unlock()
}

// sweep removes what a process left behind that was killed while it wrote: it has the lock no more.
func (s *Store) sweep() error {
	if s.readOnly {
		return nil
	}
	left, err := filepath.Glob(filepath.Join(s.directory, temporary+"*"))
	if err != nil {
		return fmt.Errorf("files: %w", err)
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("files: what an interrupted write left behind cannot be removed: %w", err)
		}
	}
	return nil
}

// List returns all definitions.
func (s *Store) List(ctx context.Context) ([]store.Definition, store.Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(ctx.Err(), s.scan()); err != nil {
		return nil, 0, err
	}
	var list []store.Definition
	for _, uuid := range slices.Sorted(maps.Keys(s.now)) {
		d, err := s.now[uuid].definition()
		if err != nil {
			return nil, 0, err
		}
		if d != nil {
			list = append(list, *d)
		}
	}
	return list, s.revision, nil
}

func (e entry) definition() (*store.Definition, error) {
	if e.document == nil {
		return nil, nil
	}
	d, err := store.Decode(e.document)
	if err != nil {
		return nil, err
	}
	d.Revision = e.revision
	return &d, nil
}

// Put stores a definition.
func (s *Store) Put(ctx context.Context, d store.Definition, since store.Revision) (store.Revision, error) {
	document, err := store.Encode(d)
	if err != nil {
		return 0, err
	}
	stored, err := store.Decode(document)
	if err != nil {
		return 0, err
	}
	id := stored.Mapping.UUID
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(ctx, id, since); err != nil {
		return 0, err
	}
	name := s.now[id].name
	if name == "" || s.now[id].document == nil {
		name = id + suffix
	}
	if err := s.write(name, document); err != nil {
		// The directory says what became of it: an error of the last fsync comes after the rename.
		if scanErr := s.scan(); scanErr != nil || string(s.now[id].document) == string(document) {
			return 0, fmt.Errorf("files: %w: %w", store.ErrUnknownOutcome, err)
		}
		return 0, fmt.Errorf("files: %w", err)
	}
	r, err := s.wrote(id)
	if err == nil && r <= since { // the very same document again is a change too
		s.set(id, entry{name: name, document: document})
		r = s.revision
	}
	return r, err
}

// Delete removes a definition.
func (s *Store) Delete(ctx context.Context, uuid string, since store.Revision) (store.Revision, error) {
	uuid = strings.ToLower(uuid)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(ctx, uuid, since); err != nil {
		return 0, err
	}
	e := s.now[uuid]
	if e.document == nil {
		return 0, fmt.Errorf("files: %w: there is no %s", store.ErrConflict, uuid)
	}
	if err := os.Remove(filepath.Join(s.directory, e.name)); err != nil {
		return 0, fmt.Errorf("files: %w", err)
	}
	if err := syncDirectory(s.directory); err != nil {
		return 0, errors.Join(fmt.Errorf("files: %w: %w", store.ErrUnknownOutcome, err), s.scan())
	}
	return s.wrote(uuid)
}

// writable looks at the directory first: a person may have changed something that nobody has seen yet.
func (s *Store) writable(ctx context.Context, uuid string, since store.Revision) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.closed:
		return errors.New("files: the store is closed")
	case s.readOnly:
		return fmt.Errorf("files: %w", store.ErrReadOnly)
	}
	if err := s.scan(); err != nil {
		return err
	}
	if since != s.revision {
		return fmt.Errorf("files: %w: it is at revision %d, not %d", store.ErrConflict, s.revision, since)
	}
	if name := s.now[uuid].name; name != "" {
		if p := s.problems[name]; p != nil && p.err != nil {
			return fmt.Errorf("files: %s is left as it is: mend or remove it first: %w", name, p.err)
		}
	}
	if p := s.problems[uuid+suffix]; p != nil && p.err != nil {
		return fmt.Errorf("files: %s is left as it is: mend or remove it first: %w", uuid+suffix, p.err)
	}
	return nil
}

// wrote takes in what was written, and returns its revision.
func (s *Store) wrote(uuid string) (store.Revision, error) {
	if err := s.scan(); err != nil {
		return 0, fmt.Errorf("files: %w: %w", store.ErrUnknownOutcome, err)
	}
	return s.now[uuid].revision, nil
}

var _ store.Store = (*Store)(nil)
