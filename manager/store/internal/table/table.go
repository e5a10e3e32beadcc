// Package table holds the definitions of a store in memory, with the revision of each, for List and Watch.
package table

import (
	"cmp"
	"maps"
	"slices"

	"github.com/esm-go/esm/manager/store"
)

// Table is the content of a store. The store guards it with a lock.
type Table struct {
	rows     map[string]Row
	revision store.Revision
	changed  chan struct{}
}

// Row is a definition in its encoded form, so that no two callers share memory. A nil Document marks a deleted
// definition.
type Row struct {
	Document []byte
	Revision store.Revision
}

// New returns an empty table.
func New() *Table { return &Table{rows: make(map[string]Row), changed: make(chan struct{})} }

// Revision returns the revision of the last Set.
func (t *Table) Revision() store.Revision { return t.revision }

// Row returns a row, zero if there never was one.
func (t *Table) Row(uuid string) Row { return t.rows[uuid] }

// Set stores a document, which store.Decode can read, or a deletion (nil). The revision must be greater than all
// earlier ones.
func (t *Table) Set(uuid string, document []byte, r store.Revision) {
	t.revision = r
	t.rows[uuid] = Row{document, r}
	t.Tell()
}

// Tell wakes the goroutines that wait for Changed.
func (t *Table) Tell() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// Changed returns a channel that is closed at the next Set or Tell.
func (t *Table) Changed() <-chan struct{} { return t.changed }

func (r Row) definition() (*store.Definition, error) {
	if r.Document == nil {
		return nil, nil
	}
	d, err := store.Decode(r.Document)
	if err != nil {
		return nil, err
	}
	d.Revision = r.Revision
	return &d, nil
}

// List returns the definitions, by UUID, and the revision.
func (t *Table) List() ([]store.Definition, store.Revision, error) {
	var list []store.Definition
	for _, uuid := range slices.Sorted(maps.Keys(t.rows)) {
		d, err := t.rows[uuid].definition()
		if err != nil {
			return nil, 0, err
		}
		if d != nil {
			list = append(list, *d)
		}
	}
	return list, t.revision, nil
}

// Since returns what has changed after a revision, with only the last change of each mapping. If first is set, it omits
// deleted mappings.
func (t *Table) Since(seen store.Revision, first bool) ([]store.Change, error) {
	var changes []store.Change
	for uuid, row := range t.rows {
		if row.Revision <= seen || first && row.Document == nil {
			continue
		}
		d, err := row.definition()
		if err != nil {
			return nil, err
		}
		changes = append(changes, store.Change{UUID: uuid, Definition: d, Revision: row.Revision})
	}
	slices.SortFunc(changes, func(a, b store.Change) int { return cmp.Compare(a.Revision, b.Revision) })
	return changes, nil
}
