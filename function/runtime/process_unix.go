//go:build unix

package runtime

import (
	"os"
	"syscall"
)

// signalGroup sends SIGTERM or SIGKILL to the process group that a worker leads.
func signalGroup(p *os.Process, kill bool) {
	sig := syscall.SIGTERM
	if kill {
		sig = syscall.SIGKILL
	}
	_ = syscall.Kill(-p.Pid, sig) // the group may be gone
}
