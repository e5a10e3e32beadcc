package files

import (
	"os"
	"path/filepath"
)

// write replaces a file atomically: a reader sees the old or the new document as a whole, even after a power failure.
func (s *Store) write(name string, document []byte) (err error) {
	f, err := os.CreateTemp(s.directory, temporary+"*")
	if err != nil {
		return err
	}
	s.between("created")
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(document[:len(document)/2]); err != nil {
		return err
	}
	s.between("torn")
	if _, err = f.Write(document[len(document)/2:]); err != nil {
		return err
	}
	s.between("written")
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	s.between("synced")
	if err = os.Rename(f.Name(), filepath.Join(s.directory, name)); err != nil {
		return err
	}
	s.between("renamed")
	return syncDirectory(s.directory)
}
