package keda

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestAnswersHoldTheBounds also draws readings that no broker would return.
func TestAnswersHoldTheBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		least := rapid.IntRange(0, 5).Draw(t, "minReplicas")
		most := rapid.IntRange(max(least, 1), 20).Draw(t, "maxReplicas")
		cfg, err := parse(metadataOf(map[string]string{
			"minReplicas": strconv.Itoa(least), "maxReplicas": strconv.Itoa(most),
			"policy":            rapid.SampledFrom([]string{policyDrain, policyLambda}).Draw(t, "policy"),
			"workersPerReplica": strconv.Itoa(rapid.IntRange(1, 9).Draw(t, "workersPerReplica")),
			"startingPosition":  rapid.SampledFrom([]string{trimHorizon, latest}).Draw(t, "startingPosition"),
		}))
		if err != nil {
			t.Fatal(err)
		}
		j, now := newJudge(cfg), epoch
		for range rapid.IntRange(1, 40).Draw(t, "readings") {
			now = now.Add(time.Duration(rapid.IntRange(-5, 900).Draw(t, "seconds")) * time.Second)
			r := &reading{at: now, settled: rapid.Bool().Draw(t, "settled")}
			for p := range rapid.IntRange(0, 6).Draw(t, "partitions") {
				one := position{
					topicPartition: topicPartition{"t", int32(p)},
					committed:      rapid.Int64Range(-1, 1<<40).Draw(t, "committed"), end: rapid.Int64Range(0, 1<<40).Draw(t, "end"),
					start: rapid.Int64Range(0, 1<<40).Draw(t, "start"), earliest: rapid.Int64Range(0, 1<<40).Draw(t, "earliest"),
					unplaced: rapid.Bool().Draw(t, "unplaced"),
				}
				if rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
					one.err = errors.New("no leader")
				}
				r.partitions = append(r.partitions, one)
			}
			for m := range rapid.IntRange(0, 4).Draw(t, "members") {
				r.members = append(r.members, member{id: strconv.Itoa(m), partitions: []topicPartition{{"t", int32(m)}, {"u", 0}}})
			}
			a := j.decide(r)
			if a.replicas < least || a.replicas > most {
				t.Fatalf("%d replicas, want %d to %d: %s", a.replicas, least, most, a.reason)
			}
			if a.summary.lag < 0 || a.summary.arrived < 0 || a.summary.done < 0 {
				t.Fatalf("negative counts: %+v", a.summary)
			}
			if a.summary.lag > 0 && !a.active {
				t.Fatalf("not active with lag %d", a.summary.lag)
			}
			if !(j.meter.rate >= 0) || j.meter.rate > 1<<45 {
				t.Fatalf("rate %v", j.meter.rate)
			}
		}
	})
}

func TestLagOfAPosition(t *testing.T) {
	for _, c := range []struct {
		name string
		p    position
		want int64
	}{
		{"in the middle", position{committed: 40, end: 100}, 60},
		{"done", position{committed: 100, end: 100}, 0},
		{"before what retention left", position{committed: 5, earliest: 30, end: 100}, 70},
		{"truncated", position{committed: 150, end: 100}, 0},
		{"no commit", position{committed: -1, start: 20, end: 100}, 80},
		{"no commit, begins at the end", position{committed: -1, start: 100, end: 100}, 0},
		{"begins after the last stable offset", position{committed: -1, start: 120, end: 100}, 0},
	} {
		if got := c.p.lag(); got != c.want {
			t.Errorf("%s: lag %d, want %d", c.name, got, c.want)
		}
	}
}

// TestRateOfSharedWorkers gives a member with two workers four full partitions: both workers were busy, and
// the progress of all four is theirs.
func TestRateOfSharedWorkers(t *testing.T) {
	m := meter{cfg: mustParse(t, map[string]string{"workersPerReplica": "2"})}
	one := member{id: "m"}
	for p := range int32(4) {
		one.partitions = append(one.partitions, topicPartition{"t", p})
	}
	for i := range int64(5) {
		r := &reading{at: epoch.Add(time.Duration(i) * 10 * time.Second), settled: true, members: []member{one}}
		for p := range int32(4) {
			r.partitions = append(r.partitions, position{topicPartition: topicPartition{"t", p}, committed: i * 500, end: 10_000})
		}
		m.observe(r)
	}
	if !m.exact || m.rate != 100 { // 4 x 500 records in 10 s of two workers
		t.Errorf("a worker does %v (measured: %v), want 100", m.rate, m.exact)
	}
}

