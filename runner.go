package esm

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/hook"
	"github.com/esm-go/esm/internal/start"
)

// Runner runs one mapping. Make it with New, run it once with Run; all its methods are safe for concurrent use.
type Runner struct {
	shared  *core
	opts    *options
	roster  roster
	mapping Mapping
	client  driver.Config
	started atomic.Bool
	ready   chan struct{}
	resumed chan struct{} // a Resume for a Run that waits for it; buffered
	updated chan struct{} // an Update for the scaler; buffered
	access  chan struct{} // other SourceAccessConfigurations; buffered

	// mu guards what follows. It is never held while waiting for the loop.
	mu           sync.Mutex
	isReady      bool
	ended        bool
	state        State
	reason       string
	lastModified time.Time
	enabledAt    time.Time // since when it is to work
	last         Status    // of the loop, when it ended
	faultCode    string    // why it stopped by itself
	credentials  CredentialsStatus
	scaling      ScalingStatus
	untold       []StateInfo // changes of state that the log has not been told yet, in order
	telling      bool
}

// identity is how a mapping is named.
type identity struct{ uuid, functionName, bootstrap string }

// newRunner puts a Runner together; New has validated everything.
func newRunner(o *options, h Handler, s *settings, client driver.Config, id identity) *Runner {
	for _, v := range slices.Backward(o.middleware) {
		h = v(h)
	}
	c := &core{Config: o.config(), Handler: h, Log: o.logger, Hooks: hook.NewList(o.hooks), Meters: newMeters(), UUID: id.uuid, Bootstrap: id.bootstrap,
		Cluster: start.Fingerprint(id.bootstrap), Group: client.GroupID}
	c.Current.Store(s)
	c.Budget.Limit.Store(int64(o.bufferBytes))
	c.Function.Store(&id.functionName)
	// The default policy begins with all that the range allows: a process that has just started has everything to catch up
	// with, and must not wait for Lambda's minute. A policy that the user chose begins at the minimum.
	c.Workers.Begin(o.minimumWorkers, o.maximumWorkers, !o.scaler)
	c.Circuit.Begin(o.breaker.Failures, o.breaker.Cooldown)
	c.Conditions.Init(o.logger)
	c.Stopping.Init()
	r := &Runner{shared: c, opts: o, client: client, ready: make(chan struct{}), resumed: make(chan struct{}, 1), updated: make(chan struct{}, 1), access: make(chan struct{}, 1)}
	c.Nudge = r.roster.nudge
	return r
}

func (r *Runner) lock() func() {
	r.mu.Lock()
	return r.mu.Unlock
}

// Run polls the topics and invokes the handler until ctx ends, then stops: it finishes what is in flight, commits, leaves
// the group and returns nil, all within WithStopTimeout. It returns once every goroutine that it started has returned; else
// a *StuckError names what had to be left behind. That it could not say goodbye to the group is no error: the log says so. A
// client that fails for good, and a start that WithStartTimeout ends, is a *SourceError. A broker that cannot be reached is
// not an error: Run goes on trying, and Status, Healthy, the hooks and the log say so.
//
// A second call returns ErrAlreadyRun. Where another mapping runs in this process with the same consumer group, the error
// wraps ErrGroupInUse: another one is one that differs in FunctionName, Topics or FilterCriteria, the same one twice are
// two replicas.
func (r *Runner) Run(ctx context.Context) error {
	if !r.started.CompareAndSwap(false, true) {
		return ErrAlreadyRun
	}
	if err := inProcess.enter(r); err != nil {
		r.end()
		return err
	}
	defer inProcess.leave(r)
	go r.shared.Hooks.Run() // awaited by finish
	done := make(chan error, 1)
	go func() { done <- r.work(ctx) }() // awaited here, with a bound
	return r.await(ctx, done)
}

