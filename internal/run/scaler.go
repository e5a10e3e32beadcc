package run

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/lag"
	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/scaling"
)

const (
	// lookupPatience is how long an evaluation waits for the log ends that it asked for before it goes on without them.
	lookupPatience = 2 * time.Second
	// endsTimeout bounds the request. No other is sent until it has ended.
	endsTimeout = 10 * time.Second
	// pausedInterval is the maximum time between two lag readings of a paused mapping.
	pausedInterval = 5 * time.Second
)

// scaler asks the policy how many workers and pollers there should be. The Run goroutine owns it. An evaluation first
// asks the brokers for the log ends that the members do not know, then reads the members, then decides.
type scaler struct {
	r      *Process
	fleet  *fleet
	guard  *scaling.Guarded
	bounds scaling.Bounds // last given to the guard
	timer  *time.Timer    // the next evaluation, or the lookupPatience of the current one

	asking  bool // the current evaluation waits for ends
	pending bool // a request for ends is in flight
	failing bool // the last request failed
	ends    chan endAnswer
	last    time.Time // the previous evaluation
	seen    tally
	reading lag.Reading
	status  observe.ScalingStatus
}

// tally holds the counters whose differences go into a sample.
type tally struct{ invokes, errors, throttles, resolved, time int64 }

// endAnswer is a request for log ends with its answer.
type endAnswer struct {
	lag.Ends
	answers []driver.OffsetAnswer
	asked   time.Time
	err     error
}

func newScaler(r *Process, f *fleet) *scaler {
	policy := r.opts.Policy
	if policy == nil {
		policy = new(scaling.Lambda)
	}
	s := &scaler{r: r, fleet: f, ends: make(chan endAnswer, 1), timer: time.NewTimer(time.Hour)}
	s.timer.Stop()
	s.bounds = s.limits()
	s.guard = scaling.Guard(policy, s.bounds)
	s.status.Policy = fmt.Sprintf("%T", policy)
	return s
}

// limits returns the bounds of the options and of the current mapping.
func (s *scaler) limits() scaling.Bounds {
	o, set := s.r.opts, s.r.shared.Current.Load()
	b := scaling.Bounds{MinimumWorkers: o.MinimumWorkers, MaximumWorkers: o.MaximumWorkers,
		MinimumPollers: set.MinimumPollers, MaximumPollers: set.MaximumPollers}
	if o.Client.InstanceID != "" {
		// A static member that leaves keeps its partitions for the session timeout, so none is made to leave.
		b.MinimumPollers = max(b.MinimumPollers, min(s.fleet.size(), b.MaximumPollers))
	}
	return b
}

// stop stops the timer and waits for the request in flight, whose context must have ended.
func (s *scaler) stop() {
	s.timer.Stop()
	if s.pending {
		<-s.ends
	}
}

// soon starts the next evaluation now.
func (s *scaler) soon() {
	if !s.asking {
		s.timer.Reset(0)
	}
}

// tick is called when the timer fires: an evaluation starts, or the current one goes on without the ends.
func (s *scaler) tick(ctx context.Context) {
	if s.asking {
		s.decide()
		return
	}
	if s.r.opts.LagInterval > 0 && !s.pending && s.ask(ctx) {
		s.asking = true
		s.timer.Reset(lookupPatience)
		return
	}
	s.decide()
}

// ask sends one request for the log ends that all members want. It reports false if they want none.
func (s *scaler) ask(ctx context.Context) bool {
	q := endAnswer{asked: time.Now()}
	for _, p := range s.r.roster.list() {
		p.member.WantEnds(q.asked, s.last, &q.Ends)
	}
	if len(q.Queries) == 0 {
		if s.failing { // no end is unknown any longer
			s.failed(nil)
		}
		return false
	}
	s.pending = true
	go func() { // awaited through ends, by stop at the latest
		ctx, cancel := context.WithTimeout(ctx, endsTimeout)
		defer cancel()
		call := s.r.shared.Calls.Begin(observe.OpLag)
		defer s.r.shared.Calls.End(call)
		q.answers, q.err = q.Consumer.ListOffsets(ctx, q.Queries)
		s.ends <- q
	}()
	return true
}

// answered passes the ends to the members, and decides if the evaluation that asked for them is still waiting.
func (s *scaler) answered(ctx context.Context, a endAnswer) {
	s.pending = false
	if ctx.Err() != nil {
		return
	}
	s.failed(a.err)
	if a.err == nil {
		for _, p := range s.r.roster.list() {
			p.member.TakeEnds(a.asked, &a.Ends, a.answers)
		}
	}
	if !s.asking {
		return
	}
	s.decide()
}