// TestUnreadablePartitionWaits keeps the lag of a partition without a leader, and does not count it as work
// for a replica.
func TestUnreadablePartitionWaits(t *testing.T) {
	m := meter{cfg: mustParse(t, nil)}
	p := position{topicPartition: topicPartition{"t", 0}, committed: 0, end: 70}
	m.observe(&reading{at: epoch, settled: true, partitions: []position{p}})
	p.err = errUnanswered
	for i := range 3 {
		s, sum := m.observe(&reading{at: epoch.Add(time.Duration(i+1) * 10 * time.Second), settled: true, partitions: []position{p}})
		if got := s.Partitions[0]; got.Lag != 70 || !got.Blocked || got.Arrived != 0 || sum.failed != 1 {
			t.Fatalf("try %d: %+v, %+v", i, got, sum)
		}
	}
}

// TestLongGapIsNoBurst makes the brokers unavailable for an hour.
func TestLongGapIsNoBurst(t *testing.T) {
	m := meter{cfg: mustParse(t, nil)}
	p := position{topicPartition: topicPartition{"t", 0}, committed: 0, end: 0}
	m.observe(&reading{at: epoch, settled: true, partitions: []position{p}})
	p.end = 1_000_000
	s, _ := m.observe(&reading{at: epoch.Add(time.Hour), settled: true, partitions: []position{p}})
	if s.Partitions[0].Arrived != 0 || s.Partitions[0].Lag != 1_000_000 {
		t.Errorf("%+v", s.Partitions[0])
	}
}

// TestWhatIsNoWork: a recreated topic, a partition just assigned to a member, and a start that was just
// committed say nothing about the throughput of workers.
func TestWhatIsNoWork(t *testing.T) {
	tp := topicPartition{"t", 0}
	at := func(i int, id string, p position) *reading {
		p.topicPartition = tp
		return &reading{
			at: epoch.Add(time.Duration(i) * 10 * time.Second), settled: true, partitions: []position{p},
			members: []member{{id: id, partitions: []topicPartition{tp}}},
		}
	}
	m := meter{cfg: mustParse(t, nil)}
	m.observe(at(0, "a", position{id: [16]byte{1}, committed: 1000, end: 9000}))
	if s, sum := m.observe(at(1, "a", position{id: [16]byte{2}, committed: 5000, end: 90000})); s.Arrived() != 0 || sum.done != 0 {
		t.Errorf("made again: %d arrived, %d done", s.Arrived(), sum.done)
	}
	m = meter{cfg: mustParse(t, nil)}
	m.observe(at(0, "a", position{committed: 1000, end: 9000}))
	if s, sum := m.observe(at(1, "b", position{committed: 2000, end: 9000})); m.rate != 0 || s.Busy != 0 || sum.done != 1000 {
		t.Errorf("came to another member: rate %v, %d busy, %d done", m.rate, s.Busy, sum.done)
	}
	m = meter{cfg: mustParse(t, nil)}
	m.observe(at(0, "a", position{committed: -1, unplaced: true, start: 1000, end: 1000}))
	if _, sum := m.observe(at(1, "a", position{committed: 4000, end: 9000})); sum.done != 0 {
		t.Errorf("placed the start: %d done", sum.done)
	}
}

// TestFirstBurstDoubles: a group that was always idle shows little of what a worker can do, and a burst must
// not count as the work of a hundred workers.
func TestFirstBurstDoubles(t *testing.T) {
	w := newWorld(mustParse(t, map[string]string{"minReplicas": "1", "maxReplicas": "100"}), 128)
	w.arrival = between(10*time.Minute, 10*time.Minute+10*time.Second, 3000, 1)
	w.replicas = []*replica{{id: "first", ready: epoch}}
	w.run(15 * time.Minute)
	if before := w.answers[59].replicas; before != 1 {
		t.Errorf("%d replicas for one record a second", before)
	}
	if first := w.answers[61].replicas; first > 2 {
		t.Errorf("%d replicas at once after the burst: %s", first, w.answers[61].reason)
	}
	for i, a := range w.answers {
		if a.replicas > 12 { // 30,000 records in a minute are the work of 5 workers
			t.Fatalf("answer %d is %d replicas: %s", i, a.replicas, a.reason)
		}
	}
	if last := w.lags[len(w.lags)-1]; last > 200 {
		t.Errorf("lag %.0f in the end", last)
	}
}

// TestFirstReadingKeepsMembers: right after a start nothing has moved yet. That must not look like an idle
// group.
func TestFirstReadingKeepsMembers(t *testing.T) {
	j := newJudge(mustParse(t, nil))
	r := &reading{
		at: epoch, settled: true, members: []member{{id: "a"}, {id: "b"}},
		partitions: []position{
			{topicPartition: topicPartition{"t", 0}, committed: 9, end: 9}, {topicPartition: topicPartition{"t", 1}, committed: 9, end: 9},
		},
	}
	if a := j.decide(r); !a.active || a.replicas != 2 {
		t.Errorf("%d replicas, active %v, want the 2 that are there", a.replicas, a.active)
	}
	r.at = r.at.Add(10 * time.Second)
	if a := j.decide(r); a.active || a.replicas != 0 {
		t.Errorf("%d replicas, active %v, of a group at rest", a.replicas, a.active)
	}
}
