package runtime

import (
	"os"
	"syscall"
)

func processAttributes() *syscall.SysProcAttr { return nil }

// signalGroup kills the process: Windows has no SIGTERM and no process groups.
func signalGroup(p *os.Process, _ bool) { _ = p.Kill() } // it may be gone
