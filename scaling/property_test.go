package scaling

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// policies holds a constructor for each policy.
var policies = map[string]func() Policy{
	"Drain":  func() Policy { return &Drain{} },
	"Aged":   func() Policy { return &Drain{TargetAge: 5 * time.Second, DrainTime: time.Minute} },
	"Lambda": func() Policy { return &Lambda{} },
}

func drawBounds(t *rapid.T) Bounds {
	n := rapid.IntRange(-3, 40)
	return Bounds{n.Draw(t, "minW"), n.Draw(t, "maxW"), n.Draw(t, "minP"), n.Draw(t, "maxP")}
}

// drawSample draws arbitrary samples, including invalid ones.
func drawSample(t *rapid.T, at time.Time) Sample {
	count := rapid.Int64Range(-10, 1<<40)
	partitions := make([]Partition, rapid.IntRange(0, 12).Draw(t, "partitions"))
	for i := range partitions {
		partitions[i] = Partition{
			Topic: "t", Partition: int32(i), Lag: rapid.Int64().Draw(t, "lag") >> rapid.IntRange(1, 60).Draw(t, "shift"),
			Arrived: count.Draw(t, "arrived"), Blocked: rapid.Bool().Draw(t, "blocked"),
		}
	}
	return Sample{
		Time: at, Partitions: partitions,
		Completed: count.Draw(t, "completed"), Invocations: count.Draw(t, "invocations"), Errors: count.Draw(t, "errors"),
		Throttles: count.Draw(t, "throttles"), InvocationTime: time.Duration(rapid.Int64().Draw(t, "took")),
		BatchSize: rapid.IntRange(-1, 10000).Draw(t, "batch"), BufferedBytes: count.Draw(t, "bytes"),
		Busy: rapid.IntRange(-1, 50).Draw(t, "busy"), OldestAge: time.Duration(rapid.Int64().Draw(t, "age")),
		Capacity: Capacity{rapid.IntRange(-1, 100).Draw(t, "workers"), rapid.IntRange(-1, 5).Draw(t, "pollers")},
	}
}

// Whatever is measured, the decision is within the bounds and its numbers are finite, and every policy
// achieves that without its guard.
func TestBoundsAlwaysHold(t *testing.T) {
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				bounds := drawBounds(t)
				g := Guard(policy(), bounds)
				at := t0
				for range rapid.IntRange(1, 12).Draw(t, "samples") {
					at = at.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(3*time.Minute)).Draw(t, "step")))
					s := drawSample(t, at)
					d := g.Decide(s)
					b := bounds.Resolve(len(s.Partitions))
					if d.Capacity() != b.Clamp(d.Capacity()) {
						t.Fatalf("%v is outside of %+v", d.Capacity(), b)
					}
					if d.Workers < 1 || d.Pollers < 1 || d.Workers > max(len(s.Partitions), 1) {
						t.Fatalf("%v for %d partitions", d.Capacity(), len(s.Partitions))
					}
					if d.Next < minimumNext || d.Next > maximumNext {
						t.Fatalf("next in %s", d.Next)
					}
					finite(t, d.Reason)
				}
			})
		})
	}
}

func finite(t *rapid.T, r Reason) {
	if r.Kind == Clamped || r.Kind == Panicked {
		t.Fatalf("the policy needed its guard: %s", r)
	}
	for _, v := range []float64{r.Need, r.Arrival, r.Rate, r.Share} {
		if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			t.Fatalf("%v in %+v", v, r)
		}
	}
	if r.DrainTime < 0 || r.Age < 0 || r.Lag < 0 || r.Ceiling < 0 {
		t.Fatalf("a negative number in %+v", r)
	}
	if r.Cause != nil {
		finite(t, *r.Cause)
	}
}

// More lag never means fewer workers, all else being equal.
func TestDrainIsMonotoneInLag(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bounds := drawBounds(t)
		less, more := Guard(&Drain{}, bounds), Guard(&Drain{}, bounds)
		at := t0
		for range rapid.IntRange(0, 6).Draw(t, "history") {
			at = at.Add(time.Second)
			s := drawSample(t, at)
			less.Decide(s)
			more.Decide(s)
		}
		s := drawSample(t, at.Add(time.Second))
		few := less.Decide(s)
		partitions := append([]Partition(nil), s.Partitions...)
		for i := range partitions {
			partitions[i].Lag = max(partitions[i].Lag, 0) + rapid.Int64Range(0, 1<<30).Draw(t, "more")
		}
		s.Partitions = partitions
		if many := more.Decide(s); many.Workers < few.Workers {
			t.Fatalf("more lag, fewer workers:\n%s\n%s", few.Reason, many.Reason)
		}
	})
}

// Lags whose sum exceeds the largest number saturate.
func TestLagsSaturate(t *testing.T) {
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			g := Guard(policy(), Bounds{})
			for i := range 12 {
				s := Sample{Time: t0.Add(time.Duration(i) * time.Minute), LagTime: t0.Add(time.Duration(i) * time.Minute), Capacity: Capacity{Workers: 1, Pollers: 1}}
				for p := range int32(3) {
					s.Partitions = append(s.Partitions, Partition{Topic: "t", Partition: p, Lag: math.MaxInt64, Arrived: math.MaxInt64})
				}
				if lag, arrived := s.Lag(), s.Arrived(); lag != math.MaxInt64 || arrived != math.MaxInt64 {
					t.Fatalf("lag %d, arrived %d", lag, arrived)
				}
				d := g.Decide(s)
				if r := d.Reason; r.Lag < 0 || r.Need < 0 || r.Arrival < 0 || r.Kind == Clamped || r.Kind == Panicked || d.Workers < 1 {
					t.Fatalf("%+v", d)
				}
			}
		})
	}
}
