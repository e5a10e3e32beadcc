//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package files

import "errors"

// lock fails: without a lock two processes would run the same mappings.
func lock(string) (unlock func() error, err error) {
	return nil, errors.New("this system has no lock on files that this package knows; ReadOnly needs none")
}

func syncDirectory(string) error { return nil }
