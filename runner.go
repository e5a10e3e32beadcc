package esm

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/driver"
)

// Runner runs one mapping. Make it with New, run it once with Run; all its methods are safe for concurrent use.
type Runner struct {
	*core
	mapping Mapping
	client  driver.Config
	started atomic.Bool
	ready   chan struct{}
	resumed chan struct{} // a Resume for a Run that waits for it; buffered
	updated chan struct{} // an Update for the scaler; buffered
	access  chan struct{} // other SourceAccessConfigurations; buffered

	// mu guards what follows. It is never held while waiting for the loop.
	mu           sync.Mutex
	wantPaused   bool
	isReady      bool
	ended        bool
	state        State
	reason       string
	lastModified time.Time
	last         Status // of the loop, when it ended
	faultCode    string // why it stopped by itself
	credentials  CredentialsStatus
	scaling      ScalingStatus
}

// identity is how a mapping is named.
type identity struct{ uuid, functionName, bootstrap string }

// newRunner puts a Runner together; New has validated everything.
func newRunner(o *options, h Handler, s *settings, client driver.Config, id identity) *Runner {
	for _, v := range slices.Backward(o.middleware) {
		h = v(h)
	}
	c := &core{opts: o, handler: h, log: o.logger, hooks: &hookList{list: o.hooks}, uuid: id.uuid, functionName: id.functionName, bootstrap: id.bootstrap}
	c.current.Store(s)
	c.budget.limit = o.bufferBytes
	c.workers.begin(o)
	c.circuit.begin(o.breaker)
	c.setResult(resultNone)
	c.diagnosis.init()
	return &Runner{core: c, client: client, ready: make(chan struct{}), resumed: make(chan struct{}, 1), updated: make(chan struct{}, 1), access: make(chan struct{}, 1)}
}

func (r *Runner) lock() func() {
	r.mu.Lock()
	return r.mu.Unlock
}

// Run polls the topics and invokes the handler until ctx ends, then stops: it finishes what is in flight, within the
// stop timeout, commits, leaves the group and returns nil. It returns once every goroutine that it started has
// returned; else a *StuckError names what had to be left behind. A client that fails for good, and a start that
// WithStartTimeout ends, is a *SourceError. A broker that cannot be reached is not an error: Run goes on trying, and
// Status, Healthy, the hooks and the log say so.
//
// A second call returns ErrAlreadyRun.
func (r *Runner) Run(ctx context.Context) error {
	if !r.started.CompareAndSwap(false, true) {
		return ErrAlreadyRun
	}
	r.setState(Creating)
	if !r.awaitEnabled(ctx) {
		r.end()
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	credentials, err := r.resolveCredentials(ctx)
	if err != nil {
		stopped := ctx.Err() != nil
		cancel(nil)
		r.end()
		if stopped {
			return nil
		}
		return err
	}
	r.client.Credentials = credentials
	r.inForce(credentials, false)
	r.log.Info("event source mapping starts", "UUID", r.uuid, "FunctionName", r.functionName, "ConsumerGroupId", r.client.GroupID,
		"Topics", r.client.Topics, "bootstrap", r.bootstrap, "driver", r.opts.driver.Name())
	rotations := make(chan rotation)
	var watchers sync.WaitGroup
	client := r.client
	watchers.Go(func() { r.watchSecrets(ctx, client, rotations) })
	if r.handshakes() {
		client := r.client
		watchers.Go(func() { r.watchHandshakes(ctx, client) })
	}
	defer watchers.Wait()
	defer cancel(nil)
	var tooLate <-chan time.Time
	if d := r.opts.startTimeout; d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		tooLate = timer.C
	}
	return r.runFleets(ctx, cancel, tooLate, rotations)
}

// awaitEnabled waits while the mapping is disabled; false when ctx ends first.
func (r *Runner) awaitEnabled(ctx context.Context) bool {
	for {
		unlock := r.lock()
		paused := r.wantPaused
		unlock()
		if ctx.Err() != nil {
			return false
		}
		if !paused {
			r.settleState(Disabled, Enabling)
			return true
		}
		r.setState(Disabled)
		select {
		case <-r.resumed:
		case <-ctx.Done():
			return false
		}
	}
}

func (r *Runner) isPaused() bool {
	unlock := r.lock()
	defer unlock()
	return r.wantPaused
}

func (r *Runner) becomeReady() {
	unlock := r.lock()
	again := r.isReady
	r.isReady = true
	paused := r.wantPaused
	unlock()
	if again {
		return // of a member that took another one's place
	}
	if !paused {
		r.setState(Enabled)
	}
	close(r.ready)
}

// end keeps the last member's last word, and the final state.
func (r *Runner) end() {
	var last Status
	for _, m := range r.crew.list() {
		m.status(&last) // the loop has ended: its state is ours
	}
	last.sum()
	unlock := r.lock()
	r.ended, r.last = true, last
	unlock()
	r.setState(Disabled)
}

// Ready is closed when the group's first assignment is started: from then on every record produced is seen, under
// StartingPosition LATEST too. When Run ends before that it is never closed.
func (r *Runner) Ready() <-chan struct{} { return r.ready }

