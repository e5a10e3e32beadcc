package manager

import (
	"math/rand/v2"
	"time"
)

// backoff is a growing pause with jitter.
type backoff struct{ first, most time.Duration }

// after is the pause after that many failures in a row, 1 being the first.
func (b backoff) after(failures int) time.Duration {
	d := b.first
	for i := 1; i < failures && d < b.most; i++ {
		d *= 2
	}
	d = min(d, b.most)
	return d/2 + rand.N(d/2+1)
}
