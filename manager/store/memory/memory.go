// Package memory keeps a manager's mappings in memory, for tests and for programs that define them anew at every start.
package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/esm-go/esm/manager/store"
)

// Store is a store.Store in memory.
type Store struct {
	mu       sync.Mutex
	now      map[string]entry // what is, and tombstones of what was deleted
	revision store.Revision
	changed  chan struct{}
}

// entry is a definition as its document, so that no caller shares memory with another; nil is a tombstone.
type entry struct {
	document []byte
	revision store.Revision
}

// New returns an empty store.
func New() *Store {
	return &Store{now: make(map[string]entry), changed: make(chan struct{})}
}

// List returns all definitions.
func (s *Store) List(ctx context.Context) ([]store.Definition, store.Revision, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
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
	return s.write(ctx, stored.Mapping.UUID, document, since)
}

// Delete removes a definition.
func (s *Store) Delete(ctx context.Context, uuid string, since store.Revision) (store.Revision, error) {
	return s.write(ctx, uuid, nil, since)
}

func (s *Store) write(ctx context.Context, uuid string, document []byte, since store.Revision) (store.Revision, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case since != s.revision:
		return 0, fmt.Errorf("memory: %w: it is at revision %d, not %d", store.ErrConflict, s.revision, since)
	case document == nil && s.now[uuid].document == nil:
		return 0, fmt.Errorf("memory: %w: there is no %s", store.ErrConflict, uuid)
	}
	s.revision++
	s.now[uuid] = entry{document, s.revision}
	close(s.changed)
	s.changed = make(chan struct{})
	return s.revision, nil
}

// Watch tells what is and what changes.
func (s *Store) Watch(ctx context.Context, told func(store.Change)) error {
	var seen store.Revision
	for first := true; ; first = false {
		changes, revision, changed, err := s.since(seen, first)
		if err != nil {
			return err
		}
		for _, c := range changes {
			told(c)
		}
		if first {
			told(store.Change{Revision: revision})
		}
		seen = revision
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// since returns what changed after a revision; of several changes of a mapping the last.
func (s *Store) since(seen store.Revision, first bool) ([]store.Change, store.Revision, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var changes []store.Change
	for uuid, e := range s.now {
		if e.revision <= seen || first && e.document == nil {
			continue
		}
		d, err := e.definition()
		if err != nil {
			return nil, 0, nil, err
		}
		changes = append(changes, store.Change{UUID: uuid, Definition: d, Revision: e.revision})
	}
	slices.SortFunc(changes, func(a, b store.Change) int { return int(a.Revision - b.Revision) })
	return changes, s.revision, s.changed, nil
}
