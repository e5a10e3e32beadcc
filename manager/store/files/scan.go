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

// maxFile bounds what is read: a mapping's parameters have some 100 KB at most.
const maxFile = 4 << 20

// stamp tells that a file may have changed.
type stamp struct {
	size  int64
	mtime time.Time
	// settled says that the time was long enough past when the file was read: a second change within the clock's step
	// would else have the same stamp.
	settled bool
}

// clockStep is more than the step of a file system's clock (10 ms on Linux), but for FAT.
const clockStep = 100 * time.Millisecond

// scan takes in what the directory holds now. It is called with mu held.
func (s *Store) scan() error {
	names, err := s.list()
	if err != nil {
		return fmt.Errorf("files: the directory of mappings cannot be read: %w", err)
	}
	// What is gone goes first, so that a file that was renamed is found under its new name.
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
	return names, nil // sorted by ReadDir
}

func (s *Store) gone(name string, f *file) {
	delete(s.files, name)
	s.mended(name)
	if f.uuid != "" && s.names[f.uuid] == name && s.table.Row(f.uuid).Document != nil {
		s.set(f.uuid, name, nil)
	}
}

// look reads a file that may have changed.
func (s *Store) look(name string) {
	known := s.files[name]
	path := filepath.Join(s.directory, name)
	info, err := os.Stat(path) // of what a link leads to, as in a ConfigMap
	p := s.problems[name]
	broken := p != nil && p.err != nil // which another file may mend
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
		return // gone since: the next scan sees that
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

// take takes in a document.
func (s *Store) take(name string, f *file, document []byte) {
	d, err := store.Decode(document)
	if err != nil {
		s.refuse(name, err)
		return
	}
	id := d.Mapping.UUID
	if s.table.Row(id).Document != nil && s.names[id] != name {
		s.refuse(name, fmt.Errorf("has the UUID %s of %s: remove one of them, or give it a UUID of its own", id, s.names[id]))
		return
	}
	s.mended(name)
	if f.uuid != "" && f.uuid != id && s.names[f.uuid] == name { // somebody wrote another mapping into the file
		s.set(f.uuid, name, nil)
	}
	f.uuid = id
	if s.names[id] = name; string(s.table.Row(id).Document) != string(document) {
		s.set(id, name, document)
	}
}

// set takes in what a file holds now; a nil document is one that is gone.
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

func (s *Store) mended(name string) {
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

// pathless is an error without the path, which is told beside it.
func pathless(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// Watch tells what is and what changes.
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

// news is what happened to problems.
func (s *Store) news(events int, first bool) []store.Change {
	var changes []store.Change
	for name, p := range s.problems {
		if p.at > events && (p.err != nil || !first) {
			changes = append(changes, store.Change{Problem: &store.Problem{Source: name, Err: p.err}})
		}
	}
	return changes
}
