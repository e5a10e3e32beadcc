package scaling

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func some(n int, lag int64) []Partition {
	ps := make([]Partition, n)
	for i := range ps {
		ps[i] = Partition{Topic: "orders", Partition: int32(i), Lag: lag}
	}
	return ps
}

func fixed(workers, pollers int, next time.Duration) PolicyFunc {
	return func(Sample) Decision {
		return Decision{Workers: workers, Pollers: pollers, Next: next, Reason: Reason{Kind: Steady}}
	}
}

func TestGuardClampsNonsense(t *testing.T) {
	bounds := Bounds{MinimumWorkers: 2, MaximumWorkers: 8, MinimumPollers: 1, MaximumPollers: 4}
	for _, c := range []struct {
		name       string
		policy     Policy
		partitions int
		workers    int
		pollers    int
		kind       Kind
	}{
		{"fits", fixed(5, 2, time.Second), 10, 5, 2, Steady},
		{"negative", fixed(-5, -1, -time.Hour), 10, 2, 1, Clamped},
		{"huge", fixed(1<<62, 1<<62, 1<<62), 10, 8, 4, Clamped},
		{"over the partitions", fixed(8, 4, time.Second), 3, 3, 3, Clamped},
		{"no partitions", fixed(8, 4, time.Second), 0, 1, 1, NoPartitions},
		{"panics", PolicyFunc(func(Sample) Decision { panic("boom") }), 10, 3, 1, Panicked},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := Guard(c.policy, bounds).Decide(Sample{Time: t0, Partitions: some(c.partitions, 1), Capacity: Capacity{3, 1}})
			if d.Workers != c.workers || d.Pollers != c.pollers || d.Reason.Kind != c.kind {
				t.Errorf("got %d workers, %d pollers, %s", d.Workers, d.Pollers, d.Reason)
			}
			if d.Next < minimumNext || d.Next > maximumNext {
				t.Errorf("next sample in %s", d.Next)
			}
			if d.Reason.To != d.Capacity() {
				t.Errorf("the reason speaks of %v, the decision of %v", d.Reason.To, d.Capacity())
			}
		})
	}
}

func TestGuardKeepsTheLastDecisionAfterAPanic(t *testing.T) {
	calls := 0
	g := Guard(PolicyFunc(func(Sample) Decision {
		if calls++; calls == 2 {
			panic("boom")
		}
		return Decision{Workers: 6, Pollers: 1}
	}), Bounds{})
	s := Sample{Time: t0, Partitions: some(9, 1), Capacity: Capacity{1, 1}}
	g.Decide(s)
	d := g.Decide(s)
	if d.Workers != 6 || d.Reason.Kind != Panicked || !strings.Contains(d.Reason.String(), "boom") {
		t.Errorf("got %s", d.Reason)
	}
}

func TestGuardCorrectsBadBounds(t *testing.T) {
	bad := Bounds{MinimumWorkers: 9, MaximumWorkers: 4, MinimumPollers: 300, MaximumPollers: -1}
	if err := bad.Validate(); err == nil {
		t.Fatal("bad bounds are valid")
	} else {
		for _, field := range []string{"MinimumWorkers 9 is over", "MinimumPollers is 300", "MaximumPollers is -1"} {
			if !strings.Contains(err.Error(), field) {
				t.Errorf("%q does not say %q", err, field)
			}
		}
	}
	g := Guard(fixed(4, 4, 0), bad)
	d := g.Decide(Sample{Time: t0, Partitions: some(4, 1)})
	if d.Workers != 4 || d.Reason.Kind != BadBounds || d.Reason.Cause.Kind != Steady {
		t.Errorf("got %s", d.Reason)
	}
	g.SetBounds(Bounds{})
	if d := g.Decide(Sample{Time: t0.Add(time.Second), Partitions: some(4, 1)}); d.Reason.Kind == BadBounds {
		t.Errorf("corrected bounds are still reported: %s", d.Reason)
	}
	if err := (Bounds{MinimumWorkers: 1, MaximumWorkers: 4, MinimumPollers: 200, MaximumPollers: 2000}).Validate(); err != nil {
		t.Errorf("good bounds: %v", err)
	}
}

