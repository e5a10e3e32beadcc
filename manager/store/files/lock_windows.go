package files

import (
	"errors"
	"syscall"
)

// errLocked says that another process has the directory open.
var errLocked = errors.New("another process has this directory of mappings open; several replicas of a service share a topic instead (manager/store/topic)")

// lock opens a file exclusively, until it is closed or the process ends.
func lock(path string) (unlock func() error, err error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const sharingViolation = syscall.Errno(32)
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, sharingViolation) {
		return nil, errLocked
	}
	if err != nil {
		return nil, err
	}
	return func() error { return syscall.CloseHandle(h) }, nil
}

// syncDirectory does nothing: on Windows, the file system's journal covers file names.
func syncDirectory(string) error { return nil }
