package destination

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrClosed is what a failure gets that was not acknowledged before its Sender was closed: its records stay unresolved.
var ErrClosed = errors.New("destination: the sender is closed")

// SenderConfig shapes a Sender. Its zero value is ready.
type SenderConfig struct {
	// Concurrency is how many Sends run at a time at most, from 1; default 16.
	Concurrency int
	// Timeout bounds one Send by its context; default 30 s. What it leaves unanswered is sent again. A Send that goes on
	// a tenth of it longer is told as one that failed; only when it has returned is the failure sent again.
	Timeout time.Duration
	// MinBackoff and MaxBackoff bound the wait before a failure is sent again: it doubles from one to the other, and a
	// random part of up to half is taken off. Defaults 100 ms and 30 s.
	MinBackoff, MaxBackoff time.Duration
	// OnDelivered is called for each acknowledged failure, before its own callback; OnError once for each Send that failed,
	// panicked or is overdue. Both may be called from several goroutines at once and must not wait.
	OnDelivered func(Delivery)
	OnError     func(DeliveryError)
}

// Delivery is a failure that was acknowledged.
type Delivery struct {
	Failure *Failure
	// Attempts counts the Sends, from 1.
	Attempts int
	// Took is the time from the hand-over to the acknowledgement.
	Took time.Duration
}

// DeliveryError is a Send that failed.
type DeliveryError struct {
	Failure *Failure
	// Attempt counts the Sends of this failure, from 1.
	Attempt int
	Err     error
	// Next is the wait before the next attempt, 0 where this one has not returned.
	Next time.Duration
}

// SenderStatus says how a Sender stands.
type SenderStatus struct {
	// Pending counts the failures that were handed over and not answered yet; Sending those of them in a Send.
	Pending, Sending int
	// Failing counts those of Pending of which the last Send failed. Since is when that began, the zero Time when it is 0.
	Failing int
	Since   time.Time
	// LastError is that of the last Send that failed; it stays when Failing is 0 again.
	LastError error
	// Delivered counts the acknowledged failures, Errors the Sends that failed.
	Delivered, Errors int64
}

// Sender sends failures to a Destination on goroutines of its own, each until it is acknowledged or its context ends.
// It loses none: every failure handed over is answered by its callback, once. At most SenderConfig.Concurrency
// goroutines run; a failure that waits to be sent again occupies none, so that one that a destination refuses does not
// hold back the others. Failures that wait are kept as long as their owner keeps them anyway: who hands over at most
// one a partition bounds them by the partitions. All methods are safe for concurrent use.
type Sender struct {
	to     Destination
	config SenderConfig
	life   context.Context //nolint:containedctx // ends the Sends that run at Close
	end    context.CancelFunc

	mu      sync.Mutex
	ready   []*sending // in order of arrival; a cancelled one stays until it is its turn
	workers int
	closed  bool
	// unanswered counts the failures whose callback has not returned.
	unanswered int
	idle       chan struct{} // closed when closed is set and no worker runs and nothing is unanswered
	pending    map[*sending]struct{}
	status     SenderStatus
}

// sending is one failure on its way. Its fields are guarded by Sender.mu.
type sending struct {
	ctx      context.Context //nolint:containedctx // the owner's, for as long as the failure is on its way
	failure  *Failure
	rest     *Failure // what is not acknowledged of it; the worker's while running
	done     func(error)
	since    time.Time
	attempts int
	running  bool // a worker sends it
	failing  bool
	late     bool        // this Send is overdue, and was counted as failed
	timer    *time.Timer // until the next attempt
	unwatch  func() bool
}

// NewSender returns a Sender for a Destination. Close ends it.
func NewSender(to Destination, config SenderConfig) *Sender {
	if config.Concurrency < 1 {
		config.Concurrency = 16
	}
	if config.Timeout <= 0 {
		config.Timeout = 30 * time.Second
	}
	if config.MinBackoff <= 0 {
		config.MinBackoff = 100 * time.Millisecond
	}
	if config.MaxBackoff <= 0 {
		config.MaxBackoff = 30 * time.Second
	}
	config.MaxBackoff = max(config.MaxBackoff, config.MinBackoff)
	s := &Sender{to: to, config: config, idle: make(chan struct{}), pending: make(map[*sending]struct{})}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// Send hands over a failure and returns at once. done is called once, from another goroutine, and must not wait: with
// nil when the destination has acknowledged the failure; with the cause of ctx's end, or ErrClosed, when it has not, so
// that the records must stay unresolved. Where ctx ends while a Send runs, done comes when that Send has returned: an
// acknowledgement that still arrives counts. The failure must not be changed before done.
func (s *Sender) Send(ctx context.Context, f *Failure, done func(error)) {
	one := &sending{ctx: ctx, failure: f, rest: f, done: done, since: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[one] = struct{}{}
	s.unanswered++
	if s.closed {
		go s.answer(one, ErrClosed)
		return
	}
	one.unwatch = context.AfterFunc(ctx, func() { s.cancel(one, context.Cause(ctx)) })
	s.enqueue(one)
}

// enqueue makes a failure ready to be sent. The caller holds mu.
func (s *Sender) enqueue(one *sending) {
	s.ready = append(s.ready, one)
	if s.workers < s.config.Concurrency {
		s.workers++
		go s.work()
	}
}

// cancel answers a failure that no worker has.
func (s *Sender) cancel(one *sending, cause error) {
	s.mu.Lock()
	running := one.running
	s.mu.Unlock()
	if !running { // a worker that takes it now finds its context ended
		s.answer(one, cause)
	}
}

// answer calls done, the first time.
func (s *Sender) answer(one *sending, err error) {
	s.mu.Lock()
	if _, there := s.pending[one]; !there || one.running {
		s.mu.Unlock()
		return
	}
	delete(s.pending, one)
	if one.failing {
		one.failing = false
		if s.status.Failing--; s.status.Failing == 0 {
			s.status.Since = time.Time{}
		}
	}
	if one.timer != nil {
		one.timer.Stop()
	}
	if one.unwatch != nil {
		one.unwatch()
	}
	s.mu.Unlock()
	one.done(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unanswered--
	s.rest()
}

// rest ends Close's wait when nothing is left to wait for. The caller holds mu.
func (s *Sender) rest() {
	if !s.closed || s.workers > 0 || s.unanswered > 0 {
		return
	}
	select {
	case <-s.idle:
	default:
		close(s.idle)
	}
}

// Status says how the sender stands.
func (s *Sender) Status() SenderStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.Pending = len(s.pending)
	return status
}

// Close ends the sender: Sends that run are ended, and what is not acknowledged is answered with ErrClosed. It returns
// when everything is answered, at the latest when ctx ends, with an error where a Send of the Destination ignored the
// end of its context. It does not close the Destination. A Send after Close is answered with ErrClosed.
func (s *Sender) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	var waiting []*sending
	for one := range s.pending {
		if !one.running {
			waiting = append(waiting, one)
		}
	}
	s.rest()
	s.mu.Unlock()
	if first {
		s.end()
		for _, one := range waiting {
			s.answer(one, ErrClosed)
		}
	}
	select {
	case <-s.idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