func TestGuardKeepsTheLastDecisionOnAStaleLag(t *testing.T) {
	wanted := 5
	g := Guard(PolicyFunc(func(Sample) Decision { return Decision{Workers: wanted, Pollers: 1} }), Bounds{})
	s := Sample{Time: t0, LagTime: t0, Partitions: some(10, 1), Capacity: Capacity{1, 1}}
	g.Decide(s)
	wanted = 9
	s.Time = t0.Add(40 * time.Second)
	d := g.Decide(s)
	if d.Workers != 5 || d.Reason.Kind != Stale || d.Reason.Age != 40*time.Second || !strings.Contains(d.Reason.String(), "40s old") {
		t.Errorf("got %s", d.Reason)
	}
	s.LagTime = s.Time
	if d := g.Decide(s); d.Workers != 9 {
		t.Errorf("a fresh lag is not acted on: %s", d.Reason)
	}
}

// A policy behind a guard sees time that only moves forward, in plausible steps.
func TestGuardSmoothsTheClock(t *testing.T) {
	var seen []time.Time
	g := Guard(PolicyFunc(func(s Sample) Decision {
		seen = append(seen, s.Time)
		return Decision{Workers: 1, Pollers: 1}
	}), Bounds{})
	for _, at := range []time.Duration{0, time.Second, -time.Hour, -time.Hour + time.Second, 50 * 365 * 24 * time.Hour, 0, 0} {
		g.Decide(Sample{Time: t0.Add(at), Partitions: some(1, 1)})
	}
	for i := 1; i < len(seen); i++ {
		if step := seen[i].Sub(seen[i-1]); step != time.Second {
			t.Errorf("step %d took %s", i, step)
		}
	}
}

func TestGuardCleansTheCounts(t *testing.T) {
	g := Guard(PolicyFunc(func(s Sample) Decision {
		if s.Completed < 0 || s.Invocations < 0 || s.Errors > s.Invocations || s.Throttles < 0 || s.Busy < 0 || s.Lag() != 7 || s.Arrived() != 0 {
			t.Errorf("a policy saw %+v", s)
		}
		return Decision{Workers: 1, Pollers: 1}
	}), Bounds{})
	g.Decide(Sample{
		Time: t0, Completed: -1, Invocations: -1, Errors: 5, Throttles: -1, Busy: -2, InvocationTime: -1,
		Partitions: []Partition{{Lag: -1 << 62, Arrived: -5}, {Lag: 7}},
	})
}

func TestGuardOfNilIsLambda(t *testing.T) {
	d := Guard(nil, Bounds{}).Decide(Sample{Time: t0, Partitions: some(64, 0)})
	if d.Workers != 5 {
		t.Errorf("%d workers, want the five of one consumer", d.Workers)
	}
}

func TestReasonsSpeak(t *testing.T) {
	for k := Unknown; int(k) < len(kindNames); k++ {
		r := Reason{Kind: k, From: Capacity{1, 1}, To: Capacity{3, 2}}
		line := r.String()
		if strings.Contains(line, "\n") || !strings.HasPrefix(line, "workers 1 -> 3, pollers 1 -> 2: ") {
			t.Errorf("%s: %q", k, line)
		}
		if k != Unknown && strings.HasSuffix(line, "no reason given") {
			t.Errorf("%s has no words", k)
		}
		text, err := json.Marshal(r)
		var back Reason
		if err != nil || json.Unmarshal(text, &back) != nil || back.Kind != k {
			t.Errorf("%s does not survive JSON: %s, %v", k, text, err)
		}
	}
	if got := Kind(99).String(); got != "Kind(99)" {
		t.Error(got)
	}
	var k Kind
	if err := k.UnmarshalText([]byte("Bored")); err == nil {
		t.Error("an unknown kind was read")
	}
	if got := (Reason{Kind: Steady, From: Capacity{1, 1}, To: Capacity{1, 1}}).String(); !strings.HasPrefix(got, "1 worker: ") {
		t.Error(got)
	}
}
