package kafkatest

import "syscall"

// dieWithParent makes the kernel kill the child when the thread that started it ends, so that a test binary that
// panics, times out or is killed leaves no broker behind.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
