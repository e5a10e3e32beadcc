package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/stream"
	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/scaling"
)

// fleetCalm is how long this process's assignment must be unchanged before the number of pollers changes again: during
// a rebalance partitions are unassigned, and their number means nothing.
const fleetCalm = 5 * time.Second

// replacePause is the minimum time between two replacements of clients that have failed for good.
const replacePause = 30 * time.Second

// fencedTwice is the time in which a second fencing of a static member means that another process uses its id.
const fencedTwice = 10 * time.Minute

// fleet runs this process's members of the group. The Run goroutine owns it: it starts members, makes them leave and
// waits for each of them.
type fleet struct {
	r     *Process
	ctx   context.Context // the members' context
	ended chan *poller
	fatal bool    // a member failed: the others end too
	errs  []error // the errors of failed members

	// missing counts pollers whose client failed for good; they are replaced when replace fires. replaced is the time of
	// the last replacement, or of the next one if it is scheduled.
	missing  int
	replace  *time.Timer
	replaced time.Time
	fenced   map[int]time.Time // when a static member was last fenced, by place

	rebalances int64 // at the last look
	calm       time.Time
}

// poller is a member with its place in the process.
type poller struct {
	member  *stream.Member
	place   int // 0 is the first; free again when the poller has ended
	leave   context.CancelCauseFunc
	leaving bool
	ended   bool
	err     error
}

// rotation carries credentials to put in force, and the channel for the result.
type rotation struct {
	to     *auth.Credentials
	answer chan error // buffers one result
}

// runFleets runs one fleet after another. A new one starts when clients cannot switch to new credentials in place.
func (r *Process) runFleets(ctx context.Context, cancel context.CancelCauseFunc, tooLate <-chan time.Time, rotations <-chan rotation) error {
	var errs []error
	size := 1 // the policy's first decision brings the minimum
	for {
		f := &fleet{r: r, ctx: ctx, ended: make(chan *poller), fenced: make(map[int]time.Time)}
		next := f.run(size, cancel, &tooLate, rotations)
		errs = append(errs, f.errs...)
		if next == nil || f.fatal || ctx.Err() != nil {
			if len(errs) == 0 && errors.Is(context.Cause(ctx), observe.ErrNotReady) {
				errs = append(errs, &observe.SourceError{Op: "start", Err: context.Cause(ctx)})
			}
			err := errors.Join(errs...)
			if len(errs) == 1 {
				err = errs[0]
			}
			return err
		}
		size = next.size
		r.client.Credentials = next.credentials
		r.inForce(next.credentials, true)
	}
}

// successor is what the next fleet starts with.
type successor struct {
	credentials *auth.Credentials
	size        int
}

// run runs members until all have ended: because ctx ended, one of them failed, or new credentials require new members.
// They finish what is in flight, commit, and leave the group before the new ones join.
func (f *fleet) run(size int, cancel context.CancelCauseFunc, tooLate *<-chan time.Time, rotations <-chan rotation) (next *successor) {
	ctx, end := context.WithCancel(f.ctx)
	f.ctx = ctx
	for _, p := range f.r.roster.list() {
		f.r.roster.remove(p) // the previous fleet kept it for its last snapshot
	}
	f.replace = time.NewTimer(time.Hour)
	f.replace.Stop()
	defer f.replace.Stop()
	f.open(size)
	ready := f.living()[0].member.Ready()
	s := newScaler(f.r, f)
	defer s.stop()
	defer end()
	for living := f.living(); len(living) > 0 || f.missing > 0; living = f.living() {
		var nobody <-chan struct{}
		if len(living) == 0 {
			nobody = ctx.Done()
		}
		select {
		case <-nobody:
			f.missing = 0
		case <-f.replace.C:
			n := f.missing
			f.missing = 0
			f.r.shared.Conditions.Over(observe.OpPoll)
			f.open(n)
			if ready != nil {
				joined := f.living()
				ready = joined[len(joined)-1].member.Ready()
			}
		case <-s.timer.C:
			s.tick(ctx)
		case a := <-s.ends:
			s.answered(ctx, a)
		case <-f.r.updated:
			s.soon()
		case <-ready:
			ready, *tooLate = nil, nil
			f.r.becomeReady()
			s.soon()
		case <-*tooLate:
			*tooLate = nil
			cancel(fmt.Errorf("%w (%v): %s", observe.ErrNotReady, f.r.opts.StartTimeout, f.r.shared.Conditions.LastWord()))
			f.r.beginStop()
		case rot := <-rotations:
			err := f.replaceInPlace(rot.to)
			switch {
			case err == nil:
				f.r.client.Credentials = rot.to
				f.r.inForce(rot.to, true)
			case errors.Is(err, driver.ErrNotInPlace):
				next, rotations, err = &successor{rot.to, max(f.size(), 1)}, nil, nil
				f.r.shared.Log.Info("the members are replaced by others with the new credentials", "pollers", next.size)
				end()
			}
			rot.answer <- err
		case p := <-f.ended:
			if f.pollerEnded(p) {
				end()
			}
		}
	}
	return next
}

