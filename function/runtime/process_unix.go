//go:build unix

package runtime

import (
	"os"
	"syscall"
)

// signalGroup sends SIGTERM, or SIGKILL, to the process group that a worker heads.
func signalGroup(p *os.Process, kill bool) {
	sig := syscall.SIGTERM
	if kill {
		sig = syscall.SIGKILL
	}
	_ = syscall.Kill(-p.Pid, sig) // a group that is gone needs none
}
