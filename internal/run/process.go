package run

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/hook"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// Process runs one mapping; a Runner of package esm wraps it. All its methods are safe for concurrent use.
type Process struct {
	shared  *shared.State
	opts    *Options
	roster  roster
	outlet  atomic.Pointer[outlet] // nil if there is no destination
	mapping mapping.Mapping
	client  driver.Config
	started atomic.Bool
	ready   chan struct{}
	resumed chan struct{} // signals Resume to a waiting Run; buffered
	updated chan struct{} // signals an Update to the scaler; buffered
	access  chan struct{} // signals new SourceAccessConfigurations; buffered

	// mu guards the fields below. It is never held while waiting for a loop.
	mu           sync.Mutex
	isReady      bool
	ended        bool
	state        observe.State
	reason       string
	lastModified time.Time
	enabledAt    time.Time      // when it was last enabled
	last         observe.Status // the status at the end
	faultCode    string         // why it stopped by itself
	credentials  observe.CredentialsStatus
	scaling      observe.ScalingStatus
	untold       []observe.StateInfo // state changes not yet logged, in order
	telling      bool
}

// identity holds the names of a mapping.
type identity struct{ uuid, functionName, bootstrap string }

// newProcess creates a Process; New has validated everything.
func newProcess(o *Options, h shared.Handler, s *shared.Settings, client driver.Config, id identity) *Process {
	for _, v := range slices.Backward(o.Middleware) {
		h = v(h)
	}
	c := &shared.State{Config: o.config(), Handler: h, Log: o.Logger, Hooks: hook.NewList(o.Hooks), Meters: shared.NewMeters(), UUID: id.uuid, Bootstrap: id.bootstrap,
		Cluster: start.Fingerprint(id.bootstrap), Group: client.GroupID, SaidOfGroup: condition.SaidOfGroup()}
	c.Current.Store(s)
	c.Budget.Limit.Store(int64(o.BufferBytes))
	c.Function.Store(&id.functionName)
	// With the default policy the mapping starts with as many workers as the range allows: a process that has just started
	// usually has a backlog and should not wait for Lambda's minute. With a user's policy it starts at the minimum.
	c.Workers.Begin(o.MinimumWorkers, o.MaximumWorkers, !o.Scaler)
	c.Circuit.Begin(o.Breaker.Failures, o.Breaker.Cooldown)
	c.Conditions.Init(o.Logger)
	c.Stopping.Init()
	r := &Process{shared: c, opts: o, client: client, ready: make(chan struct{}), resumed: make(chan struct{}, 1), updated: make(chan struct{}, 1), access: make(chan struct{}, 1)}
	c.Nudge = r.roster.nudge
	return r
}

// Errors of New; see package esm.
var (
	ErrNilHandler   = errors.New("esm: the handler is nil: pass a func(context.Context, esm.KafkaEvent) error")
	ErrNotSupported = errors.New("esm: not supported")
)

// New returns the Process of a mapping. It does no I/O and starts nothing.
func New(m mapping.Mapping, h shared.Handler, o *Options) (*Process, error) {
	o.Complete()
	var errs []error
	if h == nil {
		errs = append(errs, ErrNilHandler)
	}
	s, err := prepare(m, o)
	if err := errors.Join(append(errs, o.Err(), err)...); err != nil {
		return nil, err
	}
	m = m.WithDefaults()
	client := o.Client
	client.BootstrapServers = m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers
	client.GroupID, client.Topics = m.GroupID(), slices.Clone(m.Topics)
	client.Logger = o.Logger.With("driver", o.Driver.Name())
	r := newProcess(o, h, s, client, identity{uuid: m.UUID, functionName: m.FunctionName, bootstrap: bootstrap(m)})
	r.mapping, r.shared.HasDestination = m, o.Destination != nil || destinationName(m) != ""
	o.warnOf(s)
	if m.Enabled != nil && !*m.Enabled {
		r.shared.Wish.Add(1)
	}
	return r, nil
}

func (r *Process) lock() func() {
	r.mu.Lock()
	return r.mu.Unlock
}