// open starts n more members.
func (f *fleet) open(n int) {
	for range n {
		p := &poller{member: stream.NewMember(f.r.shared), place: f.place()}
		config := f.r.client
		if config.InstanceID != "" && p.place > 0 {
			config.InstanceID = fmt.Sprintf("%s-%d", config.InstanceID, p.place+1)
		}
		p.member.OnQuiet(f.r.quiet)
		f.r.enlist(p)
		var ctx context.Context
		ctx, p.leave = context.WithCancelCause(f.ctx)
		go func() { // awaited through ended
			p.err = p.member.Run(ctx, config)
			f.ended <- p
		}()
	}
}

// living returns the pollers that have not ended.
func (f *fleet) living() []*poller {
	all := f.r.roster.list()
	if !slices.ContainsFunc(all, func(p *poller) bool { return p.ended }) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(p *poller) bool { return p.ended })
}

// place returns the first free place.
func (f *fleet) place() int {
	living := f.living()
	for n := 0; ; n++ {
		if !slices.ContainsFunc(living, func(p *poller) bool { return p.place == n }) {
			return n
		}
	}
}

// size returns the number of pollers that are to stay, including those about to be replaced.
func (f *fleet) size() int {
	n := f.missing
	for _, p := range f.living() {
		if !p.leaving {
			n++
		}
	}
	return n
}

// pollerEnded records that a poller has ended. It reports whether the others must end too.
func (f *fleet) pollerEnded(p *poller) (failed bool) {
	p.leave(nil)
	p.ended = true
	if n := len(f.living()); n > 0 { // else its last snapshot is kept
		f.r.roster.remove(p)
		f.r.shared.Log.Info("a poller has left", "pollers", n)
	}
	f.r.quiet() // a pause may have waited for it alone
	if p.err == nil {
		return false
	}
	if !p.leaving && f.ctx.Err() == nil && f.replaceable(p) {
		wait := max(time.Until(f.replaced.Add(replacePause)), 0)
		f.r.roster.remove(p)
		f.missing++
		f.replaced = time.Now().Add(wait)
		f.replace.Reset(wait)
		f.r.shared.Log.Warn("a poller's client is replaced", "after", wait, "err", p.err)
		return false
	}
	if p.leaving {
		f.r.shared.Log.Warn("the client of a poller that was leaving failed", "err", p.err)
		return false // its records are delivered again, and it is not needed
	}
	f.errs = append(f.errs, p.err)
	f.fatal = true
	f.r.beginStop()
	return true
}

// replaceable reports whether a new client may work where a poller's client has failed for good.
func (f *fleet) replaceable(p *poller) bool {
	if errors.Is(p.err, driver.ErrReplace) {
		return true
	}
	e, ok := errors.AsType[*driver.Error](p.err)
	if !ok || e.Kind != driver.KindFenced || f.r.client.InstanceID == "" {
		return false
	}
	// A static member can be fenced by its own join if the response was lost with a broker or a connection: the group gave
	// its place to a member id that no client knows. So it rejoins once. If it is fenced again soon, another process has
	// the same group.instance.id, and this one gives up its place.
	last := f.fenced[p.place]
	f.fenced[p.place] = time.Now()
	return last.IsZero() || time.Since(last) > fencedTwice
}

// settled reports whether the number of pollers may change: all have joined, none is leaving, and the assignment has
// been unchanged for a while.
func (f *fleet) settled(now time.Time) bool {
	if n := f.r.shared.Counters.Rebalances.Load(); n != f.rebalances {
		if f.rebalances > 0 {
			f.calm = now.Add(fleetCalm)
		}
		f.rebalances = n
	}
	for _, p := range f.living() {
		if p.leaving {
			return false
		}
		select {
		case <-p.member.Ready():
		default:
			return false
		}
	}
	return !now.Before(f.calm)
}

// hold changes a decision to the current number of pollers while that number cannot change.
func (f *fleet) hold(now time.Time, d *scaling.Decision) {
	if n, settled := f.size(), f.settled(now); d.Pollers != n && !settled {
		d.Pollers, d.Reason.To.Pollers = n, n
		d.Next = min(d.Next, time.Second)
	}
}

// follow applies the number of pollers that a decision asks for: more join, or the youngest leave.
func (f *fleet) follow(pollers int) {
	n := f.size()
	if f.ctx.Err() != nil || pollers == n {
		return
	}
	f.r.shared.Log.Info("the number of pollers changes", "pollers", pollers, "pollersBefore", n)
	if pollers > n {
		f.open(pollers - n)
	}
	for _, p := range slices.Backward(f.living()) {
		if n > pollers && !p.leaving {
			n--
			p.leaving = true
			p.leave(stream.ErrSurplus)
		}
	}
}

// replaceInPlace makes the living members use other credentials.
func (f *fleet) replaceInPlace(next *auth.Credentials) (err error) {
	for _, p := range f.living() {
		err = errors.Join(err, p.member.ReplaceCredentials(next))
	}
	return err
}

// enlist puts a member on the roster. The member starts with what Update and Pause have set so far; later changes are
// sent to it.
func (r *Process) enlist(p *poller) {
	unlock := r.lock()
	defer unlock()
	p.member.Adopt()
	r.roster.add(p)
}

// quiet sets the state to Disabled once a pause has taken effect for all members.
func (r *Process) quiet() {
	unlock := r.lock()
	wish, all := r.shared.Wish.Load(), r.shared.Wish.IsPaused()
	for _, p := range r.roster.list() {
		all = all && p.member.Rests(wish)
	}
	if all {
		r.change(observe.Disabling, observe.Disabled)
	}
	unlock()
	r.tellStates()
}
