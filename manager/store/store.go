// Package store is the interface between the manager and the place where it stores its mappings: files (the default), a
// compacted topic for several replicas, or memory for tests. Package storetest has the test suite that every Store
// passes.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/esm-go/esm"
)

// Errors that a Store returns.
var (
	// ErrConflict is wrapped by the error of a Put or Delete if anything in the store has changed after the revision
	// that the caller had seen: read, decide and try again.
	ErrConflict = errors.New("the store has changed meanwhile")
	// ErrReadOnly is wrapped by the error of a Put or Delete on a store that accepts no writes.
	ErrReadOnly = errors.New("the store is read-only")
	// ErrNewerVersion is wrapped by the error for a definition that a newer version of this library wrote.
	ErrNewerVersion = errors.New("written by a newer version")
	// ErrUnknownOutcome is wrapped by the error of a write that may or may not have taken place, because it was
	// interrupted. A Watch shows the outcome.
	ErrUnknownOutcome = errors.New("it is not known whether the write took place")
)

// Revision numbers the changes of a store. Every change has a greater revision than all earlier ones; 0 is before the
// first. Revisions of two Stores, or of a files store that was reopened, are unrelated.
type Revision int64

// Definition is one mapping as it is stored.
type Definition struct {
	// Mapping is what the user defined. Its UUID identifies it and is always set.
	Mapping esm.Mapping
	// LastModified is when a user last changed it.
	LastModified time.Time
	// Revision is the revision of the last change. The Store sets it; Put ignores it.
	Revision Revision
}

// Change is one report of a Watch.
type Change struct {
	// UUID is the mapping's UUID. It is empty in a mark, which says that everything up to Revision has been reported.
	UUID string
	// Definition is the mapping's current definition, nil if it has been deleted. It belongs to the receiver.
	Definition *Definition
	// Revision is the revision of the change.
	Revision Revision
	// Problem, if not nil, is the only content of the Change: something in the store that cannot be read.
	Problem *Problem
}

// Problem is something in a store that cannot be read. The store leaves it as it is.
type Problem struct {
	// Source names it: a file or a record.
	Source string
	// Err says what is wrong; nil means that the problem no longer exists.
	Err error
}

// Error names the source and what is wrong with it.
func (p *Problem) Error() string {
	if p.Err == nil {
		return p.Source + ": fixed"
	}
	return fmt.Sprintf("%s: %v", p.Source, p.Err)
}

// Unwrap returns Err.
func (p *Problem) Unwrap() error { return p.Err }

// Store stores definitions. Its methods are safe for concurrent use.
//
// A write carries the revision of the store that its caller had seen, and is rejected with ErrConflict if anything has
// changed since. A caller that decides by what it has read, for example that a mapping does not exist yet, therefore
// decides correctly even if other processes write at the same time.
type Store interface {
	// List returns all definitions, by UUID, and the store's revision.
	List(ctx context.Context) ([]Definition, Revision, error)
	// Put stores a definition, replacing the one with the same UUID, if any, and returns its revision. When it returns
	// nil the write is durable.
	Put(ctx context.Context, d Definition, since Revision) (Revision, error)
	// Delete removes a definition. If there is none, the error is ErrConflict.
	Delete(ctx context.Context, uuid string, since Revision) (Revision, error)
	// Watch reports the current content, then a mark, then each change, in the order of revisions. It returns nil when
	// ctx ends. It calls told from one goroutine, and told must not call the Store. After an error Watch has stopped;
	// call it again.
	Watch(ctx context.Context, told func(Change)) error
}
