package scaling

import (
	"math"
	"time"
)

// Lambda is the default policy. It follows what AWS documents of the on-demand mode of a Kafka event source
// mapping (Developer Guide, "Apache Kafka event poller scaling modes"): it starts with one consumer,
// evaluates the offset lag of all partitions once a minute, completes a change within three minutes, and
// removes consumers when the function is throttled.
//
// AWS's consumer is a poller with several processors. Here those processors are workers: one more consumer
// means WorkersPerConsumer more workers, which costs no rebalance, and the pollers stay as they are. The
// policy starts from the workers that run at the first sample, rounded up to whole consumers, at least one.
// When partitions are added, it continues from what then runs, if that is more.
//
// AWS publishes neither the lag that triggers a change nor the size of a step. The fields stand in for both,
// each with its rationale. The zero value is ready to use. Not safe for concurrent use.
type Lambda struct {
	// Interval is the time between evaluations. Default 1 minute (documented).
	Interval time.Duration
	// Within is the time in which the lag should be gone after a change. Default 3 minutes, the time in which
	// a change completes.
	Within time.Duration
	// WorkersPerConsumer is the number of concurrent invocations of one consumer.
	// Default 5 (documented for a poller of the provisioned mode).
	WorkersPerConsumer int
	// StepUp is the factor by which one evaluation may at most multiply the consumers. Default 2: not
	// documented. The estimate is a minute old when it takes effect.
	StepUp float64
	// StepDown is the smallest share of the consumers that one evaluation leaves, and the share that a
	// throttled evaluation leaves. Default 0.5: not documented.
	StepDown float64
	// DownAfter is the number of evaluations in a row that must want fewer consumers before any are removed.
	// Default 3: not documented, chosen to match the three minutes.
	DownAfter int

	estimate  estimator
	time      time.Time
	evaluated time.Time
	arrived   int64
	throttles int64
	calls     int64
	low       int
	consumers int
	// partitions is how many there were at the last sample.
	partitions int
	kept       Decision
}

// Decide implements [Policy]. Between evaluations it adds up the counts and repeats its last decision, so it
// may be called at any rate.
func (p *Lambda) Decide(s Sample) Decision {
	s.Bounds = s.Bounds.Resolve(len(s.Partitions))
	dt := elapsed(p.time, s.Time)
	first := p.time.IsZero()
	p.time = s.Time
	p.estimate.observe(&s, dt)
	p.arrived = sum(p.arrived, s.Arrived())
	p.throttles += s.Throttles
	p.calls += s.Invocations + s.Throttles

	interval := orDefault(p.Interval, time.Minute)
	if len(s.Partitions) > p.partitions {
		// At the start, or with more partitions assigned, more workers may run than this policy asked for:
		// continue from those. Otherwise more workers only mean that an earlier decision has not been carried
		// out yet.
		p.consumers = max(p.consumers, (s.Capacity.Workers+p.perConsumer()-1)/p.perConsumer(), 1)
	}
	p.partitions = len(s.Partitions)
	if first {
		p.consumers = max(p.consumers, 1)
		p.evaluated = s.Time
		p.kept.Reason = Reason{Kind: Steady, Lag: s.Lag()}
		return p.answer(&s, interval)
	}
	if left := interval - s.Time.Sub(p.evaluated); left > 0 {
		return p.answer(&s, left)
	}
	p.evaluate(&s, s.Time.Sub(p.evaluated).Seconds())
	p.evaluated, p.arrived, p.throttles, p.calls = s.Time, 0, 0, 0
	return p.answer(&s, interval)
}

func (p *Lambda) evaluate(s *Sample, span float64) {
	why := Reason{Kind: Steady, Lag: s.Lag(), Arrival: float64(p.arrived) / span}
	perConsumer := float64(p.perConsumer())
	up, down := p.StepUp, p.StepDown
	if up <= 1 {
		up = 2
	}
	if down <= 0 || down >= 1 {
		down = 0.5
	}
	now := float64(p.consumers)
	want := now
	if p.estimate.known() {
		why.Rate = p.estimate.rate()
		within := orDefault(p.Within, 3*time.Minute).Seconds()
		why.Need = (why.Arrival + float64(why.Lag)/within) / why.Rate
		want = math.Ceil(why.Need/perConsumer - slack)
		spare := now*perConsumer*why.Rate - why.Arrival
		why.DrainTime = seconds(float64(why.Lag) / max(spare, 0))
	} else if why.Lag > 0 {
		want = now * up
		why.Kind = Probing
	}
	most := math.Ceil(float64(s.Bounds.MaximumWorkers) / perConsumer)
	switch {
	case float64(p.throttles) > throttleShare*float64(p.calls):
		p.low = 0
		p.consumers = int(max(math.Floor(now*down), 1))
		why.Kind, why.Throttles, why.Invocations = Throttled, p.throttles, p.calls-p.throttles
		why.Ceiling = s.Bounds.Clamp(Capacity{Workers: p.consumers * p.perConsumer()}).Workers
	case want > now:
		p.low = 0
		p.consumers = int(min(want, math.Ceil(now*up), most))
		if why.Kind != Probing {
			why.Kind = LoadRose
		}
		if want > most {
			why.Kind = AtMaximum
		}
	case want < now:
		if p.low++; p.low >= max(p.downAfter(), 1) {
			p.consumers = int(max(want, math.Floor(now*down), 1))
			why.Kind = LoadFell
		}
	default:
		p.low = 0
	}
	p.kept.Reason = why
}

func (p *Lambda) answer(s *Sample, next time.Duration) Decision {
	to := s.Bounds.Clamp(Capacity{Workers: p.consumers * p.perConsumer(), Pollers: s.Capacity.Pollers})
	p.kept.Reason.From, p.kept.Reason.To = s.Capacity, to
	return Decision{Workers: to.Workers, Pollers: to.Pollers, Reason: p.kept.Reason, Next: min(next, 10*time.Second)}
}

func (p *Lambda) perConsumer() int {
	if p.WorkersPerConsumer > 0 {
		return p.WorkersPerConsumer
	}
	return 5
}

func (p *Lambda) downAfter() int {
	if p.DownAfter > 0 {
		return p.DownAfter
	}
	return 3
}
