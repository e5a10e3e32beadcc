package model

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"
)

// step is one line of a script. It uses only the fields that it needs.
type step struct {
	op        string
	who, part int
	n         int
	d         time.Duration
}

func (s step) String() string {
	return fmt.Sprintf("{%q, %d, %d, %d, %d}", s.op, s.who, s.part, s.n, s.d)
}

// script holds everything that is random.
type script struct {
	Seed      uint64
	Processes int
	Topics    int // that exist at the start
	Parts     int // of each
	Pattern   bool
	Latest    bool
	Batch     int
	Window    int // seconds
	Attempts  int
	MaxAge    int // seconds, 0 = none
	Bisect    bool
	Partial   bool
	Filter    bool
	Fat       bool // records of 20 KB, over a budget of 1 MiB
	FailPer   int  // of a thousand
	Slow      time.Duration
	Timeout   time.Duration // WithInvocationTimeout
	Stop      time.Duration // WithStopTimeout
	Breaker   bool
	Nosy      bool // hooks are slow, handlers ask the Runner things
	Scale     bool // the number of pollers changes
	Old       int  // records in each partition before anybody reads
	Begin     []step
	Steps     []step
	// Destination: given-up records go to one. Gentle: partitions move only in orderly rebalances.
	Destination, Gentle bool
}

// Ops that a step can have; the more common ones are repeated.
var (
	common = []string{"produce", "produce", "produce", "produce", "tx", "wait", "wait", "wait", "wait", "observe"}
	events = []string{"gap", "compact", "retention", "cut", "cut", "moveleader", "grow", "make", "delete", "remake", "remake", "corrupt", "repair",
		"revoke", "revoke", "lose", "loserunning", "rebalance", "lookuprevoke", "lookuprevoke", "stop", "stopnow", "crash", "restart", "restart", "restart",
		"pause", "resume", "resume", "storm", "storm", "update", "pollers", "failcommit", "hangcommit", "failother", "stopbroker", "slowbroker", "heal", "heal"}
	early = []string{"produce", "produce", "wait", "wait", "revoke", "lose", "rebalance", "crash", "restart", "failcommit", "failother", "failother"}
)

func steps(least, most int, ops ...[]string) *rapid.Generator[[]step] {
	var all []string
	for _, o := range ops {
		all = append(all, o...)
	}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			op:   rapid.SampledFrom(all).Draw(t, "op"),
			who:  rapid.IntRange(0, 2).Draw(t, "who"),
			part: rapid.IntRange(0, 11).Draw(t, "part"),
			n:    rapid.IntRange(1, 30).Draw(t, "n"),
			d:    time.Duration(rapid.SampledFrom([]int{0, 1, 40, 400, 1500, 4000, 9000, 20000}).Draw(t, "ms")) * time.Millisecond,
		}
	}), least, most)
}

func scripts() *rapid.Generator[script] {
	return rapid.Custom(func(t *rapid.T) script {
		s := script{
			Seed:      rapid.Uint64().Draw(t, "seed"),
			Processes: rapid.IntRange(1, 3).Draw(t, "processes"),
			Topics:    rapid.IntRange(1, 2).Draw(t, "topics"),
			Parts:     rapid.IntRange(1, 3).Draw(t, "parts"),
			Pattern:   rapid.Bool().Draw(t, "pattern"),
			Latest:    rapid.IntRange(0, 3).Draw(t, "latest") == 3,
			Batch:     rapid.SampledFrom([]int{1, 3, 10, 100}).Draw(t, "batch"),
			Window:    rapid.SampledFrom([]int{0, 0, 1, 20}).Draw(t, "window"),
			Attempts:  rapid.SampledFrom([]int{-1, -1, 0, 1, 2}).Draw(t, "attempts"),
			MaxAge:    rapid.SampledFrom([]int{0, 0, 0, 60}).Draw(t, "age"),
			Bisect:    rapid.Bool().Draw(t, "bisect"),
			Partial:   rapid.Bool().Draw(t, "partial"),
			Filter:    rapid.IntRange(0, 3).Draw(t, "filter") == 3,
			Fat:       rapid.IntRange(0, 5).Draw(t, "fat") == 5,
			FailPer:   rapid.SampledFrom([]int{0, 100, 500}).Draw(t, "fail"),
			Slow:      time.Duration(rapid.SampledFrom([]int{0, 300, 5000, 40000}).Draw(t, "slow")) * time.Millisecond,
			Timeout:   time.Duration(rapid.SampledFrom([]int{0, 0, 0, 8}).Draw(t, "timeout")) * time.Second,
			Stop:      time.Duration(rapid.SampledFrom([]int{0, 12, 25}).Draw(t, "stop")) * time.Second,
			Breaker:   rapid.Bool().Draw(t, "breaker"),
			Nosy:      rapid.Bool().Draw(t, "nosy"),
			Scale:     rapid.IntRange(0, 2).Draw(t, "scale") == 2,
			Old:       rapid.IntRange(0, 5).Draw(t, "old"),
			Steps:     steps(40, 140, common, common, events).Draw(t, "steps"),
		}
		if s.Latest {
			s.Begin = steps(0, 10, early).Draw(t, "begin")
		}
		// Long steps are rare.
		switch n := rapid.IntRange(0, 399).Draw(t, "long"); {
		case n == 399:
			s.Steps = append(s.Steps, step{op: "day"})
		case n >= 389:
			s.Steps = append(s.Steps, step{op: "night"})
		}
		if s.Destination = rapid.Bool().Draw(t, "destination"); s.Destination {
			s.Gentle = rapid.Bool().Draw(t, "gentle")
			s.FailPer, s.Attempts = max(s.FailPer, 200), min(s.Attempts, 1) // so that there is something for it
		}
		if s.Gentle {
			s.Slow, s.Scale = s.Slow%time.Second, false
			s.Steps = slices.DeleteFunc(s.Steps, func(s step) bool { return slices.Contains(roughs, s.op) })
		}
		return s
	})
}
