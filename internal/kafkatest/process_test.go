package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestLastLines(t *testing.T) {
	l := newLastLines(3)
	for i := range 5 {
		fmt.Fprintf(l, "line %d\nand ", i)
	}
	if got, want := l.String(), "and line 3\nand line 4\nand "; !strings.HasSuffix(got, want) || strings.Count(got, "\n") != 3 {
		t.Errorf("kept %q", got)
	}
}

func TestRunEndsWithContext(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("needs the program sleep")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := run(ctx, sleep, "600"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
	}
	if _, err := run(t.Context(), sleep, "x"); err == nil {
		t.Error("a program that failed gave no error")
	}
}

const orphanEnv = "KAFKATEST_ORPHAN"

// A test binary that panics leaves no process behind: this test runs itself as such a binary.
func TestChildDiesWithPanic(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil || dieWithParent() == nil {
		t.Skip("needs the program sleep, and Linux")
	}
	if os.Getenv(orphanEnv) != "" {
		p, err := startProcess(newLastLines(1), sleep, "600")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("child=%d\n", p.cmd.Process.Pid)
		panic("as a test might")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildDiesWithPanic$")
	cmd.Env = append(os.Environ(), orphanEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("the binary did not panic: %s", out)
	}
	_, rest, ok := strings.Cut(string(out), "child=")
	pid, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(pid)
	if !ok || err != nil {
		t.Fatalf("no child in %s", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := poll(ctx, func(context.Context) error { return gone(n) }); err != nil {
		t.Error(err)
	}
}

// gone returns an error while the process runs. A zombie has ended.
func gone(pid int) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil //nolint:nilerr // no such process
	}
	if _, state, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(state, "Z") {
		return nil
	}
	return fmt.Errorf("process %d still runs", pid)
}
