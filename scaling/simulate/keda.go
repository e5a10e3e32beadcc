package simulate

import (
	"math"
	"time"

	"github.com/esm-go/esm/scaling"
)

// KEDA is a yardstick: what KEDA's Apache Kafka scaler and the Kubernetes
// Horizontal Pod Autoscaler that it feeds would do, with their defaults.
//
//   - The scaler reports the sum of the lags, never more than partitions times
//     lagThreshold (keda.sh, "Apache Kafka": lagThreshold, default 10, average
//     value; replicas do not exceed partitions unless allowIdleConsumers).
//   - The HPA wants ceil(lag / lagThreshold) replicas and does nothing while that is within 10 % of the
//     current number. It at most doubles or adds 4 in 15 s, whichever is more, and scales down to the highest
//     recommendation of the last 300 s (kubernetes.io, "Horizontal Pod Autoscaling": tolerance, default
//     behavior).
//   - It asks every 15 s. KEDA's pollingInterval (30 s) and cooldownPeriod (300 s)
//     govern only the step between 0 and 1 replica (keda.sh, "ScaledObject
//     specification"; kedacore/keda issue 2282), and the minimum here is 1.
//
// A replica counts as one worker, in KEDA's favour: a Kafka consumer processes one batch after the other, but
// here it may take a batch from any partition, starts at once, and costs no rebalance. [Options] can charge
// for both.
type KEDA struct {
	// LagThreshold is KEDA's lagThreshold. Default 10.
	LagThreshold int64
	// SyncPeriod is the HPA's --horizontal-pod-autoscaler-sync-period. Default 15 s.
	SyncPeriod time.Duration
	// Stabilization is the HPA's scale-down window. Default 300 s.
	Stabilization time.Duration

	replicas int
	wishes   []wish
}

type wish struct {
	at       time.Time
	replicas int
}

// Decide implements [scaling.Policy].
func (p *KEDA) Decide(s scaling.Sample) scaling.Decision {
	const tolerance, addAtLeast = 0.1, 4
	b := s.Bounds.Resolve(len(s.Partitions))
	if p.replicas == 0 {
		p.replicas = b.Clamp(s.Capacity).Workers
	}
	threshold := p.LagThreshold
	if threshold <= 0 {
		threshold = 10
	}
	lag := min(s.Lag(), threshold*int64(len(s.Partitions)))
	ratio := float64(lag) / float64(threshold*int64(p.replicas))
	want := p.replicas
	if math.Abs(ratio-1) > tolerance {
		want = int((lag + threshold - 1) / threshold)
	}
	want = b.Clamp(scaling.Capacity{Workers: want}).Workers

	window := orDefault(p.Stabilization, 300*time.Second)
	kept := p.wishes[:0]
	for _, w := range p.wishes {
		if s.Time.Sub(w.at) < window {
			kept = append(kept, w)
		}
	}
	kept = append(kept, wish{s.Time, want})
	p.wishes = kept
	why := scaling.Reason{Kind: scaling.Steady, Lag: lag, Need: float64(lag) / float64(threshold)}
	switch {
	case want > p.replicas:
		why.Kind = scaling.LoadRose
		p.replicas = min(want, max(2*p.replicas, p.replicas+addAtLeast))
	case want < p.replicas:
		highest := want
		for _, w := range p.wishes {
			highest = max(highest, w.replicas)
		}
		if highest < p.replicas {
			why.Kind = scaling.LoadFell
			p.replicas = highest
		}
	}
	to := b.Clamp(scaling.Capacity{Workers: p.replicas, Pollers: s.Capacity.Pollers})
	why.From, why.To = s.Capacity, to
	return scaling.Decision{Workers: to.Workers, Pollers: to.Pollers, Reason: why, Next: orDefault(p.SyncPeriod, 15*time.Second)}
}

func orDefault(d, fallback time.Duration) time.Duration {
	if d <= 0 {
		return fallback
	}
	return d
}