// failed holds a condition while the ends cannot be looked up. It tells the hooks once, until a lookup succeeds.
func (s *scaler) failed(err error) {
	was := s.failing
	s.failing = err != nil
	if err == nil {
		s.r.shared.Conditions.Over(observe.OpLag)
		return
	}
	info := s.r.shared.Conditions.Problem(observe.OpLag, err)
	info.Err = fmt.Errorf("looking up the ends of the partitions failed; the lag is what fetches show: %w", err)
	s.r.shared.Conditions.Hold(info)
	if was {
		return
	}
	s.r.shared.Counters.PollErrors.Add(1)
	info.Err = err
	s.r.shared.Hooks.ErrorLater(info)
}

// decide takes a sample, asks the policy and applies its decision. While the mapping is paused it only takes the
// sample, for the lag: there is nothing to decide.
func (s *scaler) decide() {
	s.asking = false
	now := time.Now()
	if s.r.shared.Wish.IsPaused() {
		s.sample(now)
		s.last = now
		next := pausedInterval
		if set := s.r.opts.LagInterval; set > 0 {
			next = min(next, set)
		}
		s.timer.Reset(next)
		return
	}
	if b := s.limits(); b != s.bounds {
		s.bounds = b
		s.guard.SetBounds(b)
	}
	sample := s.sample(now)
	call := s.r.shared.Calls.Begin(observe.OpScale)
	d := s.guard.Decide(sample)
	s.r.shared.Calls.End(call)
	s.fleet.hold(now, &d)
	s.timer.Reset(d.Next)
	s.last = now
	s.tell(now, &sample, &d)
	if len(sample.Partitions) > 0 {
		s.r.shared.Workers.Set(d.Workers)
	}
	s.fleet.follow(d.Pollers)
}

// sample reads the members, and the counters' changes since the last sample.
func (s *scaler) sample(now time.Time) scaling.Sample {
	rd := &s.reading
	pollers := s.r.roster.list()
	if len(pollers) > 1 && rd.Index == nil {
		rd.Index = make(map[event.TopicPartition]int)
	}
	rd.Reset(now)
	for _, p := range pollers {
		p.member.Read(now, rd, s.failing)
	}
	c := &s.r.shared.Counters
	c.MaxLag.Store(rd.MaxLag)
	c.SumLag.Store(rd.SumLag)
	t := tally{c.Invokes.Load(), c.InvokeErrors.Load(), c.Throttles.Load(), c.Resolved.Load(), c.InvocationTime.Load()}
	before := s.seen
	s.seen = t
	sample := scaling.Sample{
		Time: now, LagTime: rd.LagTime, Partitions: rd.Partitions, OldestAge: rd.Oldest, BufferedBytes: rd.Buffered, Busy: rd.Busy,
		Completed: t.resolved - before.resolved, Throttles: t.throttles - before.throttles,
		BatchSize: s.r.shared.Current.Load().BatchSize,
		Capacity:  scaling.Capacity{Workers: s.r.shared.Workers.Limit(), Pollers: s.fleet.size()},
	}
	// Loops change the counters while they are read one by one; no difference may become negative because of that.
	sample.Invocations = max(0, t.invokes-before.invokes-sample.Throttles)
	sample.Errors = max(0, t.errors-before.errors-sample.Throttles)
	if sample.Invocations > 0 {
		sample.InvocationTime = time.Duration((t.time - before.time) / sample.Invocations)
	}
	return sample
}

// tell keeps the decision for Status. It tells the log and the hooks of a change or a new reason.
func (s *scaler) tell(now time.Time, sample *scaling.Sample, d *scaling.Decision) {
	old := s.status
	st := &s.status
	st.Current, st.Target = sample.Capacity, d.Capacity()
	s.r.shared.Counters.Pollers.Store(int64(st.Current.Pollers))
	s.r.shared.Counters.Workers.Store(int64(st.Target.Workers))
	st.Reason, st.Decided, st.LagTime, st.OldestAge = d.Reason, now, sample.LagTime, sample.OldestAge
	changed := st.Target != old.Target
	if changed {
		st.Since = now
	}
	unlock := s.r.lock()
	s.r.scaling = *st
	unlock()
	if !changed && old.Reason.Kind == st.Reason.Kind {
		return
	}
	level := slog.LevelDebug
	switch {
	case st.Reason.Kind == scaling.Clamped || st.Reason.Kind == scaling.Panicked || st.Reason.Kind == scaling.BadBounds:
		level = slog.LevelWarn
	case changed && old.Reason.Kind != scaling.NoPartitions && st.Reason.Kind != scaling.NoPartitions: // otherwise the assignment caused the change
		level = slog.LevelInfo
	}
	s.r.shared.Log.Log(context.Background(), level, "scaling", "reason", st.Reason.Kind.String(), "decision", st.Reason.String())
	s.r.shared.Hooks.Scaled(observe.ScaledInfo{From: st.Current, To: st.Target, Reason: st.Reason})
}
