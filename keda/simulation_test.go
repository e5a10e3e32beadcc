package keda

import (
	"testing"
	"time"
)

func mustParse(tb testing.TB, extra map[string]string) *config {
	tb.Helper()
	cfg, err := parse(metadataOf(extra))
	if err != nil {
		tb.Fatal(err)
	}
	return cfg
}

// metadataOf returns what every trigger needs, plus extra; an empty value removes a field.
func metadataOf(extra map[string]string) map[string]string {
	metadata := map[string]string{"bootstrapServers": "localhost:9092", "consumerGroup": "g", "topics": "t"}
	for name, value := range extra {
		if value == "" {
			delete(metadata, name)
			continue
		}
		metadata[name] = value
	}
	return metadata
}

// between returns a load that is high for a while.
func between(from, to time.Duration, high, low float64) func(time.Duration) float64 {
	return func(at time.Duration) float64 {
		if at >= from && at < to {
			return high
		}
		return low
	}
}

// TestReplicasFollowALoad runs a service whose workers process 100 records/s through a load that rises and
// falls, and checks the answers to KEDA and their effect.
func TestReplicasFollowALoad(t *testing.T) {
	const minute = time.Minute
	for _, c := range []struct {
		name      string
		metadata  map[string]string
		load      func(time.Duration) float64
		commits   time.Duration
		replicas  int           // at the start
		peak      [2]int        // fewest and most that may be wanted at the peak
		caughtUp  time.Duration // when the lag must be gone for good
		settled   [2]int        // what must be wanted just before the load falls
		falls     time.Duration // when the load falls
		reversals int
	}{
		{
			name: "step, Drain", metadata: map[string]string{"minReplicas": "1", "maxReplicas": "20"},
			load: between(minute, 16*minute, 700, 20), replicas: 1,
			peak: [2]int{10, 20}, caughtUp: 5 * minute, settled: [2]int{8, 10}, falls: 16 * minute, reversals: 1,
		},
		{
			name: "step, Drain, commits every 7 s", metadata: map[string]string{"minReplicas": "1", "maxReplicas": "20"},
			load: between(minute, 16*minute, 700, 20), commits: 7 * time.Second, replicas: 1,
			peak: [2]int{10, 20}, caughtUp: 6 * minute, settled: [2]int{8, 14}, falls: 16 * minute, reversals: 3,
		},
		{
			name: "burst, Drain, from none, four workers a replica", metadata: map[string]string{"maxReplicas": "20", "workersPerReplica": "4"},
			load: between(minute, 70*time.Second, 20000, 0),
			peak: [2]int{8, 8}, caughtUp: 4 * minute, settled: [2]int{0, 0}, falls: 16 * minute, reversals: 1,
		},
		{
			name: "step, Lambda", metadata: map[string]string{"policy": "Lambda", "minReplicas": "1", "maxReplicas": "20"},
			load: between(minute, 16*minute, 700, 20), replicas: 1,
			peak: [2]int{10, 20}, caughtUp: 12 * minute, settled: [2]int{7, 9}, falls: 16 * minute, reversals: 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(mustParse(t, c.metadata), 32)
			w.arrival, w.commitEach = c.load, c.commits
			for range c.replicas {
				w.replicas = append(w.replicas, &replica{id: "first", ready: epoch})
			}
			w.run(30 * time.Minute)

			peak, reversals, direction := 0, 0, 0
			for i, a := range w.answers {
				peak = max(peak, a.replicas)
				if i == 0 || a.replicas == w.answers[i-1].replicas {
					continue
				}
				now := 1
				if a.replicas < w.answers[i-1].replicas {
					now = -1
				}
				if now == -direction {
					reversals++
				}
				direction = now
			}
			if peak < c.peak[0] || peak > c.peak[1] {
				t.Errorf("at most %d replicas were wanted, want %d to %d", peak, c.peak[0], c.peak[1])
			}
			if reversals > c.reversals {
				t.Errorf("%d reversals, want at most %d", reversals, c.reversals)
			}
			second := int(c.caughtUp.Seconds())
			// What arrives between two commits is not a backlog.
			most := 700*c.commits.Seconds() + 32*float64(w.judge.cfg.batchSize)
			for at, lag := range w.lags[second:] {
				if lag > most {
					t.Errorf("lag %.0f at %d s, want at most %.0f from %s on", lag, second+at, most, c.caughtUp)
					break
				}
			}
			if got := w.answers[int(c.falls/w.judge.cfg.interval)-1].replicas; got < c.settled[0] || got > c.settled[1] {
				t.Errorf("%d replicas wanted before the load falls, want %d to %d", got, c.settled[0], c.settled[1])
			}
			last := w.answers[len(w.answers)-1]
			if want := w.judge.cfg.minReplicas; last.replicas != want {
				t.Errorf("%d replicas wanted in the end, want %d: %s", last.replicas, want, last.reason)
			}
			if last.active != (c.load(29*time.Minute) > 0) {
				t.Errorf("active is %v in the end", last.active)
			}
		})
	}
}

