package run

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/internal/verdict"
)

// step is one line of a script.
type step struct {
	op        string
	who, part int
	n         int
	d         time.Duration
}

func (s step) String() string {
	return fmt.Sprintf("%s who=%d part=%d n=%d d=%v", s.op, s.who, s.part, s.n, s.d)
}

// script holds the random choices.
type script struct {
	Partitions, Members int
	Seed                uint64
	Batch               int
	Window              time.Duration
	Retry               verdict.Policy
	FailPerMille        int
	Slow                time.Duration
	// Breaker: the members have circuit breakers; Nosy: hooks are slow, and handlers call the Runner.
	Breaker, Nosy bool
	// Old is how many records each partition holds before a group starts under LATEST, whose first steps are Begin; -1
	// means TRIM_HORIZON.
	Old   int
	Begin []step
	Steps []step
}

func drawScript(t *rapid.T) script {
	ops := []string{"produce", "produce", "produce", "gap", "compact", "wait", "wait", "wait", "revoke", "lose", "rebalance", "pause", "resume", "hammer", "cut",
		"stop", "crash", "restart", "failcommit", "hangcommit", "moveleader", "grow", "retention", "stopbroker", "failother", "heal"}
	oneOf := func(ops []string) *rapid.Generator[step] {
		return rapid.Custom(func(t *rapid.T) step {
			return step{
				op:   rapid.SampledFrom(ops).Draw(t, "op"),
				who:  rapid.IntRange(0, 2).Draw(t, "who"),
				part: rapid.IntRange(0, 3).Draw(t, "part"),
				n:    rapid.IntRange(1, 40).Draw(t, "n"),
				d:    time.Duration(rapid.IntRange(1, 4000).Draw(t, "ms")) * time.Millisecond,
			}
		})
	}
	old, begin := -1, []step(nil)
	if rapid.Bool().Draw(t, "latest") {
		old = rapid.IntRange(0, 5).Draw(t, "old")
		begin = rapid.SliceOfN(oneOf([]string{"produce", "produce", "wait", "wait", "revoke", "lose", "rebalance", "crash", "restart", "failcommit",
			"failother", "failother"}), 0, 12).Draw(t, "begin")
	}
	return script{
		Old: old, Begin: begin,
		Partitions:   rapid.IntRange(1, 4).Draw(t, "partitions"),
		Members:      rapid.IntRange(1, 3).Draw(t, "members"),
		Seed:         rapid.Uint64().Draw(t, "seed"),
		Batch:        rapid.SampledFrom([]int{1, 3, 10, 50}).Draw(t, "batch"),
		Window:       rapid.SampledFrom([]time.Duration{0, 100 * time.Millisecond, 2 * time.Second}).Draw(t, "window"),
		FailPerMille: rapid.SampledFrom([]int{0, 100, 500, 1000}).Draw(t, "fail"),
		Slow:         rapid.SampledFrom([]time.Duration{0, 300 * time.Millisecond, 20 * time.Second}).Draw(t, "slow"),
		Breaker:      rapid.Bool().Draw(t, "breaker"),
		Nosy:         rapid.Bool().Draw(t, "nosy"),
		Retry: verdict.Policy{
			MaximumRetryAttempts: rapid.SampledFrom([]int{-1, 0, 2}).Draw(t, "attempts"),
			Bisect:               rapid.Bool().Draw(t, "bisect"),
			Partial:              rapid.Bool().Draw(t, "partial"),
		},
		Steps: rapid.SliceOfN(oneOf(ops), 5, 60).Draw(t, "steps"),
	}
}
