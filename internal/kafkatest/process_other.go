//go:build !linux

package kafkatest

import "syscall"

// dieWithParent can ask for nothing here: a test binary that is killed leaves
// its brokers running.
func dieWithParent() *syscall.SysProcAttr { return nil }
