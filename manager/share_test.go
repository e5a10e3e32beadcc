package manager_test

import (
	"testing"

	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/store/memory"
)

// TestShares checks how much each Runner may buffer as others start and end.
func TestShares(t *testing.T) {
	h := newHarness(t)
	m, _ := h.start(memory.New(), h.handlers, manager.WithBufferBytes(48<<20))
	shares := func(want int, ids ...string) {
		t.Helper()
		for _, id := range ids {
			within(t, "its share", func() bool {
				s, err := m.Status(id)
				return err == nil && s.BufferLimit == want
			})
		}
	}
	first := create(t, m, mapping("orders"))
	shares(48<<20, first)
	second := create(t, m, mapping("others"))
	shares(24<<20, first, second)
	h.broker.CreateTopic("third", 1)
	third := create(t, m, mapping("third"))
	shares(16<<20, first, second, third)
	if _, err := m.Delete(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	shares(24<<20, first, third)
}
