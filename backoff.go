package esm

import (
	"math/rand/v2"
	"time"
)

// backoff is an exponential pause with jitter.
type backoff struct{ first, most time.Duration }

// after returns the pause after the n-th failure in a row, n ≥ 1: between half and the whole of first·2ⁿ⁻¹, bounded by
// most. A nil rng gives the whole.
func (b backoff) after(n int, rng *rand.Rand) time.Duration {
	d := b.first
	for i := 1; i < n && d < b.most; i++ {
		d *= 2
	}
	d = min(d, b.most)
	if rng == nil || d < 2 {
		return d
	}
	return d/2 + time.Duration(rng.Int64N(int64(d/2)+1))
}
