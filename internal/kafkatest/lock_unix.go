//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package kafkatest

import (
	"errors"
	"os"
	"syscall"
)

// lockFile waits for the exclusive lock on path. The kernel releases the lock when the process ends, so a killed test
// leaves nothing to clean up.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // closing releases the lock
}