// work is what Run does.
func (r *Runner) work(ctx context.Context) error {
	r.setState(Creating)
	if !r.awaitEnabled(ctx) {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer cancel(nil)
	watchers.Go(func() { r.watchConditions(ctx) })
	since := r.shared.Calls.Begin(OpCredentials)
	credentials, err := r.resolveCredentials(ctx)
	r.shared.Calls.End(since)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	r.client.Credentials = credentials
	r.inForce(credentials, false)
	r.sayStart()
	out, err := r.openDestination(ctx, r.client)
	if err != nil {
		return err
	}
	if out != nil {
		defer r.closeDestination(out) // when the members have ended
		defer cancel(nil)
		watchers.Go(func() { r.watchDestination(ctx, out) })
	}
	if w := r.opts.pollerLog; w != nil {
		watchers.Go(func() { w.run(ctx, r) })
	}
	rotations := make(chan rotation)
	config := r.client
	watchers.Go(func() { r.watchSecrets(ctx, config, rotations) })
	if r.handshakes() {
		config := r.client
		watchers.Go(func() { r.watchHandshakes(ctx, config) })
	}
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
		if ctx.Err() != nil {
			return false
		}
		if !r.shared.Wish.IsPaused() {
			r.settleState(Disabled, Enabling)
			unlock := r.lock()
			r.enabledAt = time.Now()
			unlock()
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

func (r *Runner) becomeReady() {
	unlock := r.lock()
	again := r.isReady
	r.isReady = true
	if !again && !r.shared.Wish.IsPaused() {
		r.change("", Enabled)
	}
	unlock()
	if again {
		return // of a member that took another one's place
	}
	r.tellStates()
	close(r.ready)
}

// end keeps the members' last word, and the final state.
func (r *Runner) end() {
	last := r.gather()
	unlock := r.lock()
	r.ended, r.last = true, last
	unlock()
	r.setState(Disabled)
}

// Ready is closed when the group's first assignment is started: from then on every record produced is seen, under
// StartingPosition LATEST too. When Run ends before that it is never closed.
func (r *Runner) Ready() <-chan struct{} { return r.ready }

// Pause stops the intake, as Enabled = false does on Lambda, without leaving the group: what is in flight is finished,
// nothing new is invoked or fetched. It returns at once, before the loops have heard of it; the state goes from Disabling to Disabled.
func (r *Runner) Pause() { r.want(true) }

// Resume ends a Pause.
func (r *Runner) Resume() { r.want(false) }

// want changes the wish, with the state that follows from it, and has the loops look.
func (r *Runner) want(paused bool) {
	unlock := r.lock()
	if r.shared.Wish.IsPaused() == paused || r.ended {
		unlock()
		return
	}
	r.shared.Wish.Add(1)
	r.enabledAt = time.Now()
	switch {
	case paused && r.started.Load():
		r.change("", Disabling)
	case !paused && len(r.roster.list()) > 0:
		r.change("", Enabling)
		if r.isReady {
			r.change("", Enabled)
		}
	}
	unlock()
	r.tellStates()
	if !paused {
		select {
		case r.resumed <- struct{}{}:
		default:
		}
	}
	r.roster.nudge()
}

// setState changes the state and tells the hooks.
func (r *Runner) setState(to State) { r.changeState("", to) }

// settleState changes the state only from a given one.
func (r *Runner) settleState(from, to State) { r.changeState(from, to) }

func (r *Runner) changeState(from, to State) {
	unlock := r.lock()
	r.change(from, to)
	unlock()
	r.tellStates()
}

// change changes the state, from a given one or any. The caller holds mu, so that the state goes with what it follows
// from, and calls tellStates when it does not any longer.
func (r *Runner) change(from, to State) {
	old := r.state
	if old == to || from != "" && old != from || r.ended && to != Disabled {
		return
	}
	r.state, r.reason, r.lastModified = to, ReasonUserInitiated, time.Now()
	if r.faultCode != "" {
		r.reason = r.faultCode
	}
	info := StateInfo{From: old, To: to, Reason: r.reason}
	r.shared.Hooks.StateChange(info) // never waits, and so comes in order
	r.untold = append(r.untold, info)
}

// tellStates tells the log of changes of state, in their order: who comes while another one is at it leaves its own to that
// one.
func (r *Runner) tellStates() {
	for {
		unlock := r.lock()
		if r.telling || len(r.untold) == 0 {
			unlock()
			return
		}
		r.telling = true
		infos := r.untold
		r.untold = nil
		unlock()
		for _, info := range infos {
			r.shared.Log.Info("state", "from", string(info.From), "to", string(info.To))
		}
		unlock = r.lock()
		r.telling = false
		unlock()
	}
}

// gather puts together what the members' loops published last; where one is free, that is of now.
func (r *Runner) gather() Status {
	pollers := r.roster.list()
	snapshots := make([]*snapshot, len(pollers))
	for i, p := range pollers {
		snapshots[i] = p.member.Snapshot()
	}
	return putTogether(snapshots)
}

// Status returns a snapshot: of this moment, or not older than a tenth of a second, as Status.Time says. Where a loop is busy,
// with a hook that blocks for one, it is the last one that there is. It never waits for a loop, so any goroutine, handler
// or hook may call it.
func (r *Runner) Status() Status {
	unlock := r.lock()
	s, ended := r.last, r.ended
	unlock()
	if !ended {
		s = r.gather()
	}
	unlock = r.lock()
	s.State, s.StateTransitionReason, s.LastModified, s.Credentials = r.state, r.reason, r.lastModified, r.credentials
	s.Scaling = r.scaling
	unlock()
	if until := s.Credentials.Expires; !until.IsZero() {
		s.Credentials.DaysLeft = int(time.Until(until) / (24 * time.Hour))
	}
	s.UUID, s.FunctionName, s.ConsumerGroupId, s.Driver = r.shared.UUID, *r.shared.Function.Load(), r.client.GroupID, r.opts.driver.Name()
	s.Client = clientOf(r.opts.driver)
	s.Conditions = r.shared.Conditions.List()
	s.LastProcessingResult, s.Diagnosis = r.shared.Conditions.LastResult(s.Conditions)
	mark(&s)
	if s.State == Creating && s.Diagnosis.Code != "" {
		s.StateTransitionReason = string(s.Diagnosis.Code)
	}
	s.Workers = r.shared.Workers.Limit()
	s.CircuitOpen = r.shared.Circuit.IsOpen()
	s.BufferedBytes, s.BufferLimit = int(r.shared.Budget.Used.Load()), int(r.shared.Budget.Limit.Load())
	if !s.Scaling.LagTime.IsZero() {
		s.Scaling.LagAge = time.Since(s.Scaling.LagTime)
	}
	s.Metrics, s.Destination = r.shared.Counters.Snapshot(), r.destinationStatus()
	return s
}

// Metrics returns the counters alone; it asks nobody and is cheap.
func (r *Runner) Metrics() Metrics { return r.shared.Counters.Snapshot() }
