package limit

import "testing"

// While less than half of the budget is in use, a partition may hold any amount. Above that, it may hold its fair share
// of the other half. Partitions are fetched again when less than three eighths are in use.
func TestBytesBounds(t *testing.T) {
	var b Bytes
	b.Limit.Store(1000)
	b.Partitions.Store(10)
	if n := b.Share(); n != 50 {
		t.Fatalf("a share of %d, want 50", n)
	}
	for _, c := range []struct {
		used        int64
		held        int
		full, ample bool
	}{
		{0, 0, false, true}, {374, 374, false, true}, {375, 375, false, false}, {499, 499, false, false},
		{500, 49, false, false}, {500, 50, true, false}, {1000, 49, false, false}, {1000, 500, true, false},
	} {
		b.Used.Store(c.used)
		if full, ample := b.Full(c.held), b.Ample(); full != c.full || ample != c.ample {
			t.Errorf("%d in use, %d of them a partition's: full %t, ample %t", c.used, c.held, full, ample)
		}
	}
}
