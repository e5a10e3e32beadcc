package scaling

import (
	"math"
	"time"
)

// Drain is the policy that holds a target drain time: any backlog should be gone within DrainTime, as far as
// the bounds allow. It reacts within seconds and needs no tuning: it estimates the arrivals and the
// throughput of one worker, and computes the workers from them.
//
// The number of workers does not change while it is between two marks. The lower mark is what it takes to
// drain the backlog in DrainTime; the upper mark is how many would find work within a second. Below the lower
// mark the workers rise to it at once; above the upper mark they fall to it. The gap between the marks
// prevents flapping: a backlog that raised the workers must be gone before they fall.
//
// How it reacts:
//
//   - A step load causes one rise and one fall.
//   - A hot partition gets one worker and the reason [HotPartition].
//   - A skewed key space gets as many workers as there are partitions with work.
//   - A handler that fails ([Failing]) gets fewer and fewer workers, down to the minimum. Once it succeeds
//     they double back.
//   - A function that throttles ([Throttled]) is held at the concurrency that it was seen to serve.
//   - A handler that slows down as workers rise ([Slowing]) is held where more workers gained nothing.
//   - A handler that does not return ([Stalled]) gets no more workers until it does.
//
// The zero value is ready to use. Not safe for concurrent use.
type Drain struct {
	// DrainTime is the time in which a backlog should be gone. Default 10 s.
	DrainTime time.Duration
	// TargetAge, when set, is the age that the oldest record should not exceed. The drain time shrinks to
	// what is left of it, but not below Interval. Default 0: off.
	TargetAge time.Duration
	// Interval is the time between two samples. Default 1 s.
	Interval time.Duration
	// ProbeAfter is how long to wait, after overload has set a ceiling, before trying one more worker. Each
	// failed attempt doubles the wait, up to 30 minutes. Default 5 minutes.
	ProbeAfter time.Duration

	estimate estimator
	overload overload
	fetching fetching
	arrival  smoother // records per second
	pace     smoother // workers that keep pace with the arrivals

	time   time.Time
	target int // the last decision's workers
	// A number of workers that was too low for an arrival rate counts as too low until the load falls or the
	// handler changes, even if the estimate changes in between.
	tooFew    int
	tooFewFor float64 // records per second

	spare  int // samples in a row with workers to spare
	crumbs int // samples in a row with half-empty batches
}

const (
	// Utilization: workers rise when the arrivals alone would use more than raiseAt of them, and then to a
	// utilization of aim. They fall when the remaining ones would be used less than fallAt. The arrivals are
	// averaged over paceTime. For a fall, the highest average within paceWindow counts.
	raiseAt    = 0.95
	aim        = 0.9
	fallAt     = 0.85
	paceTime   = 3.0
	paceWindow = 5.0
	// backlogFall is the share of the current workers that the upper mark must have fallen below before
	// workers leave while there is a backlog: small partitions of a backlog run dry and fill up in turn.
	backlogFall = 0.8
	// fallSamples is how many samples in a row must want fewer workers.
	fallSamples = 3
	// idleBelow is the share of busy workers below which adding more is pointless.
	idleBelow = 0.7
	// hotFrom is the share of the backlog at which a partition counts as hot.
	hotFrom = 0.5
)

// Decide implements [Policy].
func (p *Drain) Decide(s Sample) Decision {
	s.Bounds = s.Bounds.Resolve(len(s.Partitions))
	dt := elapsed(p.time, s.Time)
	p.time = s.Time
	from := s.Capacity
	if p.target == 0 {
		p.target = from.Workers
	}
	current := s.Bounds.Clamp(Capacity{Workers: p.target}).Workers
	p.estimate.observe(&s, dt)

	interval := orDefault(p.Interval, time.Second)
	to := Capacity{Workers: current, Pollers: from.Pollers}
	var why Reason
	if p.estimate.known() {
		to, why = p.estimated(&s, dt, current, interval)
	} else {
		to.Workers, why = p.blind(&s, dt, current)
	}
	to = s.Bounds.Clamp(to)
	p.target = to.Workers
	why.From, why.To = from, to
	return Decision{Workers: to.Workers, Pollers: to.Pollers, Reason: why, Next: interval}
}

// blind decides while no invocation has succeeded yet. There is no estimate, so the workers double as long as
// there are partitions with lag for them, and fall when everything fails.
func (p *Drain) blind(s *Sample, dt float64, current int) (int, Reason) {
	p.overload.observe(s, dt, current, p.probeAfter(), false)
	withLag := 0
	for i := range s.Partitions {
		if q := &s.Partitions[i]; q.Lag > 0 && !q.Blocked {
			withLag++
		}
	}
	why := Reason{Kind: Steady, Lag: s.Lag(), Lagging: withLag}
	want := current
	if withLag > current && s.Busy >= current && s.Invocations == 0 {
		want = min(2*current, withLag)
		why.Kind = Probing
	}
	if limited, over, binds := p.overload.limit(want); binds || over.Kind != Unknown {
		return limited, over
	}
	return want, why
}

