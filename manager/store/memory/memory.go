// Package memory stores a manager's mappings in memory, for tests and for programs that define them again at every
// start.
package memory

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/esm-go/esm/manager/store"
	"github.com/esm-go/esm/manager/store/internal/table"
)

// Store is a store.Store in memory.
type Store struct {
	mu    sync.Mutex
	table *table.Table
}

// New returns an empty store.
func New() *Store { return &Store{table: table.New()} }

// List returns all definitions.
func (s *Store) List(ctx context.Context) ([]store.Definition, store.Revision, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
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
	return s.write(ctx, stored.Mapping.UUID, document, since)
}

// Delete removes a definition.
func (s *Store) Delete(ctx context.Context, uuid string, since store.Revision) (store.Revision, error) {
	return s.write(ctx, strings.ToLower(uuid), nil, since)
}

func (s *Store) write(ctx context.Context, uuid string, document []byte, since store.Revision) (store.Revision, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch now := s.table.Revision(); {
	case since != now:
		return 0, fmt.Errorf("memory: %w: it is at revision %d, not %d", store.ErrConflict, now, since)
	case document == nil && s.table.Row(uuid).Document == nil:
		return 0, fmt.Errorf("memory: %w: there is no %s", store.ErrConflict, uuid)
	}
	s.table.Set(uuid, document, since+1)
	return since + 1, nil
}

// Watch reports the current content and every change.
func (s *Store) Watch(ctx context.Context, told func(store.Change)) error {
	var seen store.Revision
	for first := true; ; first = false {
		s.mu.Lock()
		changes, err := s.table.Since(seen, first)
		changed := s.table.Changed()
		seen = s.table.Revision()
		s.mu.Unlock()
		if err != nil {
			return err
		}
		for _, c := range changes {
			told(c)
		}
		if first {
			told(store.Change{Revision: seen})
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

var _ store.Store = (*Store)(nil)
