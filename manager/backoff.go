package manager

import (
	"math/rand/v2"
	"time"
)

// backoff is a growing pause with jitter.
type backoff struct{ first, most time.Duration }

// after returns the pause after the given number of consecutive failures, starting at 1.
func (b backoff) after(failures int) time.Duration {
	d := b.first
	for i := 1; i < failures && d < b.most; i++ {
		d *= 2
	}
	d = min(d, b.most)
	return d/2 + rand.N(d/2+1)
}
