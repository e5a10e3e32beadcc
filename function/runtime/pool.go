package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/function"
)

// Pool runs a function's workers. Its method Handle is an esm.Handler, and it is a function.Target. Create it with New,
// call Start before the mapping runs, and Stop after Run has returned. It is safe for concurrent use.
type Pool struct {
	*function.Caller
	config Config
	name   function.Name
	set    settings
	limit  int // of an answer

	wake chan struct{} // wakes the keeper; buffered
	kept chan struct{} // closed when the keeper and every worker have ended
	runs sync.WaitGroup

	// mu guards the fields below, and the state of the workers. It is never held while waiting.
	mu        sync.Mutex
	started   bool
	stopping  bool
	workers   []*worker
	idle      []*worker // most recently used last
	waiting   []*call   // not assigned to a worker yet; longest waiting first
	wanted    int       // workers to keep ready, between the minimum and the maximum
	numbered  int
	failures  int       // consecutive failed starts
	failedAt  time.Time // the time of the last one
	retryAt   time.Time
	lastInit  error
	readiness chan struct{} // closed and replaced when a worker has become ready, or has failed to start
	counts    counts
	says      []func() // log lines to write once mu is released: see unlock
}

type counts struct{ invocations, errors, timeouts, crashes, starts int64 }

// ErrStopped is wrapped by the errors of a Pool that is stopped or not started yet.
var ErrStopped = errors.New("runtime: the pool does not run")

// New makes a Pool. It starts nothing. Its error joins everything that is wrong with c and opts.
func New(c Config, opts ...Option) (*Pool, error) {
	c.Environment = cloneMap(c.Environment)
	name, err := c.check()
	s, err2 := newSettings(opts)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	p := &Pool{config: c, name: name, set: s, limit: s.payload, wanted: s.minimum,
		wake: make(chan struct{}, 1), kept: make(chan struct{}), readiness: make(chan struct{})}
	if p.limit < 0 {
		p.limit = 1 << 30
	}
	p.Caller = function.NewCaller(c.FunctionName, p, s.payload, s.log)
	return p, nil
}

func cloneMap(m map[string]string) map[string]string {
	c := make(map[string]string, len(m))
	maps.Copy(c, m)
	return c
}

