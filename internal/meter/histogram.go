// Package meter counts distributions of values, concurrently and without a lock.
package meter

import (
	"sync/atomic"

	"github.com/esm-go/esm/observe"
)

// Histogram counts values in buckets. It is safe for concurrent use; adding a value allocates nothing.
type Histogram struct {
	bounds []int64 // upper ones, inclusive, rising
	counts []atomic.Int64
	sum    atomic.Int64
}

// New returns a histogram with the given upper bounds of its buckets. One more bucket holds what is above the last.
func New(bounds ...int64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Int64, len(bounds)+1)}
}

// Bucket returns the index of the bucket of a value.
func (h *Histogram) Bucket(v int64) int {
	i, j := 0, len(h.bounds)
	for i < j {
		if k := (i + j) / 2; v > h.bounds[k] {
			i = k + 1
		} else {
			j = k
		}
	}
	return i
}

// Add counts one value.
func (h *Histogram) Add(v int64) { h.add(h.Bucket(v), 1, v) }

func (h *Histogram) add(bucket int, n, sum int64) {
	h.counts[bucket].Add(n)
	h.sum.Add(sum)
}

// AddRun counts n values that rise or fall from the first to the last, without looking at each. If two values are in the
// same bucket, so are those between them; their sum is estimated from the mean of the two.
func (h *Histogram) AddRun(n int, value func(int) int64) {
	if n > 0 {
		h.addRun(0, n-1, value)
	}
}

func (h *Histogram) addRun(i, j int, value func(int) int64) {
	first, last := value(i), value(j)
	if b := h.Bucket(first); b == h.Bucket(last) {
		n := int64(j - i + 1)
		h.add(b, n, first*n+(last-first)*n/2)
		return
	}
	k := (i + j) / 2 // below j
	h.addRun(i, k, value)
	h.addRun(k+1, j, value)
}

// Most returns a bound that the given part of the values does not exceed, and the number of values. known is false if
// there are no values, or that part exceeds the highest bound.
func (h *Histogram) Most(part float64) (bound, n int64, known bool) {
	for i := range h.counts {
		n += h.counts[i].Load()
	}
	seen := int64(0)
	for i := range h.bounds {
		if seen += h.counts[i].Load(); n > 0 && float64(seen) >= part*float64(n) {
			return h.bounds[i], n, true
		}
	}
	return 0, n, false
}

// Read returns what was counted. Values are divided by unit.
func (h *Histogram) Read(unit float64) observe.Histogram {
	r := observe.Histogram{Bounds: make([]float64, len(h.bounds)), Counts: make([]uint64, len(h.counts)), Sum: float64(h.sum.Load()) / unit}
	for i, b := range h.bounds {
		r.Bounds[i] = float64(b) / unit
	}
	for i := range h.counts {
		r.Counts[i] = uint64(h.counts[i].Load()) //nolint:gosec // never negative
	}
	return r
}
