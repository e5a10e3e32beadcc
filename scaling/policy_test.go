package scaling

import (
	"math"
	"testing"
	"time"
)

// play feeds a policy samples one second apart and returns the last decision.
func play(p Policy, n int, change func(i int, s *Sample)) (d Decision) {
	d.Workers, d.Pollers = 1, 1
	for i := range n {
		s := Sample{
			Time: t0.Add(time.Duration(i) * time.Second), Partitions: some(64, 0), BatchSize: 10,
			Capacity: d.Capacity(), Busy: d.Workers, BufferedBytes: 1 << 30,
		}
		change(i, &s)
		d = p.Decide(s)
	}
	return d
}

func TestDrainDoublesWhileNothingReturned(t *testing.T) {
	g := Guard(&Drain{}, Bounds{})
	for i, want := range []int{2, 4, 8, 16, 32, 64, 64} {
		d := play(g, 1, func(_ int, s *Sample) {
			s.Time = t0.Add(time.Duration(i) * time.Second)
			s.Partitions = some(64, 1000)
			s.Busy = 64
		})
		if d.Workers != want {
			t.Errorf("sample %d: %d workers, want %d: %s", i, d.Workers, want, d.Reason)
		}
	}
}

func TestDrainWaitsForAHandlerThatHangs(t *testing.T) {
	p := Guard(&Drain{}, Bounds{})
	d := play(p, 30, func(i int, s *Sample) {
		if i < 5 {
			s.Completed, s.Invocations, s.InvocationTime = 100, 10, 100*time.Millisecond
			return
		}
		s.Partitions = some(64, 1000*int64(i))
	})
	if d.Reason.Kind != Stalled || d.Workers > 8 {
		t.Errorf("got %s", d.Reason)
	}
}

func TestDrainTargetAge(t *testing.T) {
	lag := func(i int, s *Sample) {
		s.Completed, s.Invocations, s.InvocationTime = 100, 10, 100*time.Millisecond
		s.OldestAge = 4 * time.Second
		s.Partitions = some(64, 50)
	}
	lazy := play(&Drain{DrainTime: time.Minute}, 1, lag)
	eager := play(&Drain{DrainTime: time.Minute, TargetAge: 5 * time.Second}, 1, lag)
	if lazy.Workers >= eager.Workers {
		t.Errorf("%d workers with an age in danger, %d without a target", eager.Workers, lazy.Workers)
	}
}

func TestLambdaKeepsItsPace(t *testing.T) {
	p := &Lambda{}
	changed := -1
	d := play(p, 200, func(i int, s *Sample) {
		s.Partitions = some(64, 10_000)
		s.Completed, s.Invocations, s.InvocationTime = 100, 10, 100*time.Millisecond
		if changed < 0 && s.Capacity.Workers > 5 {
			changed = i - 1
		}
	})
	if changed != 60 {
		t.Errorf("the first change came at %d s, want 60", changed)
	}
	if d.Workers != 40 || d.Reason.Kind != LoadRose {
		t.Errorf("after three evaluations: %s, want 5 doubled three times", d.Reason)
	}
	// Throttled: fewer at the next evaluation. Idle: fewer after three.
	at := 200
	for range 60 {
		at++
		d = p.Decide(Sample{Time: t0.Add(time.Duration(at) * time.Second), Partitions: some(64, 10_000), Throttles: 3, Invocations: 5})
	}
	if d.Reason.Kind != Throttled || d.Workers != 20 {
		t.Errorf("throttled: %s", d.Reason)
	}
	for range 400 {
		at++
		d = p.Decide(Sample{Time: t0.Add(time.Duration(at) * time.Second), Partitions: some(64, 0)})
	}
	if d.Workers != 5 {
		t.Errorf("idle: %s", d.Reason)
	}
}

// Lambda continues from the running capacity at the start and when partitions are added. Later the running
// capacity only shows that a decision has not taken effect yet.
func TestLambdaGoesOnFromWhatRuns(t *testing.T) {
	p := &Lambda{}
	at := 0
	after := func(seconds, partitions, running int) (d Decision) {
		for range seconds {
			d = p.Decide(Sample{Time: t0.Add(time.Duration(at) * time.Second), Partitions: some(partitions, 0), Completed: 10, Invocations: 1,
				InvocationTime: time.Millisecond, Capacity: Capacity{Workers: running, Pollers: 1}})
			at++
		}
		return d
	}
	if d := after(1, 20, 18); d.Workers != 20 {
		t.Errorf("begun with 18 workers: %s, want 4 consumers", d.Reason)
	}
	if d := after(1, 80, 80); d.Workers != 80 {
		t.Errorf("80 workers run since partitions came: %s, want 16 consumers", d.Reason)
	}
	if d := after(600, 80, 80); d.Workers != 5 {
		t.Errorf("nothing to do, and decisions not carried out: %s, want one consumer", d.Reason)
	}
}

func TestEstimatorLearnsBatchesOfAnySize(t *testing.T) {
	var e estimator
	// 20 ms + 3 ms per record, seen with batches of 2 to 8; a full one has 20.
	for i := range 30 {
		n := int64(2 + i%7)
		took := 20*time.Millisecond + time.Duration(n)*3*time.Millisecond
		e.observe(&Sample{Completed: 50 * n, Invocations: 50, InvocationTime: took, BatchSize: 20}, 1)
	}
	if got := e.invocation(); math.Abs(got-0.080) > 0.012 {
		t.Errorf("a full batch is estimated at %.4f s, want about 0.080", got)
	}
	// The handler becomes four times as slow, which is accepted at the second sample.
	for range 2 {
		e.observe(&Sample{Completed: 250, Invocations: 50, InvocationTime: 140 * time.Millisecond, BatchSize: 20}, 1)
	}
	if got := e.invocation(); got < 0.138 {
		t.Errorf("after the change it is estimated at %.4f s", got)
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	g, s := bigSample()
	for range 50 {
		s.Time = s.Time.Add(time.Second)
		g.Decide(s)
	}
	if n := testing.AllocsPerRun(100, func() {
		s.Time = s.Time.Add(time.Second)
		g.Decide(s)
	}); n != 0 {
		t.Errorf("%v allocations a decision", n)
	}
}

func bigSample() (*Guarded, Sample) {
	s := Sample{
		Time: t0, Partitions: some(10_000, 300), Completed: 10_000, Invocations: 1000, InvocationTime: 50 * time.Millisecond,
		BatchSize: 10, Busy: 50, Capacity: Capacity{50, 1},
	}
	for i := range s.Partitions {
		s.Partitions[i].Arrived = int64(i % 7)
	}
	return Guard(&Drain{}, Bounds{}), s
}

// BenchmarkDecide is one evaluation over 10,000 partitions.
func BenchmarkDecide(b *testing.B) {
	g, s := bigSample()
	b.ReportAllocs()
	for b.Loop() {
		s.Time = s.Time.Add(time.Second)
		g.Decide(s)
	}
}