// Pause stops the intake, as Enabled = false does on Lambda, without leaving the group: what is in flight is finished,
// nothing new is invoked or fetched. It returns at once; the state goes from Disabling to Disabled.
func (r *Runner) Pause() {
	unlock := r.lock()
	changed := !r.wantPaused && !r.ended
	r.wantPaused = true
	members, running := r.crew.list(), r.started.Load()
	unlock()
	if !changed || !running {
		return
	}
	r.setState(Disabling)
	for _, m := range members {
		m.do(func() { m.setPaused(true) })
	}
}

// Resume ends a Pause.
func (r *Runner) Resume() {
	unlock := r.lock()
	changed := r.wantPaused && !r.ended
	r.wantPaused = false
	members, ready := r.crew.list(), r.isReady
	unlock()
	if !changed {
		return
	}
	select {
	case r.resumed <- struct{}{}:
	default:
	}
	if len(members) == 0 {
		return
	}
	r.setState(Enabling)
	for _, m := range members {
		m.do(func() { m.setPaused(false) })
	}
	if ready {
		r.settleState(Enabling, Enabled)
	}
}

// setPaused runs on the loop.
func (m *member) setPaused(paused bool) {
	if m.paused == paused || m.stop.phase != working {
		return
	}
	m.paused = paused
	m.hushed.Store(false)
	if paused {
		m.pauseAll(pausedByUser)
	} else {
		m.resumeAll(pausedByUser)
	}
}

// setState changes the state and tells the hooks.
func (r *Runner) setState(to State) { r.changeState("", to) }

// settleState changes the state only from a given one.
func (r *Runner) settleState(from, to State) { r.changeState(from, to) }

func (r *Runner) changeState(from, to State) {
	unlock := r.lock()
	old := r.state
	if old == to || from != "" && old != from {
		unlock()
		return
	}
	r.state, r.reason, r.lastModified = to, ReasonUserInitiated, time.Now()
	if r.faultCode != "" {
		r.reason = r.faultCode
	}
	info := StateInfo{From: old, To: to, Reason: r.reason}
	unlock()
	r.log.Info("state", "from", string(info.From), "to", string(info.To))
	r.hooks.stateChange(info)
}

// Status returns a snapshot. Do not call it from a hook that runs on the loop.
func (r *Runner) Status() Status {
	unlock := r.lock()
	members, last, ended := r.crew.list(), r.last, r.ended
	unlock()
	s := Status{}
	if ended {
		s = last
	} else {
		for _, m := range members {
			m.do(func() { m.status(&s) }) // of a loop that has ended since there is no more to say
		}
		s.sum()
	}
	unlock = r.lock()
	s.State, s.StateTransitionReason, s.LastModified, s.Credentials = r.state, r.reason, r.lastModified, r.credentials
	s.Scaling = r.scaling
	unlock()
	if until := s.Credentials.Expires; !until.IsZero() {
		s.Credentials.DaysLeft = int(time.Until(until) / (24 * time.Hour))
	}
	s.UUID, s.FunctionName, s.ConsumerGroupID, s.Driver = r.uuid, r.functionName, r.client.GroupID, r.opts.driver.Name()
	s.LastProcessingResult = *r.result.Load()
	s.Diagnosis = r.diagnosis.of(s.LastProcessingResult)
	if s.State == Creating && s.Diagnosis.Code != "" {
		s.StateTransitionReason = string(s.Diagnosis.Code)
	}
	s.Workers = r.workers.limit()
	s.CircuitOpen = r.circuit.isOpen()
	s.BufferedBytes, s.BufferLimit = int(r.budget.used.Load()), r.budget.limit
	if !s.Scaling.LagTime.IsZero() {
		s.Scaling.LagAge = time.Since(s.Scaling.LagTime)
	}
	s.Metrics = r.counters.snapshot()
	return s
}

// Metrics returns the counters alone; it asks nobody and is cheap.
func (r *Runner) Metrics() Metrics { return r.counters.snapshot() }

// Healthy reports whether the mapping works, for liveness and readiness probes: nil, or an error that wraps
// ErrUnhealthy and says what is wrong. Before Run and while the mapping is disabled it is nil; a handler that fails is
// not a reason, nor is a short loss of the broker.
//
//   - The loop has been busy with one thing for 30 s: a hook blocks.
//   - The client has not returned from a poll for 30 s.
//   - Commits have failed for a minute.
//   - The group took everything away a minute ago and has given nothing back.
//   - Run has ended with the context still alive, or ended at all.
func (r *Runner) Healthy() error {
	unlock := r.lock()
	members, ended := r.crew.list(), r.ended
	unlock()
	if ended {
		return fmt.Errorf("%w: Run has ended", ErrUnhealthy)
	}
	for _, m := range members {
		if err := m.healthy(time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// healthy is Healthy of one member.
func (m *member) healthy(now time.Time) error {
	for _, check := range []struct {
		since time.Duration
		at    int64
		what  string
	}{
		{30 * time.Second, m.busySince.Load(), "the loop has been busy with one thing: does a hook block?"},
		{30*time.Second + m.opts.revokeTimeout, m.lastPoll.Load(), "the Kafka client has not returned from a poll"},
		{time.Minute, m.commitFailing.Load(), "commits fail"},
		{time.Minute, m.lostSince.Load(), "the group took every partition away and has given none back"},
	} {
		if check.at != 0 && now.Sub(time.Unix(0, check.at)) > check.since {
			return fmt.Errorf("%w: %s since %s; last result: %s", ErrUnhealthy, check.what,
				time.Unix(0, check.at).Format(time.RFC3339), *m.result.Load())
		}
	}
	return nil
}
