package manager

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/manager/store"
	"github.com/esm-go/esm/observe/pollerlog"
)

// life is one Runner of a mapping. Its unit's supervisor alone calls its methods, but for what runs in hooks.
type life struct {
	unit    *unit
	def     store.Definition // that it carries out
	runner  *esm.Runner
	handler atomic.Pointer[esm.Handler]
	began   time.Time
	paused  bool
	cancel  context.CancelFunc
	ended   atomic.Bool // by end, not by itself
	over    chan struct{}
	err     error // of Run, when over
}

// newLife makes a life, and says what is wrong where it cannot.
func newLife(u *unit, d store.Definition) (*life, trouble) {
	l := &life{unit: u, def: d, over: make(chan struct{})}
	handler, err := u.m.functions.Resolve(d.Mapping.FunctionName)
	if err != nil {
		return nil, functionTrouble(err)
	}
	l.handler.Store(&handler)
	if l.runner, err = u.m.newRunner(d.Mapping, u.log, l.invoke, esm.WithPollerLog(pollerlog.New(u.poller, pollerlog.WithResourceARN(u.m.o.arn.mapping))), esm.WithHooks(l.hooks())); err != nil {
		return nil, trouble{result: "PROBLEM: " + err.Error(), code: esm.ReasonConfigNotValid}
	}
	return l, trouble{}
}

// newRunner makes a Runner with the Manager's options and then some.
func (m *Manager) newRunner(mapping esm.Mapping, log *slog.Logger, h esm.Handler, more ...esm.Option) (*esm.Runner, error) {
	if err := mapping.Validate(); err != nil { // first: of what has the right form more can be shown
		return nil, err
	}
	if err := m.o.allowed.check(mapping); err != nil {
		return nil, err
	}
	opts := []esm.Option{esm.WithLogger(log), esm.WithBufferBytes(m.shares.next())}
	opts = append(opts, m.o.runner(mapping)...)
	return esm.New(clone(mapping), h, append(opts, more...)...)
}

func functionTrouble(err error) trouble {
	return trouble{result: "PROBLEM: " + err.Error(), code: esm.ReasonFunctionConfigNotValid}
}

// invoke is the Runner's handler: a mapping's function can change while it runs.
func (l *life) invoke(ctx context.Context, event esm.KafkaEvent) error {
	return (*l.handler.Load())(ctx, event)
}

// hooks tell the supervisor of what it has to see.
func (l *life) hooks() esm.Hooks {
	return esm.Hooks{StateChange: func(esm.StateInfo) { l.unit.nudge() }}
}

// run runs the Runner on a goroutine of its own, until end or the end of ctx.
func (l *life) run(ctx context.Context) {
	ctx, l.cancel = context.WithCancel(ctx)
	l.began = time.Now()
	l.unit.m.shares.join(l.runner)
	go func() {
		defer l.unit.nudge()
		defer close(l.over)
		defer l.unit.m.shares.leave(l.runner)
		defer l.cancel()
		if leave, ok := l.takePlace(ctx); ok {
			l.err = l.runWith(ctx, leave)
		}
	}()
}

// startTime bounds how long a life that is not ready counts among those that start: a cluster that is away must not keep
// the others from starting.
const startTime = 10 * time.Second

// takePlace waits for a place among the Runners that start; false when ctx ended first.
func (l *life) takePlace(ctx context.Context) (leave func(), ok bool) {
	places := l.unit.m.starts
	select {
	case places <- struct{}{}:
		return sync.OnceFunc(func() { <-places }), true
	case <-ctx.Done():
		return nil, false
	}
}

// runWith is the Runner's Run, which leaves its place when the Runner is ready, or after startTime.
func (l *life) runWith(ctx context.Context, leave func()) error {
	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		timer := time.NewTimer(startTime)
		defer timer.Stop()
		defer leave()
		select {
		case <-timer.C:
			leave()
			select {
			case <-l.runner.Ready():
			case <-ended:
			}
		case <-l.runner.Ready():
		case <-ended:
		}
		l.unit.nudge()
	})
	err := l.runner.Run(ctx)
	close(ended)
	watch.Wait()
	return err
}

func (l *life) isReady() bool {
	select {
	case <-l.runner.Ready():
		return true
	default:
		return false
	}
}

func (l *life) isOver() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

func (l *life) lived() time.Duration { return time.Since(l.began) }

// end stops the Runner gracefully; it is over some time later.
func (l *life) end() {
	if !l.ended.Swap(true) {
		l.cancel()
	}
}

// pause stops the intake, and reports whether everything in flight is finished.
func (l *life) pause() bool {
	if !l.paused {
		l.paused = true
		l.runner.Pause()
	}
	return !l.isReady() || l.runner.Status().State == esm.Disabled
}

func (l *life) resume() {
	if l.paused && !l.ended.Load() {
		l.paused = false
		l.runner.Resume()
	}
}

// How a definition can be carried out that a life does not have.
type how int

const (
	updated how = iota // it is
	refused            // not at all, as it is
	replace            // by another life beside this one
	restart            // by another life after this one
)

// take is update for a life that is only to be brought up to date where that goes at once.
func (l *life) take(d store.Definition) bool {
	_, how := l.update(d)
	return how == updated
}

// update carries out a definition where the Runner can.
func (l *life) update(d store.Definition) (trouble, how) {
	handler, err := l.unit.m.functions.Resolve(d.Mapping.FunctionName)
	if err != nil {
		return functionTrouble(err), refused
	}
	if err := l.unit.m.o.allowed.check(d.Mapping); err != nil {
		return trouble{result: "PROBLEM: " + err.Error(), code: esm.ReasonConfigNotValid}, refused
	}
	mapping := clone(d.Mapping)
	mapping.Enabled = new(!l.paused) // Enabled is ours
	switch err := l.runner.Update(mapping); {
	case err == nil:
		l.handler.Store(&handler)
		l.unit.mu.Lock()
		l.def = d
		l.unit.mu.Unlock()
		return trouble{}, updated
	case !errors.Is(err, esm.ErrImmutable):
		return trouble{result: "PROBLEM: " + err.Error(), code: esm.ReasonConfigNotValid}, refused
	case sameSource(l.def.Mapping, d.Mapping):
		return trouble{}, replace
	default:
		return trouble{}, restart
	}
}

// sameSource reports whether two definitions read the same topics of the same cluster in the same group: then Runners of
// both can be members at the same time.
func sameSource(a, b esm.Mapping) bool {
	return slices.Equal(a.SelfManagedEventSource.Endpoints.KafkaBootstrapServers, b.SelfManagedEventSource.Endpoints.KafkaBootstrapServers) &&
		slices.Equal(a.Topics, b.Topics) && a.GroupID() == b.GroupID() &&
		a.StartingPosition == b.StartingPosition && a.StartingPositionTimestamp.Equal(b.StartingPositionTimestamp)
}

// code is Lambda's code for why the Runner ended.
func (l *life) code() string {
	if d := l.runner.Status().Diagnosis; d.Code != "" {
		return string(d.Code)
	}
	if errors.Is(l.err, auth.ErrSecretNotFound) || errors.Is(l.err, auth.ErrSecretInvalid) {
		return esm.ReasonConfigNotValid
	}
	return ""
}
