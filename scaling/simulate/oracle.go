package simulate

import (
	"math"
	"time"

	"github.com/esm-go/esm/scaling"
)

// Oracle is a yardstick: a policy that knows the trace. It knows the arrivals of the next second, how long an
// invocation will take, the function's limit and when it fails. Each second it asks for exactly the workers
// that will find work: it is as fast as the partitions allow and wastes only what rounding wastes. Only the
// noise of the arrivals is hidden from it.
type Oracle struct {
	Trace Trace

	shares []float64
	start  time.Time
}

// Decide implements [scaling.Policy].
func (p *Oracle) Decide(s scaling.Sample) scaling.Decision {
	const moment = time.Second
	t := &p.Trace
	if p.shares == nil {
		p.shares, p.start = t.shares(), s.Time
	}
	b := s.Bounds.Resolve(len(s.Partitions))
	at := s.Time.Sub(p.start)
	invocation := (t.Base + time.Duration(t.BatchSize)*t.PerRecord).Seconds() * t.slow(at)
	rate := float64(t.BatchSize) / invocation
	coming := t.rate(at+moment/2) * moment.Seconds()
	var need float64
	for i := range s.Partitions {
		if q := &s.Partitions[i]; !q.Blocked {
			need += min((float64(max(q.Lag, 0))+coming*p.shares[i])/(rate*moment.Seconds()), 1)
		}
	}
	if t.fails(at) {
		need = 0
	}
	want := min(int(math.Ceil(need)), t.limit(at))
	if t.Knee > 0 {
		want = min(want, t.Knee)
	}
	to := b.Clamp(scaling.Capacity{Workers: want, Pollers: s.Capacity.Pollers})
	if t.FetchRate > 0 {
		to = b.Clamp(scaling.Capacity{Workers: want, Pollers: int(math.Ceil(t.rate(at) / t.FetchRate))})
	}
	return scaling.Decision{Workers: to.Workers, Pollers: to.Pollers, Next: moment,
		Reason: scaling.Reason{Kind: scaling.Steady, From: s.Capacity, To: to, Need: need, Lag: s.Lag()}}
}
