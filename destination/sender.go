package destination

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrClosed is the error for a failure that was not acknowledged before its Sender was closed. Its records stay
// unresolved.
var ErrClosed = errors.New("destination: the sender is closed")

// SenderConfig configures a Sender. Its zero value is ready to use.
type SenderConfig struct {
	// Concurrency is the maximum number of concurrent Sends; default 16.
	Concurrency int
	// Timeout bounds one Send through its context; default 30 s. A failure that is not acknowledged in time is sent
	// again. A Send that still runs after another tenth of Timeout is reported as failed, but the failure is sent again
	// only after that Send has returned.
	Timeout time.Duration
	// MinBackoff and MaxBackoff bound the pause before a retry: it doubles from one to the other, less a random part of
	// up to half. Defaults 100 ms and 30 s.
	MinBackoff, MaxBackoff time.Duration
	// OnDelivered is called for each acknowledged failure, before its own callback. OnError is called once for each
	// Send that failed, panicked or is overdue. Both may be called concurrently and must not block.
	OnDelivered func(Delivery)
	OnError     func(DeliveryError)
}

// Delivery is an acknowledged failure.
type Delivery struct {
	Failure *Failure
	// Attempts counts the Sends, from 1.
	Attempts int
	// Took is the time from Send to the acknowledgement.
	Took time.Duration
}

// DeliveryError is a Send that failed.
type DeliveryError struct {
	Failure *Failure
	// Attempt counts the Sends of this failure, from 1.
	Attempt int
	Err     error
	// Next is the pause before the next attempt, 0 if this one has not returned yet.
	Next time.Duration
}

// SenderStatus is a snapshot of a Sender.
type SenderStatus struct {
	// Pending counts the failures that have not been answered yet; Sending counts those of them that are in a Send.
	Pending, Sending int
	// Failing counts the Pending failures whose last Send failed. Since is when the count last rose from 0, the zero
	// Time while it is 0.
	Failing int
	Since   time.Time
	// LastError is the error of the last failed Send. It stays when Failing returns to 0.
	LastError error
	// Delivered counts the acknowledged failures, Errors the failed Sends.
	Delivered, Errors int64
}

// Sender sends failures to a Destination on its own goroutines, each until it is acknowledged or its context ends. It
// loses none: the callback of every failure is called exactly once. At most SenderConfig.Concurrency goroutines run. A
// failure that waits for a retry occupies none of them, so one that a destination rejects does not hold up the others.
// The number of waiting failures is not limited: a caller that sends at most one failure per partition limits it to the
// number of partitions. All methods are safe for concurrent use.
type Sender struct {
	to     Destination
	config SenderConfig
	life   context.Context //nolint:containedctx // ends the Sends that run at Close
	end    context.CancelFunc

	mu      sync.Mutex
	ready   []*sending // in order of arrival; a canceled one stays until its turn
	workers int
	closed  bool
	// unanswered counts the failures whose callback has not returned.
	unanswered int
	idle       chan struct{} // closed once the Sender is closed, no worker runs and nothing is unanswered
	pending    map[*sending]struct{}
	status     SenderStatus
}

// sending is one pending failure. Its fields are guarded by Sender.mu.
type sending struct {
	ctx      context.Context //nolint:containedctx // the owner's, for as long as the failure is on its way
	failure  *Failure
	rest     *Failure // the unacknowledged part; owned by the worker while running
	done     func(error)
	since    time.Time
	attempts int
	running  bool // a worker is sending it
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

// Send accepts a failure and returns at once. done is called once, from another goroutine, and must not block: with nil
// if the destination has acknowledged the failure, or with the cause of ctx's end or ErrClosed if it has not, so that
// the records must stay unresolved. If ctx ends during a Send of the destination, done is called when that Send has
// returned: an acknowledgement that still arrives counts. The failure must not be changed before done is called.
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

// cancel answers a failure, unless a worker is sending it.
func (s *Sender) cancel(one *sending, cause error) {
	s.mu.Lock()
	running := one.running
	s.mu.Unlock()
	if !running { // a worker that takes it now sees that its context has ended
		s.answer(one, cause)
	}
}

// answer calls done, unless it has been called already.
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

// rest lets Close return when nothing is left to wait for. The caller holds mu.
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

// Status returns a snapshot of the sender.
func (s *Sender) Status() SenderStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.Pending = len(s.pending)
	return status
}

// Close closes the sender: it cancels running Sends, and answers failures that are not acknowledged with ErrClosed. It
// returns nil when everything is answered. If a Send of the Destination ignores the end of its context, Close returns
// the cause of ctx's end when ctx ends. It does not close the Destination. A Send after Close is answered with ErrClosed.
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