// Start starts the pool and waits for the cold start: until the minimum of WithWorkerRange is ready. It returns an
// error when ctx ends, or a *function.ConfigError when a worker fails to start. After a failure the pool keeps trying,
// with growing pauses, until Stop. Start may be called again to wait for it.
func (p *Pool) Start(ctx context.Context) error {
	p.mu.Lock()
	if p.stopping {
		p.mu.Unlock()
		return ErrStopped
	}
	first := !p.started
	p.started = true
	failures := p.failures
	p.mu.Unlock()
	if first {
		go p.keep() // awaited by Stop, through kept
	}
	for {
		p.mu.Lock()
		ready, changed := 0, p.readiness
		for _, w := range p.workers {
			if w.state != starting && w.state != ending {
				ready++
			}
		}
		enough, failed, stopping := ready >= p.set.minimum, p.failures > failures, p.stopping
		failures = min(failures, p.failures) // a worker that became ready resets the count
		err := p.lastInit
		p.mu.Unlock()
		switch {
		case stopping:
			return ErrStopped
		case enough:
			return nil
		case failed:
			return p.configError(err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("runtime: function %s: %d of %d workers are ready: %w", p.config.FunctionName, ready, p.set.minimum, context.Cause(ctx))
		}
	}
}

// Ready calls Start. It implements function.Target.
func (p *Pool) Ready(ctx context.Context) error { return p.Start(ctx) }

// Stop ends the workers, with SIGTERM, and with SIGKILL after WithStopTimeout or when ctx ends. It returns when all
// have ended. Call it after Run has returned: it also ends running invocations.
func (p *Pool) Stop(ctx context.Context) {
	p.mu.Lock()
	first := !p.stopping
	p.stopping = true
	running := p.started
	for _, c := range p.waiting {
		c.finish(result{err: fmt.Errorf("%w: %w", function.ErrNotInvoked, ErrStopped)})
	}
	p.waiting = nil
	p.announce()
	p.mu.Unlock()
	if !running {
		if first {
			close(p.kept)
		}
		return
	}
	p.nudge()
	select {
	case <-p.kept:
		return
	case <-ctx.Done():
	}
	p.mu.Lock()
	for _, w := range p.workers {
		w.kill()
	}
	p.mu.Unlock()
	<-p.kept
}

// Hooks returns hooks for esm.WithHooks that make the pool follow the mapping's scaling policy: workers are started
// before their batches arrive, and ended when the policy asks for fewer. Without the hooks, workers are started when a
// batch finds none free, and ended after WithIdleTimeout.
func (p *Pool) Hooks() esm.Hooks {
	return esm.Hooks{Scaled: func(i esm.ScaledInfo) { p.follow(i.To.Workers) }}
}

// follow sets how many workers to keep ready, within the range.
func (p *Pool) follow(n int) {
	p.mu.Lock()
	if p.set.maximum > 0 {
		n = min(n, p.set.maximum)
	}
	fewer := n < p.wanted
	p.wanted = max(n, p.set.minimum)
	if fewer {
		for i := range min(len(p.idle), max(len(p.workers)-p.wanted, 0)) {
			p.idle[i].idleSince = time.Time{} // the keeper ends it now
		}
	}
	p.mu.Unlock()
	p.nudge()
}

// nudge wakes the keeper.
func (p *Pool) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// say queues a log line until mu is released, because a logger may be slow. The caller holds mu, and releases it with
// unlock.
func (p *Pool) say(level slog.Level, text string, attrs ...any) {
	p.says = append(p.says, func() { p.set.log.Log(context.Background(), level, text, attrs...) })
}

// unlock releases mu and then writes the queued log lines.
func (p *Pool) unlock() {
	says := p.says
	p.says = nil
	p.mu.Unlock()
	for _, s := range says {
		s()
	}
}

// announce wakes the callers that wait in Start. The caller holds mu.
func (p *Pool) announce() {
	close(p.readiness)
	p.readiness = make(chan struct{})
}

func (p *Pool) configError(err error) error {
	return &function.ConfigError{Function: p.config.FunctionName, Reason: fmt.Sprintf("its workers do not start: %v", err), Err: err}
}

// Invoke lets a worker handle one request. It implements function.Invoker.
func (p *Pool) Invoke(ctx context.Context, req function.Request) (function.Answer, error) {
	c := &call{id: req.ID, payload: req.Payload, assigned: make(chan struct{}), done: make(chan result, 1)}
	if d, ok := ctx.Deadline(); ok {
		c.deadline = d
	}
	p.mu.Lock()
	if !p.started || p.stopping {
		p.mu.Unlock()
		return function.Answer{}, fmt.Errorf("%w: %w", function.ErrNotInvoked, ErrStopped)
	}
	if n := len(p.idle); n > 0 {
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		w.assign(c)
		p.mu.Unlock()
	} else {
		p.waiting = append(p.waiting, c)
		p.mu.Unlock()
		p.nudge()
		select {
		case <-c.assigned:
		case r := <-c.done:
			return r.answer, r.err
		case <-ctx.Done():
			p.abort(c, result{err: context.Cause(ctx)})
			r := <-c.done
			return r.answer, r.err
		}
	}
	timer := time.NewTimer(p.config.Timeout)
	defer timer.Stop()
	select {
	case r := <-c.done:
		return r.answer, r.err
	case <-ctx.Done():
		p.abort(c, result{err: context.Cause(ctx)})
	case <-timer.C:
		p.abort(c, result{answer: sandboxError("Sandbox.Timedout", fmt.Sprintf("RequestId: %s Error: Task timed out after %.2f seconds", c.id, p.config.Timeout.Seconds())), timeout: true})
	}
	r := <-c.done
	return r.answer, r.err
}

// abort gives a call the result r, unless it already has one. It kills the worker that has the call and waits until it
// has ended, so that nothing of this invocation runs alongside a retry.
func (p *Pool) abort(c *call, r result) {
	p.mu.Lock()
	if i := slices.Index(p.waiting, c); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
	w := c.worker
	if w == nil || w.call != c { // no worker has it, or it is done
		c.finish(r)
		p.mu.Unlock()
		return
	}
	if r.timeout {
		p.counts.timeouts++
	}
	w.call = nil
	w.state = ending
	w.kill()
	p.mu.Unlock()
	<-w.dead
	c.finish(r)
}

// sandboxError returns a function error of the kind that Lambda itself reports.
func sandboxError(kind, message string) function.Answer {
	return function.Answer{FunctionError: function.Unhandled, Payload: errorBody(kind, message)}
}
