package destination

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"
)

// work sends ready failures until none is left.
func (s *Sender) work() {
	defer func() { // deferred: a Send can end its goroutine
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.workers--; len(s.ready) > 0 {
			s.workers++
			go s.work()
		}
		s.rest()
	}()
	for {
		s.mu.Lock()
		one := s.next()
		if one == nil {
			s.mu.Unlock()
			return
		}
		one.running = true
		one.attempts++
		s.status.Sending++
		s.mu.Unlock()
		s.attempt(one)
	}
}

// next removes and returns the first ready failure that has not been answered yet, or nil. The caller holds mu.
func (s *Sender) next() *sending {
	for len(s.ready) > 0 {
		one := s.ready[0]
		s.ready[0] = nil
		s.ready = s.ready[1:]
		if _, there := s.pending[one]; there {
			return one
		}
	}
	s.ready = nil
	return nil
}

// attempt calls Send once.
func (s *Sender) attempt(one *sending) {
	ctx, cancel := context.WithTimeout(one.ctx, s.config.Timeout)
	stop := context.AfterFunc(s.life, cancel)
	attempt := one.attempts
	late := time.AfterFunc(s.config.Timeout+s.config.Timeout/10, func() { s.overdue(one, attempt) })
	err := errGoexit
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
		if err != nil && one.ctx.Err() == nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = errors.Join(&timeoutError{s.config.Timeout}, err)
		}
		late.Stop()
		stop()
		cancel()
		s.sent(one, err)
	}()
	if ended := ctx.Err(); ended != nil {
		err = ended
		return
	}
	err = s.to.Send(ctx, one.rest)
}

// errGoexit is the error for a Send that ended its goroutine.
var errGoexit = errors.New("the destination's Send ended its goroutine (runtime.Goexit, or FailNow of a test)")

// sent handles the result of a Send.
func (s *Sender) sent(one *sending, err error) {
	if partial, ok := errors.AsType[*PartialError](err); ok {
		one.rest = partial.Rest
	}
	s.mu.Lock()
	one.running = false
	s.status.Sending--
	switch {
	case err == nil:
		s.status.Delivered++
	case one.ctx.Err() != nil:
		err = context.Cause(one.ctx)
	case s.closed:
		err = ErrClosed
	default:
		s.again(one, err)
		return
	}
	s.mu.Unlock()
	if err == nil && s.config.OnDelivered != nil {
		s.config.OnDelivered(Delivery{Failure: one.failure, Attempts: one.attempts, Took: time.Since(one.since)})
	}
	s.answer(one, err)
}

// again schedules a failure for a retry. The caller holds mu, and again releases it.
func (s *Sender) again(one *sending, err error) {
	wait := s.backoff(one.attempts)
	told := one.late
	one.late = false
	s.failed(one, err, told)
	one.timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		one.timer = nil
		if _, there := s.pending[one]; there && !s.closed {
			s.enqueue(one)
		}
	})
	attempt := one.attempts
	s.mu.Unlock()
	if s.config.OnError != nil && !told {
		s.config.OnError(DeliveryError{Failure: one.failure, Attempt: attempt, Err: err, Next: wait})
	}
}

// overdue reports a Send that has not returned even after its context ended. The sender still waits for it: what it
// sends may arrive, so no other attempt for the same failure may run alongside it.
func (s *Sender) overdue(one *sending, attempt int) {
	s.mu.Lock()
	if !one.running || one.attempts != attempt {
		s.mu.Unlock()
		return
	}
	err := fmt.Errorf("%w, and its Send ignores the end of its context: it occupies one of %d", &timeoutError{s.config.Timeout}, s.config.Concurrency)
	one.late = true
	s.failed(one, err, false)
	s.mu.Unlock()
	if s.config.OnError != nil {
		s.config.OnError(DeliveryError{Failure: one.failure, Attempt: attempt, Err: err})
	}
}

// failed records that the last Send of a failure failed. counted reports whether that Send has been counted already.
// The caller holds mu.
func (s *Sender) failed(one *sending, err error, counted bool) {
	if !counted {
		s.status.Errors++
	}
	s.status.LastError = err
	if !one.failing {
		one.failing = true
		s.status.Failing++
		if s.status.Failing == 1 {
			s.status.Since = time.Now()
		}
	}
}

func (s *Sender) backoff(attempts int) time.Duration {
	wait := s.config.MinBackoff
	for range attempts - 1 {
		if wait *= 2; wait >= s.config.MaxBackoff {
			wait = s.config.MaxBackoff
			break
		}
	}
	return wait - rand.N(wait/2+1)
}

// timeoutError says that a Send took too long.
type timeoutError struct{ after time.Duration }

// Error says how long the Send was allowed to take.
func (e *timeoutError) Error() string { return "no acknowledgement within " + e.after.String() }
