package limit

import (
	"math/rand/v2"
	"time"
)

// Backoff is an exponential pause with jitter.
type Backoff struct{ First, Most time.Duration }

// After returns the pause after the n-th failure in a row, n ≥ 1: between half and the whole of First·2ⁿ⁻¹, bounded by
// Most. With a nil rng it is the whole.
func (b Backoff) After(n int, rng *rand.Rand) time.Duration {
	d := b.First
	for i := 1; i < n && d < b.Most; i++ {
		d *= 2
	}
	d = min(d, b.Most)
	if rng == nil || d < 2 {
		return d
	}
	return d/2 + time.Duration(rng.Int64N(int64(d/2)+1))
}
