// Package files stores a manager's mappings in a directory, one JSON file per mapping, which people can read, edit,
// compare and keep under version control.
//
// A file is what store.Encode writes, or handwritten JSON of CreateEventSourceMapping, under any name that ends in
// .json and does not begin with a dot. Files that the Manager creates are named by the mapping's UUID; a file that a
// person created keeps its name. A file that is edited, added or removed by hand changes its mapping, within a second.
// A file that cannot be read, or that a newer version wrote, is reported and left as it is; the mapping that it held
// before continues unchanged.
//
// Writes are atomic and durable: a temporary file, fsync, rename, fsync of the directory. A directory belongs to one
// process, which holds a lock on it. For several replicas of a service, use package topic.
package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/esm-go/esm/manager/store"
	"github.com/esm-go/esm/manager/store/internal/table"
)

const (
	suffix    = ".json"
	lockName  = ".esm.lock"
	temporary = ".esm-write-" // prefix of the names of temporary files
)

// Option configures a Store.
type Option interface{ apply(*Store) }

type optionFunc func(*Store)

func (f optionFunc) apply(s *Store) { f(s) }

// WithPollInterval sets how often the directory is checked for manual changes; default 1 s.
func WithPollInterval(d time.Duration) Option {
	return optionFunc(func(s *Store) { s.interval = max(d, time.Millisecond) })
}

// ReadOnly takes no lock and rejects writes with store.ErrReadOnly. It is for a directory that is mounted read-only,
// such as a Kubernetes ConfigMap, which any number of processes may follow.
func ReadOnly() Option { return optionFunc(func(s *Store) { s.readOnly = true }) }

// Store is a store.Store in a directory.
type Store struct {
	directory string
	interval  time.Duration
	readOnly  bool
	unlock    func() error
	between   func(step string) // called between the steps of a write; tests end the process there

	mu       sync.Mutex
	closed   bool
	files    map[string]*file // by name
	table    *table.Table
	names    map[string]string // the file that holds, or last held, the definition of a UUID
	problems map[string]*problem
	events   int // how often problems have changed
}

// file is what is known about a file.
type file struct {
	stamp stamp
	sum   [32]byte
	uuid  string // of its definition; empty if the file has never been readable
}

// problem is a file that cannot be read; a nil err means that it can be read again.
type problem struct {
	err error
	at  int
}

// Open opens a directory, creating it if needed, and reads it. Close releases it. Opening a directory that another
// process has open is an error.
func Open(directory string, opts ...Option) (*Store, error) {
	s := &Store{
		directory: directory, interval: time.Second, files: make(map[string]*file), names: make(map[string]string),
		table: table.New(), problems: make(map[string]*problem), unlock: func() error { return nil },
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

// Close releases the directory. Later writes are rejected.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.unlock()
}

// sweep removes the temporary files of a process that was killed while it wrote. That process no longer holds the lock.
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
	return s.table.List()
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
	name := id + suffix
	if s.table.Row(id).Document != nil {
		name = s.names[id]
	}
	if err := s.write(name, document); err != nil {
		// Scan to find out whether the file was written: the last fsync can fail after the rename.
		if scanErr := s.scan(); scanErr != nil || string(s.table.Row(id).Document) == string(document) {
			return 0, fmt.Errorf("files: %w: %w", store.ErrUnknownOutcome, err)
		}
		return 0, fmt.Errorf("files: %w", err)
	}
	s.look(name)
	r := s.table.Row(id).Revision
	if r <= since { // writing the same document again is a change too
		s.set(id, name, document)
		r = s.table.Revision()
	}
	return r, nil
}

// Delete removes a definition.
func (s *Store) Delete(ctx context.Context, uuid string, since store.Revision) (store.Revision, error) {
	uuid = strings.ToLower(uuid)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writable(ctx, uuid, since); err != nil {
		return 0, err
	}
	if s.table.Row(uuid).Document == nil {
		return 0, fmt.Errorf("files: %w: there is no %s", store.ErrConflict, uuid)
	}
	if err := os.Remove(filepath.Join(s.directory, s.names[uuid])); err != nil {
		return 0, fmt.Errorf("files: %w", err)
	}
	if err := syncDirectory(s.directory); err != nil {
		return 0, errors.Join(fmt.Errorf("files: %w: %w", store.ErrUnknownOutcome, err), s.scan())
	}
	s.gone(s.names[uuid], s.files[s.names[uuid]])
	return s.table.Row(uuid).Revision, nil
}

// writable scans the directory first: a person may have made a change that has not been seen yet.
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
	if now := s.table.Revision(); since != now {
		return fmt.Errorf("files: %w: it is at revision %d, not %d", store.ErrConflict, now, since)
	}
	for _, name := range []string{s.names[uuid], uuid + suffix} {
		if p := s.problems[name]; p != nil && p.err != nil {
			return fmt.Errorf("files: %s is left as it is: fix or remove it first: %w", name, p.err)
		}
	}
	return nil
}

var _ store.Store = (*Store)(nil)
