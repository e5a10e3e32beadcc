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

// fleetCalm is how long the group must have left this process's assignment alone before the number of pollers changes
// again: in the middle of a rebalance partitions are nobody's, and their number means nothing.
const fleetCalm = 5 * time.Second

// replacePause is the least time between two replacements of clients that are beyond help.
const replacePause = 30 * time.Second

// fencedTwice is within what time a static member that was fenced, and joined again, takes another fencing for the work of
// another process.
const fencedTwice = 10 * time.Minute

// fleet runs this process's members of the group. The Run goroutine owns it: it opens members, has them leave and waits
// for each of them.
type fleet struct {
	r     *Process
	ctx   context.Context // of the members
	ended chan *poller
	fatal bool    // one failed: the others end too
	errs  []error // what members failed with

	// missing are pollers whose client was beyond help and that others are to take the place of, when replace fires; replaced
	// is when that happened last, or will next.
	missing  int
	replace  *time.Timer
	replaced time.Time
	fenced   map[int]time.Time // when a static member was fenced last, by its place

	rebalances int64 // when last looked at
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

// rotation are credentials to be put in force, and whether that worked.
type rotation struct {
	to     *auth.Credentials
	answer chan error // holds one
}

// runFleets runs one fleet after the other: the next when credentials come that the clients of the last cannot take.
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

// successor is what the fleet that takes another one's place begins with.
type successor struct {
	credentials *auth.Credentials
	size        int
}

// run runs members until all have ended: since ctx did, one of them failed, or they are to be replaced by others with other
// credentials. They finish what is in flight then, commit, and leave the group before those join.
func (f *fleet) run(size int, cancel context.CancelCauseFunc, tooLate *<-chan time.Time, rotations <-chan rotation) (next *successor) {
	ctx, end := context.WithCancel(f.ctx)
	f.ctx = ctx
	for _, p := range f.r.roster.list() {
		f.r.roster.remove(p) // the last one of the fleet before, whose last word was kept
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

// open has n more members join.
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

// living are the pollers that have not ended.
func (f *fleet) living() []*poller {
	all := f.r.roster.list()
	if !slices.ContainsFunc(all, func(p *poller) bool { return p.ended }) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(p *poller) bool { return p.ended })
}

// place is the first one that is free.
func (f *fleet) place() int {
	living := f.living()
	for n := 0; ; n++ {
		if !slices.ContainsFunc(living, func(p *poller) bool { return p.place == n }) {
			return n
		}
	}
}

// size is the number of pollers that are to stay.
func (f *fleet) size() int {
	n := f.missing
	for _, p := range f.living() {
		if !p.leaving {
			n++
		}
	}
	return n
}

// pollerEnded notes that a poller has ended; it reports whether the others have to.
func (f *fleet) pollerEnded(p *poller) (failed bool) {
	p.leave(nil)
	p.ended = true
	if n := len(f.living()); n > 0 { // else its last word is kept
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
		f.r.shared.Log.Warn("another client takes the place of a poller's", "after", wait, "err", p.err)
		return false
	}
	if p.leaving {
		f.r.shared.Log.Warn("the client of a poller that was leaving failed", "err", p.err)
		return false // its records come again, and nobody misses it
	}
	f.errs = append(f.errs, p.err)
	f.fatal = true
	f.r.beginStop()
	return true
}

// replaceable reports whether another client may be able to do what a poller's client no longer can.
func (f *fleet) replaceable(p *poller) bool {
	if errors.Is(p.err, driver.ErrReplace) {
		return true
	}
	e, ok := errors.AsType[*driver.Error](p.err)
	if !ok || e.Kind != driver.KindFenced || f.r.client.InstanceID == "" {
		return false
	}
	// A static member can be fenced by a join of its own whose answer was lost with a broker or a connection: the group
	// gave its place to a member id that nobody knows. So it joins once more. Fenced again soon after, it shares its
	// group.instance.id with another process, and leaves the place to that one.
	last := f.fenced[p.place]
	f.fenced[p.place] = time.Now()
	return last.IsZero() || time.Since(last) > fencedTwice
}

// settled reports whether the number of pollers may change: all have joined, none is leaving, and the group has let the
// assignment alone for a while.
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

// hold keeps the number of pollers as it is in a decision that comes when it cannot change.
func (f *fleet) hold(now time.Time, d *scaling.Decision) {
	if n, settled := f.size(), f.settled(now); d.Pollers != n && !settled {
		d.Pollers, d.Reason.To.Pollers = n, n
		d.Next = min(d.Next, time.Second)
	}
}

// follow has as many members as a decision says: more join, or the youngest leave.
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

// replaceInPlace has the living members use other credentials.
func (f *fleet) replaceInPlace(next *auth.Credentials) (err error) {
	for _, p := range f.living() {
		err = errors.Join(err, p.member.ReplaceCredentials(next))
	}
	return err
}

// enlist puts a member on the roster. What Update and Pause said before is the member's from the start; what they say
// later they tell it.
func (r *Process) enlist(p *poller) {
	unlock := r.lock()
	defer unlock()
	p.member.Adopt()
	r.roster.add(p)
}

// quiet notes that a pause has taken effect, when it has for all members.
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
