//go:build !linux

package kafkatest

import "syscall"

// dieWithParent does nothing here: a killed test binary leaves its brokers running.
func dieWithParent() *syscall.SysProcAttr { return nil }
