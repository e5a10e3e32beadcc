package runtime

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/esm-go/esm/function"
)

// state is the state of a worker.
type state uint8

const (
	starting  state = iota // it has not asked for an invocation yet
	idleState              // its request for an invocation is pending
	busyState              // it has an invocation
	answered               // it has answered, and has not asked again
	ending                 // it is ending, and gets no more invocations
)

func (s state) String() string {
	return [...]string{"Starting", "Idle", "Busy", "Answered", "Ending"}[s]
}

// worker is one process that speaks the Runtime API, and the server that it talks to. One goroutine runs it.
type worker struct {
	pool   *Pool
	number int
	work   chan *call // holds one call, so assign never blocks
	// launched is closed when process is set, or never will be.
	launched chan struct{}
	// dead is closed when the process has ended and its process group has been killed.
	dead chan struct{}
	log  *output

	// Guarded by the pool's mu.
	state       state
	since       time.Time // when the state began
	idleSince   time.Time
	call        *call
	killed      bool
	told        bool // why it ends is known, so it is not a crash
	reaped      bool // its process ID may belong to another process
	process     *os.Process
	begun       time.Time
	invocations int64
	initError   error
}

func newWorker(p *Pool, number int, now time.Time) *worker {
	return &worker{pool: p, number: number, work: make(chan *call, 1), launched: make(chan struct{}), dead: make(chan struct{}), since: now, begun: now,
		log: &output{log: p.set.log, level: p.set.level, function: p.config.FunctionName, worker: number}}
}

// assign gives an idle worker a call. The caller holds mu, and has removed the worker from the idle ones.
func (w *worker) assign(c *call) {
	w.state, w.since, w.call, c.worker = busyState, time.Now(), c, w
	id := c.id // not a pointer into the call, which would keep its payload alive
	w.log.request.Store(&id)
	close(c.assigned)
	w.work <- c // never blocks: an idle worker's channel is empty
}

// end asks the worker's process group to end. The caller holds mu.
func (w *worker) end(now time.Time) {
	if w.state == ending {
		return
	}
	w.leaveIdle()
	w.state, w.since, w.told = ending, now, true
	if w.pool.set.grace == 0 {
		w.kill()
		return
	}
	w.signal(false)
}

// kill ends the worker's process group at once. The caller holds mu.
func (w *worker) kill() {
	w.leaveIdle()
	w.killed, w.told = true, true
	w.signal(true)
}

// signal sends a signal to the process group, if there still is one. The caller holds mu.
func (w *worker) signal(kill bool) {
	if w.process != nil && !w.reaped {
		signalGroup(w.process, kill)
	}
}

func (w *worker) leaveIdle() {
	w.pool.idle = slices.DeleteFunc(w.pool.idle, func(o *worker) bool { return o == w })
}

// run runs the worker on its own goroutine, locked to its thread. On Linux the kernel kills the process when the thread
// that started it ends, so the thread must live as long as the process.
func (w *worker) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		close(w.launched)
		w.gone(fmt.Errorf("the worker's port on loopback: %w", err))
		return
	}
	api := newServer(w, listener)
	defer api.close()
	var readers sync.WaitGroup
	defer readers.Wait()
	cmd, pipes, err := w.launch(listener.Addr().String(), &readers)
	close(w.launched)
	defer pipes.finish()
	if err == nil {
		err = await(cmd, w.reap)
		if err == nil {
			err = errors.New("exit status 0")
		}
	}
	w.gone(err)
}

// launch starts the process.
func (w *worker) launch(address string, readers *sync.WaitGroup) (*exec.Cmd, *pipes, error) {
	p := w.pool
	cmd := exec.Command(p.config.Command[0], p.config.Command[1:]...)
	cmd.Dir = p.config.Dir
	cmd.Env = environment(&p.config, p.name, address, w.begun)
	cmd.SysProcAttr = processAttributes()
	pipes, err := w.log.pipes(cmd, readers)
	if err != nil {
		return nil, pipes, err
	}
	err = cmd.Start()
	pipes.started()
	if err != nil {
		return nil, pipes, fmt.Errorf("starting %s: %w", p.config.Command[0], err)
	}
	limits := limitProcess(cmd.Process.Pid, p.set.memory, p.set.files)
	p.mu.Lock()
	defer p.mu.Unlock()
	w.process = cmd.Process
	switch {
	case limits != nil:
		w.initError = fmt.Errorf("setting the worker's limits: %w", limits)
		w.kill()
	case w.killed || p.stopping: // killed or stopped in the meantime
		w.kill()
	}
	return cmd, pipes, nil
}

// reap kills what is left of the process group when its leader has ended.
func (w *worker) reap() {
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	signalGroup(w.process, true)
	w.reaped = true
}

// gone records that the process has ended, or never started. The rest of its output is read afterwards.
func (w *worker) gone(err error) {
	p := w.pool
	p.mu.Lock()
	defer p.unlock()
	close(w.dead)
	early, told := w.invocations == 0 && w.call == nil, w.told
	if w.state == starting || w.initError != nil {
		told = false
	}
	w.leaveIdle()
	w.state = ending
	p.workers = slices.DeleteFunc(p.workers, func(o *worker) bool { return o == w })
	if c := w.call; c != nil {
		w.call = nil
		c.finish(result{answer: sandboxError("Runtime.ExitError", fmt.Sprintf("RequestId: %s Error: Runtime exited with error: %v", c.id, err))})
	}
	if w.initError != nil {
		err = w.initError
	}
	switch {
	case p.stopping:
	case early && !told:
		p.startFailed(w.begun, err)
	case !told:
		p.counts.crashes++
		p.say(slog.LevelWarn, "a worker ended by itself, it is replaced", "function", p.config.FunctionName, "worker", w.number, "err", err)
	}
	p.nudge()
}

// initError is what a worker reported about its failed initialization.
type initError struct {
	kind, message string
	payload       []byte
}

func (e *initError) Error() string { return e.kind + ": " + e.message }

func newInitError(payload []byte, header string) *initError {
	kind, message := function.ErrorText(payload)
	if kind == "" {
		kind = header
	}
	return &initError{kind: kind, message: message, payload: payload}
}
