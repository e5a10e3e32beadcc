package kafkatest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one started Java program. Its goroutine owns it from start to exit.
type process struct {
	cmd  *exec.Cmd
	out  *lastLines
	done chan struct{} // closed after exit
	err  error         // why it ended; read it after done
}

func startProcess(out *lastLines, name string, args ...string) (*process, error) {
	return startProcessEnv(out, nil, name, args...)
}

// startProcessEnv is startProcess with additions to the environment.
func startProcessEnv(out *lastLines, env []string, name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	if len(env) > 0 {
		cmd.Env = append(os.Environ(), env...)
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = dieWithParent()
	cmd.WaitDelay = 5 * time.Second
	p := &process{cmd: cmd, out: out, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel's death signal is tied to the thread that starts the process, so that thread must outlive the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		<-p.done
		return nil, err
	}
	return p, nil
}

func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the process at once and waits until it has exited.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only if it has already ended
	<-p.done
}

// stop asks the process to end, and kills it if it has not ended after d.
func (p *process) stop(d time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.kill()
		return nil // it has already ended, or the system has no SIGTERM
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("still running %s after SIGTERM: killed", d)
	}
}

// run starts a program, waits for it and returns its output.
func run(ctx context.Context, name string, args ...string) (string, error) {
	out := newLastLines(5000)
	p, err := startProcess(out, name, args...)
	if err != nil {
		return "", err
	}
	select {
	case <-p.done:
		return out.String(), p.err
	case <-ctx.Done():
		p.kill()
		return out.String(), ctx.Err()
	}
}

// lastLines is a writer that keeps the last lines written to it. It is safe for concurrent use.
type lastLines struct {
	mu    sync.Mutex
	max   int
	lines []string
	open  []byte // the line that is not complete yet
}

func newLastLines(n int) *lastLines { return &lastLines{max: n} }

func (l *lastLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = append(l.open, b...)
	for {
		line, rest, ok := strings.Cut(string(l.open), "\n")
		if !ok {
			break
		}
		if len(l.lines) == l.max {
			l.lines = append(l.lines[:0], l.lines[1:]...)
		}
		l.lines = append(l.lines, line)
		l.open = []byte(rest)
	}
	return len(b), nil
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := strings.Join(l.lines, "\n")
	if len(l.open) > 0 {
		s += "\n" + string(l.open)
	}
	return strings.TrimPrefix(s, "\n")
}

func (l *lastLines) contains(s string) bool { return strings.Contains(l.String(), s) }

func findJava() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		if java, err := exec.LookPath(home + "/bin/java"); err == nil {
			return java, nil
		}
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("java runs Apache Kafka and is neither in JAVA_HOME nor on the PATH: install a JRE of 17 or later: %w", err)
	}
	return java, nil
}
