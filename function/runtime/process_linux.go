package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// processAttributes makes a worker the leader of its own process group, and makes the kernel kill it when the thread
// that started it ends: that is, whenever and however this process ends.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// await waits until a process has ended. It calls reap before the kernel can reuse the process ID.
func await(cmd *exec.Cmd, reap func()) error {
	for errors.Is(unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
		continue
	}
	reap()
	return cmd.Wait()
}

// limitProcess sets a process's limits; 0 leaves a limit unchanged.
func limitProcess(pid int, memory, files uint64) error {
	for resource, n := range map[int]uint64{unix.RLIMIT_DATA: memory, unix.RLIMIT_NOFILE: files} {
		if n == 0 {
			continue
		}
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: n, Max: n}, nil); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("prlimit to %d: %w", n, err)
		}
	}
	return nil
}

// groupMemory returns the resident memory of each process group.
func groupMemory() map[int]int64 {
	groups := make(map[int]int64)
	page := int64(os.Getpagesize())
	eachProcess(func(pid int) {
		group, ok := processGroup(pid)
		if !ok {
			return
		}
		statm, err := os.ReadFile(procPath(pid, "statm"))
		if err != nil {
			return
		}
		if f := bytes.Fields(statm); len(f) > 1 {
			n, _ := strconv.ParseInt(string(f[1]), 10, 64) // the kernel writes numbers
			groups[group] += n * page
		}
	})
	return groups
}

func procPath(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

func eachProcess(f func(pid int)) {
	dir, err := os.Open("/proc")
	if err != nil {
		return
	}
	defer func() { _ = dir.Close() }() // it was only read
	names, _ := dir.Readdirnames(-1)   // a partial list is fine
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			f(pid)
		}
	}
}

// processGroup reads a process's group from /proc/pid/stat: pid (name) state ppid pgrp.
func processGroup(pid int) (int, bool) {
	stat, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // the name may contain anything
	if len(fields) < 3 {
		return 0, false
	}
	group, err := strconv.Atoi(fields[2])
	return group, err == nil
}
