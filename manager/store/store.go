// Package store is the seam between the manager and the place where it keeps its mappings: files (the default), a
// compacted topic for several replicas, or memory for tests. Package storetest has the suite that every Store passes.
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
	// ErrConflict is wrapped by the error of a Put or Delete when something in the store changed after the revision that
	// the caller had seen: read, decide and try again.
	ErrConflict = errors.New("the store has changed meanwhile")
	// ErrReadOnly is wrapped by the error of a Put or Delete of a store that takes no writes.
	ErrReadOnly = errors.New("the store is read-only")
	// ErrNewerVersion is wrapped by what is told of a definition that a newer version of this library wrote.
	ErrNewerVersion = errors.New("written by a newer version")
	// ErrUnknownOutcome is wrapped by the error of a write of which nobody can say whether it took place: the store broke
	// off in the middle. A Watch shows what became of it.
	ErrUnknownOutcome = errors.New("it is not known whether the write took place")
)

// Revision numbers the changes of a store. Every change has a greater one than all before it; 0 is before the first.
// Revisions of two Stores, or of a files store opened twice, have nothing to do with one another.
type Revision int64

// Definition is one mapping as it is stored.
type Definition struct {
	// Mapping is what the user defined; its UUID identifies it and is always set.
	Mapping esm.Mapping
	// LastModified is when a user last changed it.
	LastModified time.Time
	// Revision is that of its last change. A Store sets it; Put does not look at it.
	Revision Revision
}

// Change is one thing that a Watch tells.
type Change struct {
	// UUID is that of the mapping; empty in a mark, which says that all up to Revision has been told.
	UUID string
	// Definition is what the mapping is now, nil when it has been deleted. It belongs to the receiver.
	Definition *Definition
	// Revision is that of the change.
	Revision Revision
	// Problem, where not nil, is all that the Change tells: something in the store that cannot be read.
	Problem *Problem
}

// Problem is something in a store that cannot be read, and is left alone.
type Problem struct {
	// Source names it: a file, a record's offset.
	Source string
	// Err says what is wrong; nil when the problem is over.
	Err error
}

// Error names the source and what is wrong with it.
func (p *Problem) Error() string {
	if p.Err == nil {
		return p.Source + ": mended"
	}
	return fmt.Sprintf("%s: %v", p.Source, p.Err)
}

// Unwrap returns what is wrong.
func (p *Problem) Unwrap() error { return p.Err }

// Store keeps definitions. Its methods are safe for concurrent use.
//
// A write carries the revision of the store that its caller had seen, and is refused with ErrConflict when anything has
// changed since. So whoever decides by what it read, such as that a mapping is not there twice, decides right, also
// beside other processes.
type Store interface {
	// List returns all definitions, by UUID, and the revision of the store at which they were so.
	List(ctx context.Context) ([]Definition, Revision, error)
	// Put stores a definition, new or in place of the one with its UUID, and returns its revision. When it returns nil the
	// write is durable.
	Put(ctx context.Context, d Definition, since Revision) (Revision, error)
	// Delete removes a definition; one that is not there is an ErrConflict.
	Delete(ctx context.Context, uuid string, since Revision) (Revision, error)
	// Watch tells everything as it stands, then a mark, then each change, in the order of revisions, until ctx ends: then
	// it returns nil. It calls told from one goroutine, and told must not call the Store. An error means that it could not
	// go on; call it again.
	Watch(ctx context.Context, told func(Change)) error
}