// Run is esm.Runner.Run.
func (r *Process) Run(ctx context.Context) error {
	if !r.started.CompareAndSwap(false, true) {
		return observe.ErrAlreadyRun
	}
	if err := inProcess.enter(r); err != nil {
		r.end()
		return err
	}
	defer inProcess.leave(r)
	r.shared.Stopping.Asked = func() bool { return ctx.Err() != nil }
	go r.shared.Hooks.Run() // awaited by finish
	done := make(chan error, 1)
	go func() { done <- r.work(ctx) }() // awaited by await, with a bound
	return r.await(ctx, done)
}

// work is what Run does.
func (r *Process) work(ctx context.Context) error {
	r.setState(observe.Creating)
	if !r.awaitEnabled(ctx) {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer cancel(nil)
	watchers.Go(func() { r.watchConditions(ctx) })
	since := r.shared.Calls.Begin(observe.OpCredentials)
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
		defer r.closeDestination(out) // runs after the members have ended
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
	if d := r.opts.StartTimeout; d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		tooLate = timer.C
	}
	return r.runFleets(ctx, cancel, tooLate, rotations)
}

// awaitEnabled waits while the mapping is disabled. It reports false if ctx ends first.
func (r *Process) awaitEnabled(ctx context.Context) bool {
	for {
		if ctx.Err() != nil {
			return false
		}
		if !r.shared.Wish.IsPaused() {
			r.settleState(observe.Disabled, observe.Enabling)
			unlock := r.lock()
			r.enabledAt = time.Now()
			unlock()
			return true
		}
		r.setState(observe.Disabled)
		select {
		case <-r.resumed:
		case <-ctx.Done():
			return false
		}
	}
}

func (r *Process) becomeReady() {
	unlock := r.lock()
	again := r.isReady
	r.isReady = true
	if !again && !r.shared.Wish.IsPaused() {
		r.change("", observe.Enabled)
	}
	unlock()
	if again {
		return // it is the assignment of a replacement
	}
	r.tellStates()
	close(r.ready)
}

// end keeps the members' last snapshots and sets the final state.
func (r *Process) end() {
	last := r.gather()
	unlock := r.lock()
	r.ended, r.last = true, last
	unlock()
	r.setState(observe.Disabled)
}

// Ready is esm.Runner.Ready.
func (r *Process) Ready() <-chan struct{} { return r.ready }

// Pause is esm.Runner.Pause.
func (r *Process) Pause() { r.want(true) }

// Resume is esm.Runner.Resume.
func (r *Process) Resume() { r.want(false) }

// want sets the wish to pause or resume, changes the state accordingly, and nudges the loops.
func (r *Process) want(paused bool) {
	unlock := r.lock()
	if r.shared.Wish.IsPaused() == paused || r.ended {
		unlock()
		return
	}
	r.shared.Wish.Add(1)
	r.enabledAt = time.Now()
	switch {
	case paused && r.started.Load():
		r.change("", observe.Disabling)
	case !paused && len(r.roster.list()) > 0:
		r.change("", observe.Enabling)
		if r.isReady {
			r.change("", observe.Enabled)
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
func (r *Process) setState(to observe.State) { r.changeState("", to) }

// settleState changes the state only from a given one.
func (r *Process) settleState(from, to observe.State) { r.changeState(from, to) }

func (r *Process) changeState(from, to observe.State) {
	unlock := r.lock()
	r.change(from, to)
	unlock()
	r.tellStates()
}

// change changes the state; if from is not empty, only from that state. The caller holds mu, so that the state is
// consistent with its cause, and calls tellStates after releasing it.
func (r *Process) change(from, to observe.State) {
	old := r.state
	if old == to || from != "" && old != from || r.ended && to != observe.Disabled {
		return
	}
	r.state, r.reason, r.lastModified = to, observe.ReasonUserInitiated, time.Now()
	if r.faultCode != "" {
		r.reason = r.faultCode
	}
	info := observe.StateInfo{From: old, To: to, Reason: r.reason}
	r.shared.Hooks.StateChange(info) // never waits, so it is safe under mu and keeps the order
	r.untold = append(r.untold, info)
}

// tellStates logs state changes in order. If another goroutine is already logging, that one logs this caller's changes
// too.
func (r *Process) tellStates() {
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
			r.shared.Log.Info("state", "State", string(info.To), "before", string(info.From))
		}
		unlock = r.lock()
		r.telling = false
		unlock()
	}
}
