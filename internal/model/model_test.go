package model

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

var (
	seeds = flag.Int("model.seeds", 0, "how many scripts TestCampaign plays, 0 = it is skipped")
	first = flag.Int("model.first", 0, "the first seed of TestCampaign")
	keep  = flag.Int("model.keep", 5, "after how many failures TestCampaign ends")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble plays a script in its own bubble. One that does not settle within minutes of real time is spinning:
// time stands still in its bubble.
func bubble(t *testing.T, s script) (counts map[string]int, err error) {
	spins := time.AfterFunc(3*time.Minute, func() { panic("spins: " + s.String()) })
	defer spins.Stop()
	synctest.Test(t, func(*testing.T) { counts, err = play(s) })
	return counts, err
}

// TestModel plays a few scripts, always the same ones; TestCampaign plays others.
func TestModel(t *testing.T) {
	all := scripts()
	for seed := range 100 {
		s := all.Example(seed + 1)
		s.Steps = slices.DeleteFunc(s.Steps, func(s step) bool { return s.op == "night" || s.op == "day" }) // take long
		if _, err := bubble(t, s); err != nil {
			t.Errorf("seed %d: %v\n%s", seed, err, s)
		}
	}
}

// TestCampaign plays many scripts, and fails if one of the situations that the model exists for never came
// up.
func TestCampaign(t *testing.T) {
	if *seeds == 0 {
		t.Skip("a campaign is run with -model.seeds=10000 -timeout 0")
	}
	all, counts := scripts(), make(map[string]int)
	failed, played, began := 0, 0, time.Now()
	for seed := *first; seed < *first+*seeds; seed++ {
		s := all.Example(seed + 1)
		reached, err := bubble(t, s)
		for what, n := range reached {
			counts[what] += n
		}
		played += len(s.Begin) + len(s.Steps)
		if err != nil {
			t.Errorf("seed %d: %v\n%s", seed, err, shrink(t, s))
			if failed++; failed >= *keep {
				break
			}
		}
		if n := seed - *first + 1; n%100 == 0 {
			fmt.Fprintf(os.Stderr, "%d scripts, %d steps, %d failed, %v\n", n, played, failed, time.Since(began).Round(time.Second))
		}
	}
	var b strings.Builder
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "\n  %7d  %s", counts[what], what)
	}
	t.Logf("%d steps, and these situations:%s", played, b.String())
	if never := missed(counts); len(never) > 0 && failed == 0 {
		t.Errorf("never reached: %s", strings.Join(never, "; "))
	}
}

// shrink returns the shortest script found that still fails, and its failure.
func shrink(t *testing.T, s script) string {
	fails := func(s script) error {
		for range 2 {
			if _, err := bubble(t, s); err != nil {
				return err
			}
		}
		return nil
	}
	last := fails(s)
	deadline := time.Now().Add(time.Minute)
	for size := len(s.Steps) / 2; size > 0 && last != nil; size /= 2 {
		for from := 0; from < len(s.Steps) && time.Now().Before(deadline); {
			less := s
			less.Steps = slices.Delete(slices.Clone(s.Steps), from, min(from+size, len(s.Steps)))
			if err := fails(less); err != nil {
				s, last = less, err
			} else {
				from += size
			}
		}
	}
	for _, change := range []func(*script){
		func(s *script) { s.Begin = nil }, func(s *script) { s.Processes = 1 }, func(s *script) { s.Topics = 1 }, func(s *script) { s.Parts = 1 },
		func(s *script) { s.FailPer = 0 }, func(s *script) { s.Slow = 0 }, func(s *script) { s.Nosy = false }, func(s *script) { s.Scale = false },
		func(s *script) { s.Breaker = false }, func(s *script) { s.Filter = false }, func(s *script) { s.Old = 0 }, func(s *script) { s.Timeout = 0 },
		func(s *script) { s.MaxAge = 0 }, func(s *script) { s.Fat = false }, func(s *script) { s.Latest = false }, func(s *script) { s.Pattern = false },
		func(s *script) { s.Destination = false }, func(s *script) { s.Partial = false }, func(s *script) { s.Bisect = false }, func(s *script) { s.Window = 0 }, func(s *script) { s.Attempts = -1 },
	} {
		less := s
		if change(&less); time.Now().Before(deadline) && last != nil {
			if err := fails(less); err != nil {
				s, last = less, err
			}
		}
	}
	if last == nil {
		return "it does not fail again; the script:\n" + s.String()
	}
	return fmt.Sprintf("shortest: %v\n%s", last, s)
}

func (s script) String() string {
	steps := s.Steps
	s.Steps = nil
	var b strings.Builder
	type plain script
	fmt.Fprintf(&b, "%+v", plain(s))
	for i, st := range steps {
		fmt.Fprintf(&b, "\n\t%d %v", i, st)
	}
	return b.String()
}
