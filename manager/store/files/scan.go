package files

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/esm-go/esm/manager/store"
)

// maxFile bounds the size of a file: a mapping's parameters have some 100 KB at most.
const maxFile = 4 << 20

// stamp shows whether a file may have changed.
type stamp struct {
	size  int64
	mtime time.Time
	// settled reports whether the modification time was old enough when the file was read. Otherwise a second change
	// within the clock's resolution could have the same stamp.
	settled bool
}

// clockStep is more than the resolution of file system clocks (10 ms on Linux), except FAT's.
const clockStep = 100 * time.Millisecond

// scan applies the directory's current content. The caller holds mu.
func (s *Store) scan() error {
	names, err := s.list()
	if err != nil {
		return fmt.Errorf("files: the directory of mappings cannot be read: %w", err)
	}
	// Process removed files first, so that a renamed file is found under its new name.
	for name, f := range s.files {
		if !slices.Contains(names, name) {
			s.gone(name, f)
		}
	}
	for _, name := range names {
		s.look(name)
	}
	return nil
}

func (s *Store) list() ([]string, error) {
	entries, err := os.ReadDir(s.directory)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && strings.HasSuffix(e.Name(), suffix) && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil // ReadDir sorts them
}

func (s *Store) gone(name string, f *file) {
	delete(s.files, name)
	s.repaired(name)
	if f.uuid != "" && s.names[f.uuid] == name && s.table.Row(f.uuid).Document != nil {
		s.set(f.uuid, name, nil)
	}
}

// look reads a file that may have changed.
func (s *Store) look(name string) {
	known := s.files[name]
	path := filepath.Join(s.directory, name)
	info, err := os.Stat(path) // follows links, as in a ConfigMap
	p := s.problems[name]
	broken := p != nil && p.err != nil // a change to another file may fix it
	if err == nil && known != nil && !broken && known.stamp.settled && known.stamp.size == info.Size() && known.stamp.mtime.Equal(info.ModTime()) {
		return
	}
	if known == nil {
		known = &file{}
		s.files[name] = known
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is not a regular file")
	}
	var document []byte
	if err == nil {
		document, err = read(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return // removed in the meantime: the next scan handles it
	}
	if err != nil {
		s.refuse(name, pathless(err))
		return
	}
	sum := sha256.Sum256(document)
	changed := sum != known.sum || known.stamp.mtime.IsZero()
	known.sum = sum
	known.stamp = stamp{size: info.Size(), mtime: info.ModTime(), settled: time.Since(info.ModTime()) > clockStep}
	if changed || broken {
		s.take(name, known, document)
	}
}

// take applies a document.
func (s *Store) take(name string, f *file, document []byte) {
	d, err := store.Decode(document)
	if err != nil {
		s.refuse(name, err)
		return
	}
	id := d.Mapping.UUID
	if s.table.Row(id).Document != nil && s.names[id] != name {
		s.refuse(name, fmt.Errorf("has the UUID %s of %s: remove one of them, or give it another UUID", id, s.names[id]))
		return
	}
	s.repaired(name)
	if f.uuid != "" && f.uuid != id && s.names[f.uuid] == name { // the file now holds another mapping
		s.set(f.uuid, name, nil)
	}
	f.uuid = id
	if s.names[id] = name; string(s.table.Row(id).Document) != string(document) {
		s.set(id, name, document)
	}
}

// set stores the document of a mapping; nil means that its file is gone.
func (s *Store) set(uuid, name string, document []byte) {
	s.names[uuid] = name
	s.table.Set(uuid, document, s.table.Revision()+1)
}

func (s *Store) refuse(name string, err error) {
	if p := s.problems[name]; p != nil && p.err != nil && p.err.Error() == err.Error() {
		return
	}
	s.events++
	s.problems[name] = &problem{err: err, at: s.events}
	s.table.Tell()
}

func (s *Store) repaired(name string) {
	if p := s.problems[name]; p != nil && p.err != nil {
		s.events++
		s.problems[name] = &problem{at: s.events}
		s.table.Tell()
	}
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	document, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(document) > maxFile {
		err = fmt.Errorf("is larger than %d bytes", maxFile)
	}
	return document, err
}

// pathless returns an error without its path, which is reported separately.
func pathless(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// Watch reports the current content and every change.
func (s *Store) Watch(ctx context.Context, told func(store.Change)) error {
	ticker := time.NewTicker(s.interval)
	defer ticker.Stop()
	var seen store.Revision
	events := 0
	for first, due := true, true; ; first = false {
		s.mu.Lock()
		err := error(nil)
		if due {
			err = s.scan()
		}
		problems := s.news(events, first)
		changes, sinceErr := s.table.Since(seen, first)
		changed := s.table.Changed()
		seen, events = s.table.Revision(), s.events
		s.mu.Unlock()
		if err := errors.Join(err, sinceErr); err != nil {
			return err
		}
		for _, c := range append(problems, changes...) {
			told(c)
		}
		if first {
			told(store.Change{Revision: seen})
		}
		due = false
		select {
		case <-changed:
		case <-ticker.C:
			due = true
		case <-ctx.Done():
			return nil
		}
	}
}

// news returns the changes of problems since events. If first is set, it omits problems that no longer exist.
func (s *Store) news(events int, first bool) []store.Change {
	var changes []store.Change
	for name, p := range s.problems {
		if p.at > events && (p.err != nil || !first) {
			changes = append(changes, store.Change{Problem: &store.Problem{Source: name, Err: p.err}})
		}
	}
	return changes
}
