package runtime

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/esm-go/esm/function"
)

// maximumBackoff bounds the pause after consecutive failed starts.
const maximumBackoff = time.Minute

// keep runs on the pool's own goroutine. It starts the workers that are wanted, and ends those that are not wanted or
// are stuck.
func (p *Pool) keep() {
	defer close(p.kept)
	defer p.runs.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-p.wake:
		case <-timer.C:
		}
		p.mu.Lock()
		fresh, next := p.reconcile(time.Now())
		over := p.stopping && len(p.workers) == 0
		p.unlock()
		for _, w := range fresh {
			p.runs.Go(w.run)
		}
		if over {
			return
		}
		timer.Reset(next)
	}
}

// reconcile ends the workers that must end and creates those that are wanted. It returns the new workers, and the
// longest time until it must run again. The caller holds mu.
func (p *Pool) reconcile(now time.Time) (fresh []*worker, next time.Duration) {
	next = time.Hour
	due := func(t time.Time) bool {
		if !now.Before(t) {
			return true
		}
		next = min(next, t.Sub(now))
		return false
	}
	live, busy := 0, 0
	for _, w := range p.workers {
		switch {
		case w.state == ending:
			if !w.killed && due(w.since.Add(p.set.grace)) {
				w.kill()
			}
			if w.initError != nil {
				live++ // until it has exited and counts as a failure
			}
			continue
		case p.stopping:
			w.end(now)
			due(w.since.Add(p.set.grace))
			continue
		case w.state == starting && due(w.since.Add(p.set.initTimeout)):
			live++
			w.initError = fmt.Errorf("Sandbox.Timedout: the worker did not ask for an invocation within %v: does %s speak the Runtime API at AWS_LAMBDA_RUNTIME_API?", p.set.initTimeout, p.config.Command[0])
			w.end(now)
			continue
		case w.state == answered && due(w.since.Add(p.set.initTimeout)):
			p.say(slog.LevelWarn, "a worker did not ask for another invocation, it is replaced", "function", p.config.FunctionName, "worker", w.number)
			w.end(now)
			continue
		case w.state == busyState:
			busy++
		}
		live++
	}
	if p.stopping {
		return nil, next
	}
	spare := live - max(p.wanted, busy+len(p.waiting))
	for len(p.idle) > 0 && spare > 0 {
		w := p.idle[0] // the least recently used
		if !due(w.idleSince.Add(p.set.idle)) {
			break
		}
		p.idle = p.idle[1:]
		w.end(now)
		live--
		spare--
	}
	want := max(p.wanted, busy+len(p.waiting))
	if p.set.maximum > 0 {
		want = min(want, p.set.maximum)
	}
	if live >= want {
		return fresh, next
	}
	if p.failures > 0 && !due(p.retryAt) {
		return fresh, next
	}
	if p.failures > 0 {
		want = min(want, live+1) // a single worker finds out whether starts work again
		if p.starting() > 0 {
			return fresh, next
		}
	}
	for ; live < want; live++ {
		p.numbered++
		p.counts.starts++
		w := newWorker(p, p.numbered, now)
		p.workers = append(p.workers, w)
		fresh = append(fresh, w)
	}
	return fresh, min(next, p.set.initTimeout)
}

// starting counts the workers that have not asked for work yet. The caller holds mu.
func (p *Pool) starting() int {
	n := 0
	for _, w := range p.workers {
		if w.state == starting || w.initError != nil {
			n++
		}
	}
	return n
}

// startFailed records that a worker ended before it did any work. If no other worker is alive, the waiting calls get
// the error, as they would on Lambda. The caller holds mu.
func (p *Pool) startFailed(begun time.Time, err error) {
	if p.failures < 30 && !begun.Before(p.failedAt) { // workers started together count once
		p.failures++
	}
	pause := min(p.set.backoff<<(max(p.failures, 1)-1), maximumBackoff)
	p.failedAt = time.Now()
	p.retryAt, p.lastInit = p.failedAt.Add(pause), err
	p.say(slog.LevelError, "a worker did not start", "function", p.config.FunctionName, "failures", p.failures, "after", pause, "err", err)
	for _, w := range p.workers {
		if w.state != ending {
			p.announce()
			return
		}
	}
	problem := p.configError(err)
	for _, c := range p.waiting {
		r := result{answer: sandboxError("Runtime.ExitError", fmt.Sprintf("RequestId: %s Error: %v", c.id, err))}
		if body, ok := err.(*initError); ok { //nolint:errorlint // it is ours, unwrapped
			r.answer = function.Answer{FunctionError: function.Unhandled, Payload: body.payload}
		}
		r.answer.Err = problem
		c.finish(r)
	}
	p.waiting = nil
	p.announce()
}
