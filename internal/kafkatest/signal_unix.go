//go:build unix

package kafkatest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// freeze returns when every thread is stopped: the signal is delivered asynchronously, and on a busy machine a thread
// could still answer one more request.
func freeze(p *os.Process) error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for until := time.Now().Add(5 * time.Second); !stopped(p.Pid); {
		if time.Now().After(until) {
			return errors.New("it still runs 5 s after SIGSTOP")
		}
		time.Sleep(time.Millisecond)
	}
	return nil
}

// stopped reports whether all threads of a process are stopped. It returns true if the system does not say.
func stopped(pid int) bool {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, name := range files {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		// The state follows the name, which is in parentheses and may itself contain parentheses.
		if i := bytes.LastIndexByte(stat, ')'); i >= 0 && i+2 < len(stat) && stat[i+2] != 'T' {
			return false
		}
	}
	return true
}

func thaw(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
