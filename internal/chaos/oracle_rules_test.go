package chaos

import (
	"strings"
	"testing"
)

// TestJudge tests the oracle itself: each case breaks one rule and nothing else.
func TestJudge(t *testing.T) {
	good := func() *history {
		return &history{
			held: map[int32][]int64{0: {0, 1, 3, 4}},
			handled: []batch{
				{process: "a", begin: 1000, end: 2000, offsets: []int64{0, 1}},
				{process: "a", begin: 3000, end: 4000, offsets: []int64{3, 4}},
			},
			commits: map[int32][]commit{0: {{at: 0, offset: 0}, {at: 2, offset: 2}, {at: 4, offset: 5}}},
		}
	}
	for _, c := range []struct {
		name  string
		wrong func(h *history)
		want  string
	}{
		{"nothing", func(*history) {}, ""},
		{"lost", func(h *history) { h.held[0] = []int64{0, 1, 3, 4, 5} }, "offset 5 was lost"},
		{"invented", func(h *history) { h.held[0] = []int64{0, 1, 3} }, "handled and is not held"},
		{"committed early", func(h *history) { h.commits[0][2].at = 3 }, "committed 1 ms before"},
		{"committed back", func(h *history) { h.commits[0] = append(h.commits[0], commit{at: 5, offset: 2}) }, "went back from 5 to 2"},
		{"out of order", func(h *history) { h.handled[1].begin = 1500 }, "handed over"},
		{"repeated", func(h *history) {
			h.handled = append(h.handled, batch{process: "b", begin: 5000, end: 6000, offsets: []int64{3, 4}})
		}, "handled again with no cause"},
		{"repeated after a fault", func(h *history) {
			h.handled = append(h.handled, batch{process: "b", begin: 5000, end: 6000, offsets: []int64{3, 4}})
			h.faults = []span{{"kill", 3500, 4500}}
		}, ""},
	} {
		h := good()
		c.wrong(h)
		got := strings.Join(h.judge(), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
