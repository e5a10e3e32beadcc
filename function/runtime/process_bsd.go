//go:build unix && !linux

package runtime

import "syscall"

// processAttributes makes a worker the leader of its own process group.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
