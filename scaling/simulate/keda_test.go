package simulate

import (
	"testing"
	"time"

	"github.com/esm-go/esm/scaling"
	"pgregory.net/rapid"
)

func TestKEDAFormula(t *testing.T) {
	t0 := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	some := func(n int, lag int64) []scaling.Partition {
		parts := make([]scaling.Partition, n)
		for i := range parts {
			parts[i] = scaling.Partition{Topic: "t", Partition: int32(i), Lag: lag}
		}
		return parts
	}
	p := &KEDA{}
	ask := func(after time.Duration, lag int64) int {
		return p.Decide(scaling.Sample{Time: t0.Add(after), Partitions: some(20, lag), Capacity: scaling.Capacity{Workers: 1, Pollers: 1}}).Workers
	}
	for _, c := range []struct {
		after time.Duration
		lag   int64 // a partition, of 20
		want  int
	}{
		{0, 0, 1},
		{15 * time.Second, 100, 5},    // wants 20, may add 4
		{30 * time.Second, 100, 10},   // may double
		{45 * time.Second, 100, 20},   // all partitions
		{60 * time.Second, 0, 20},     // stabilised
		{344 * time.Second, 2, 20},    // the recommendation of 20 at 45 s still counts
		{361 * time.Second, 2, 4},     // it no longer does: 40/10
		{376 * time.Second, 2, 4},     //
		{400 * time.Second, 0, 4},     // stabilised again
		{700 * time.Second, 0, 1},     // the minimum
		{800 * time.Second, 1000, 5},  // capped at partitions x threshold
		{815 * time.Second, 1000, 10}, //
	} {
		if got := ask(c.after, c.lag); got != c.want {
			t.Errorf("at %s with lag %d each: %d replicas, want %d", c.after, c.lag, got, c.want)
		}
	}
}

// Whatever lag and capacity the yardstick sees, it stays within the bounds without a guard.
func TestKEDAKeepsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, at := &KEDA{}, time.Unix(0, 0)
		bounds := scaling.Bounds{MinimumWorkers: rapid.IntRange(-3, 40).Draw(t, "least"), MaximumWorkers: rapid.IntRange(-3, 40).Draw(t, "most")}
		for range rapid.IntRange(1, 12).Draw(t, "samples") {
			at = at.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Minute)).Draw(t, "step")))
			parts := make([]scaling.Partition, rapid.IntRange(0, 12).Draw(t, "partitions"))
			for i := range parts {
				parts[i].Lag = rapid.Int64Range(0, 1<<40).Draw(t, "lag")
			}
			s := scaling.Sample{Time: at, Partitions: parts, Bounds: bounds, Capacity: scaling.Capacity{Workers: rapid.IntRange(-1, 100).Draw(t, "workers"), Pollers: 1}}
			d := p.Decide(s)
			b := bounds.Resolve(len(parts))
			if d.Capacity() != b.Clamp(d.Capacity()) {
				t.Fatalf("%v is outside of %+v", d.Capacity(), b)
			}
		}
	})
}
