//go:build unix

package runtime_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/function/runtime"
	"github.com/esm-go/esm/internal/functest"
)

func itoa(n int) string { return strconv.Itoa(n) }

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	if err != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

// parent is the process that TestKilledParent kills: it runs workers, one of them busy, and prints their process IDs.
func parent() {
	pool, err := runtime.New(worker("hang"), runtime.WithWorkerRange(3, 3), runtime.WithLogger(slog.New(slog.DiscardHandler)))
	if err == nil {
		err = pool.Start(context.Background())
	}
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	go func() { _ = pool.Handle(context.Background(), esmtest.Event("t", esmtest.Values("a")...)) }()
	for pool.Status().Workers[0].State != "Busy" && pool.Status().Workers[1].State != "Busy" && pool.Status().Workers[2].State != "Busy" {
		goruntime.Gosched()
	}
	for _, w := range pool.Status().Workers {
		fmt.Println(w.PID)
	}
	fmt.Println("ready")
	_, _ = io.ReadAll(os.Stdin) // blocks until the process is killed
}

// A killed parent leaves no worker behind.
func TestKilledParent(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("the kernel does it on Linux only")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ESM_TEST_WORKER=parent")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(lines.Text())
		}
		pids = append(pids, pid)
	}
	if len(pids) != 3 {
		t.Fatalf("%d workers", len(pids))
	}
	for _, pid := range pids {
		if !alive(pid) {
			t.Errorf("worker %d does not live", pid)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for _, pid := range pids {
		functest.Eventually(t, "worker "+itoa(pid)+" is gone", func() bool { return !alive(pid) })
	}
}

// However a worker ends, the processes that it started end too.
func TestProcessGroup(t *testing.T) {
	for _, how := range []string{"die", "sleep 60", "stop"} {
		t.Run(how, func(t *testing.T) {
			c := python(t, "app.handler")
			c.Timeout = 2 * time.Second
			p, _ := begin(t, c)
			path := filepath.Join(t.TempDir(), "pids")
			if how == "stop" {
				if err := invoke(t, p, "child "+path); err != nil {
					t.Fatal(err)
				}
				p.Stop(t.Context())
			} else if err := invoke(t, p, "child "+path, how); err == nil {
				t.Fatal("it succeeded")
			}
			var worker, child int
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Sscan(string(b), &worker, &child); err != nil {
				t.Fatal(err)
			}
			if alive(worker) {
				t.Error("the worker lives when its invocation has ended")
			}
			functest.Eventually(t, "the child is gone", func() bool { return !alive(child) })
		})
	}
}

// A worker that ignores SIGTERM is killed after the stop timeout, or when the context of Stop ends.
func TestStubborn(t *testing.T) {
	for _, tc := range []struct{ grace, patience time.Duration }{{100 * time.Millisecond, time.Minute}, {time.Hour, 100 * time.Millisecond}, {0, time.Minute}} {
		p, _ := begin(t, worker("stubborn"), runtime.WithStopTimeout(tc.grace))
		pid := p.Status().Workers[0].PID
		ctx, cancel := context.WithTimeout(t.Context(), tc.patience)
		p.Stop(ctx)
		cancel()
		if alive(pid) {
			t.Errorf("%+v: the worker lives", tc)
		}
		if s := p.Status(); len(s.Workers) != 0 || s.State != "Stopped" {
			t.Errorf("%+v: status %+v", tc, s)
		}
		if err := p.Start(t.Context()); !errors.Is(err, runtime.ErrStopped) {
			t.Errorf("Start again: %v", err)
		}
	}
}

// A stop or a revocation ends an invocation: its worker has ended when Handle returns, and that does not count as a
// failure of the function.
func TestContextEnds(t *testing.T) {
	p, _ := begin(t, python(t, "app.handler"))
	path := filepath.Join(t.TempDir(), "pid")
	cause := errors.New("the end")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Handle(ctx, esmtest.Event("t", esmtest.Values("pid "+path, "sleep 60")...)) }()
	var pid int
	functest.Eventually(t, "the function runs", func() bool {
		b, err := os.ReadFile(path)
		if err == nil {
			_, err = fmt.Sscan(string(b), &pid)
		}
		return err == nil
	})
	cancel(cause)
	if err := <-done; !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if alive(pid) {
		t.Error("the worker lives")
	}
	if err := invoke(t, p, "ok"); err != nil {
		t.Error(err)
	}
	if s := p.Status(); s.Crashes != 0 || s.Timeouts != 0 {
		t.Errorf("status %+v", s)
	}
}
