package run

import (
	"context"
	"errors"
	"time"

	"github.com/esm-go/esm/observe"
)

// beginStop starts the stop of Run.
func (r *Process) beginStop() {
	if !r.shared.Stopping.Begin(r.opts.StopTimeout) {
		return
	}
	unlock := r.lock()
	state := r.state
	unlock()
	if state != observe.Disabled {
		r.setState(observe.Disabling)
	}
	r.roster.nudge() // members that are already leaving now have a deadline
}

// await waits until Run's work is done, but once a stop has started no longer than the stop timeout.
func (r *Process) await(ctx context.Context, done <-chan error) error {
	var result error
	select {
	case result = <-done:
		return r.conclude(result, true)
	case <-ctx.Done():
	case <-r.shared.Stopping.Begun:
	}
	r.beginStop()
	begun, by := r.shared.Stopping.Times()
	// A running hook has a fifth of the time. After that nothing waits for it, and the stop goes on.
	hook := time.NewTimer(by.Sub(begun) / 5)
	defer hook.Stop()
	end := time.NewTimer(by.Sub(begun))
	defer end.Stop()
	for {
		select {
		case result = <-done:
			return r.conclude(result, true)
		case <-hook.C:
			r.shared.Hooks.Release()
		case <-end.C:
			return r.conclude(nil, false)
		}
	}
}

// conclude ends Run. done says whether its work has ended.
func (r *Process) conclude(result error, done bool) error {
	r.shared.Stopping.Begin(r.opts.StopTimeout) // if Run ended by itself
	begun, by := r.shared.Stopping.Times()
	r.end()
	r.shared.Hooks.Finish()
	last := time.NewTimer(max(time.Until(by), 0))
	defer last.Stop()
	select {
	case <-r.shared.Hooks.Ended:
	case <-last.C:
		r.shared.Hooks.Release()
	}
	stuck := r.shared.Left.Stuck(begun)
	if stuck == nil {
		stuck = new(observe.StuckError)
	}
	if call := r.shared.Hooks.Stuck(); call != nil {
		stuck.Calls = append(stuck.Calls, *call)
	}
	if !done {
		stuck.Calls = append(stuck.Calls, r.blocked()...)
	}
	if len(stuck.Handlers)+len(stuck.Calls) > 0 {
		if result == nil {
			result = stuck
		} else {
			result = errors.Join(result, stuck)
		}
	}
	r.shared.Log.Info("event source mapping ended", "err", result)
	return result
}

// blocked returns the calls that keep Run's work from ending.
func (r *Process) blocked() []observe.StuckCall {
	list := r.shared.Calls.UnderWay()
	for _, p := range r.roster.list() {
		list = append(list, p.member.Blocked()...)
	}
	if len(list) == 0 {
		_, by := r.shared.Stopping.Times()
		list = append(list, observe.StuckCall{Op: observe.OpClose, Since: by, Err: errors.New("the stop was not completed in time")})
	}
	return list
}
