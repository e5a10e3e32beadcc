package meter

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A run of ordered values is counted like its single values, except for the sum, which is that of a straight line in each
// bucket.
func TestAddRunProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bounds := rapid.SliceOfNDistinct(rapid.Int64Range(-10, 1000), 1, 8, rapid.ID).Draw(t, "bounds")
		slices.Sort(bounds)
		values := rapid.SliceOfN(rapid.Int64Range(-20, 1100), 0, 50).Draw(t, "values")
		slices.Sort(values)
		if rapid.Bool().Draw(t, "falling") {
			slices.Reverse(values)
		}
		one, run := New(bounds...), New(bounds...)
		for _, v := range values {
			one.Add(v)
		}
		run.AddRun(len(values), func(i int) int64 { return values[i] })
		a, b := one.Read(1), run.Read(1)
		if !slices.Equal(a.Counts, b.Counts) {
			t.Fatalf("one by one %v, as a run %v", a.Counts, b.Counts)
		}
		if a.Count() != uint64(len(values)) {
			t.Fatalf("%d of %d counted", a.Count(), len(values))
		}
	})
}

func TestRead(t *testing.T) {
	h := New(1000, 2000)
	for _, v := range []int64{1, 1000, 1001, 2000, 2001, 9000} {
		h.Add(v)
	}
	got := h.Read(1000)
	if !slices.Equal(got.Counts, []uint64{2, 2, 2}) || !slices.Equal(got.Bounds, []float64{1, 2}) || got.Sum != 15.003 {
		t.Errorf("%+v", got)
	}
	for part, want := range map[float64]int64{0.3: 1000, 0.5: 2000, 0.6: 2000} {
		if bound, n, known := h.Most(part); bound != want || n != 6 || !known {
			t.Errorf("%v: %d of %d, %t", part, bound, n, known)
		}
	}
	if _, _, known := h.Most(0.9); known {
		t.Error("the bound of what is above the last one is known")
	}
	if _, n, known := New(1).Most(0); known || n != 0 {
		t.Error("an empty histogram knows a bound")
	}
}

func BenchmarkAdd(b *testing.B) {
	h := New(1, 10, 100, 1000, 10000, 100000)
	b.ReportAllocs()
	for i := range b.N {
		h.Add(int64(i))
	}
}