// TestRestartKeepsReplicas makes a new judge take over in the middle. It knows nothing of the past and must
// not remove replicas that are needed.
func TestRestartKeepsReplicas(t *testing.T) {
	cfg := mustParse(t, map[string]string{"minReplicas": "1", "maxReplicas": "20"})
	w := newWorld(cfg, 32)
	w.arrival = between(0, time.Hour, 700, 0)
	w.replicas = []*replica{{id: "first", ready: epoch}}
	w.run(10 * time.Minute)
	before := len(w.answers)
	w.judge = newJudge(cfg)
	w.run(10 * time.Minute)
	for i, a := range w.answers[before:] {
		if a.replicas < 8 {
			t.Fatalf("answer %d after the restart is %d replicas, want 8 or more: %s", i, a.replicas, a.reason)
		}
	}
}

// TestTooManyReplicasAreGivenBack starts with replicas that are never saturated, so that only a bound of a
// worker's throughput is known.
func TestTooManyReplicasAreGivenBack(t *testing.T) {
	w := newWorld(mustParse(t, map[string]string{"minReplicas": "1", "maxReplicas": "20"}), 32)
	w.arrival = between(0, time.Hour, 20, 0)
	for range 16 {
		w.replicas = append(w.replicas, &replica{id: time.Duration(len(w.replicas)).String(), ready: epoch})
	}
	w.run(20 * time.Minute)
	if got := w.answers[len(w.answers)-1].replicas; got > 4 {
		t.Errorf("%d replicas are wanted for a fifth of one's load: %s", got, w.answers[len(w.answers)-1].reason)
	}
}

// TestHotPartitionGetsNoReplicas: a partition has one batch in flight, so more replicas do not help.
func TestHotPartitionGetsNoReplicas(t *testing.T) {
	w := newWorld(mustParse(t, map[string]string{"minReplicas": "1", "maxReplicas": "20"}), 32)
	w.arrival = between(0, time.Hour, 150, 0)
	w.share = func(p int) float64 {
		if p == 0 {
			return 1
		}
		return 0
	}
	w.replicas = []*replica{{id: "first", ready: epoch}}
	w.run(10 * time.Minute)
	for i, a := range w.answers {
		if a.replicas > 2 {
			t.Fatalf("answer %d is %d replicas for one partition: %s", i, a.replicas, a.reason)
		}
	}
}

// TestHPAArithmetic shows the HPA's result with target 1: with its tolerance of 10 % it reaches every number
// up to 9, and stays within a tenth above that; with tolerance 0 it reaches every number.
func TestHPAArithmetic(t *testing.T) {
	for current := 1; current <= 60; current++ {
		for want := 1; want <= 60; want++ {
			got := hpaReplicas(current, want, 0.1)
			if diff := want - current; current <= 9 && got != want {
				t.Errorf("from %d to %d the HPA goes to %d", current, want, got)
			} else if got != want && 10*max(diff, -diff) > current {
				t.Errorf("from %d to %d the HPA goes to %d, over a tenth away", current, want, got)
			}
			if got := hpaReplicas(current, want, 0); got != want {
				t.Errorf("with tolerance 0 from %d to %d the HPA goes to %d", current, want, got)
			}
		}
	}
}