// estimated decides from the estimates.
func (p *Drain) estimated(s *Sample, dt float64, current int, interval time.Duration) (Capacity, Reason) {
	rate, invocation := p.estimate.rate(), p.estimate.invocation()
	moment := max(interval.Seconds(), invocation)
	horizon := max(p.horizon(s), moment)
	d := measure(s, dt, p.estimate.batch, rate, invocation, horizon, moment)
	p.arrival.add(float64(d.arrived)/dt, dt, paceTime)
	p.pace.add(d.steady, dt, paceTime)

	used := max(float64(s.Invocations)*s.InvocationTime.Seconds()/dt, float64(s.Busy))
	idle := used < idleBelow*float64(current) || p.starved(s, &d)
	saturated := d.lagging >= current && !idle
	p.overload.observe(s, dt, current, p.probeAfter(), saturated)

	// The backlog's part is used as measured, the arrivals' part is averaged. A jump that has already left a
	// backlog is not noise and is used unaveraged.
	backlog := d.catchUp - d.steady
	if d.excess >= rate && d.steady > 1.5*p.pace.mean {
		p.pace.mean, p.arrival.mean = d.steady, float64(d.arrived)/dt
	}
	noise := p.noise()
	if p.estimate.anew {
		p.tooFew = 0
	}
	lower := max(p.pace.mean*(1-noise)/raiseAt, p.pace.mean+backlog)
	upper := p.pace.highest(paceWindow)/(fallAt*(1-noise)) + d.useful - d.steady
	need := max(p.pace.mean/aim, p.pace.mean+backlog)

	want := current
	switch {
	case math.Ceil(lower-slack) > float64(current):
		want = whole(need)
	case p.falls(upper, current, d.excess >= rate):
		want = min(max(int(math.Ceil(upper)), p.floor(), 1), current)
	}
	pollers, fetchBound := p.fetching.decide(s, dt, &d, idle, horizon)
	stalled := p.estimate.quiet > max(interval.Seconds()/2, 3*invocation)
	held := false
	if want > current && (idle || stalled || p.overload.hold()) {
		want, held = current, true
	}
	bounded := s.Bounds.Clamp(Capacity{Workers: want}).Workers
	limited, over, binds := p.overload.limit(bounded)
	limited = max(limited, s.Bounds.MinimumWorkers)
	if limited > current {
		p.overload.raise(s, current, limited, saturated)
		if p.pace.mean*(1-noise)/raiseAt > float64(current) {
			p.tooFew, p.tooFewFor = current, p.arrival.mean
		}
	}

	why := Reason{
		Need: max(lower, 0), Lag: d.lag, Lagging: d.lagging, Arrival: p.arrival.mean, Rate: rate,
		DrainTime: seconds(d.drainTime(limited, rate, p.arrival.mean)),
	}
	switch {
	case binds:
		over.Need, over.Lag, over.Lagging, over.Arrival, over.Rate = why.Need, why.Lag, why.Lagging, why.Arrival, why.Rate
		over.DrainTime = why.DrainTime
		why = over
	case held && stalled:
		why.Kind, why.Age = Stalled, seconds(p.estimate.quiet)
	case fetchBound && (held || pollers != s.Capacity.Pollers):
		why.Kind = FetchBound
	case d.hotShare >= hotFrom && d.hotShare*d.excess > rate*horizon/2 && d.slowest > horizon && len(s.Partitions) > 1:
		q := &s.Partitions[d.hot]
		why.Kind, why.Topic, why.Partition, why.Share = HotPartition, q.Topic, q.Partition, d.hotShare
		why.DrainTime = seconds(d.slowest)
	case want > s.Bounds.MaximumWorkers || limited == s.Bounds.MaximumWorkers && d.drainTime(limited, rate, p.arrival.mean) > 1.5*horizon:
		why.Kind = AtMaximum
	case limited < current:
		why.Kind = LoadFell
	case limited > current && p.pace.mean/raiseAt > float64(current):
		why.Kind = LoadRose
	case d.excess > 0 && (limited > current || backlog > 0.1*float64(limited)):
		why.Kind = CatchingUp
	default:
		why.Kind = Steady
	}
	return Capacity{Workers: limited, Pollers: pollers}, why
}

// starved reports whether invocations have run with half-empty batches for two samples in a row although the
// backlog would fill them. Fetched records are then what is missing, and workers busy with such batches count
// as idle.
func (p *Drain) starved(s *Sample, d *demand) bool {
	deep := d.excess > p.estimate.batch*float64(4*max(d.lagging, s.Capacity.Workers))
	if deep && s.Invocations > 0 && s.Errors == 0 && float64(s.Completed) < 0.5*p.estimate.batch*float64(s.Invocations) {
		p.crumbs++
	} else {
		p.crumbs = 0
	}
	return p.crumbs >= 2
}

// noise is how far the averaged arrivals stray from their mean under constant load: the deviation of
// independent arrivals is the square root of their number.
func (p *Drain) noise() float64 {
	return min(1/math.Sqrt(max(2*paceTime*p.arrival.mean, 1)), 0.25)
}

// falls reports whether workers should leave: at once when more than half of them have nothing to do,
// otherwise after fallSamples samples in a row.
func (p *Drain) falls(upper float64, current int, backlog bool) bool {
	if math.Ceil(upper) >= float64(current) || backlog && upper >= backlogFall*float64(current) {
		p.spare = 0
		return false
	}
	p.spare++
	return p.spare >= fallSamples || upper < float64(current)/2
}

// floor returns the fewest workers that a fall may leave.
func (p *Drain) floor() int {
	if p.tooFew == 0 || p.arrival.mean < (fallAt-3*p.noise())*p.tooFewFor {
		p.tooFew = 0
		return 1
	}
	return p.tooFew + 1
}

// slack is the fraction of a worker by which the lower mark may exceed a whole number without adding a
// worker: a backlog that small drains within the horizon anyway.
const slack = 0.1

func whole(workers float64) int {
	return int(min(max(math.Ceil(workers-slack), 1), 1<<20))
}

func (p *Drain) horizon(s *Sample) float64 {
	horizon := orDefault(p.DrainTime, 10*time.Second).Seconds()
	if p.TargetAge > 0 {
		horizon = min(horizon, max((p.TargetAge-s.OldestAge).Seconds(), 0))
	}
	return horizon
}

func (p *Drain) probeAfter() float64 { return orDefault(p.ProbeAfter, 5*time.Minute).Seconds() }

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}
