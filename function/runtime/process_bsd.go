//go:build unix && !linux

package runtime

import "syscall"

// processAttributes puts a worker at the head of a process group of its own.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
