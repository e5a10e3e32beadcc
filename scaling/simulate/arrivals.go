package simulate

import (
	"math"
	"math/rand/v2"
	"time"
)

// arrivals holds when each record of each partition arrives, as a count per second, spread evenly within the
// second. Positions count from 0.
type arrivals struct {
	before [][]int32 // [partition][second]: records that arrived before that second
}

// drawArrivals draws counts around the trace's rate for tableSeconds seconds, or uses the exact rate when rng
// is nil. Nothing arrives after that.
func drawArrivals(t *Trace, rng *rand.Rand, tableSeconds int) *arrivals {
	shares := t.shares()
	a := &arrivals{before: make([][]int32, t.Partitions)}
	rates := make([]float64, tableSeconds)
	for sec := range rates {
		rates[sec] = t.rate(time.Duration(sec)*time.Second + time.Second/2)
	}
	var handed float64
	for p := range a.before {
		row := make([]int32, tableSeconds+1)
		// The backlog is split by shares so that it adds up.
		was := math.Round(handed * float64(t.Backlog))
		handed += shares[p]
		row[0] = int32(math.Round(handed*float64(t.Backlog)) - was)
		exact := 0.0
		for sec, rate := range rates {
			if rng == nil { // exactly the rate; partitions do not tick together
				exact += rate * shares[p]
				row[sec+1] = row[0] + int32(exact+float64(p)/float64(len(a.before)))
				continue
			}
			row[sec+1] = row[sec] + poisson(rng, rate*shares[p])
		}
		a.before[p] = row
	}
	return a
}

// arrived returns the number of records of partition p that have arrived by time at (seconds).
func (a *arrivals) arrived(p int, at float64) int32 {
	row := a.before[p]
	sec := int(at)
	if sec >= len(row)-1 {
		return row[len(row)-1]
	}
	n := row[sec+1] - row[sec]
	return row[sec] + int32((at-float64(sec))*float64(n)+0.500001)
}

// when returns the time at which the record at position k of partition p arrives, and whether that is within
// the table. hint is a second not later than that time.
func (a *arrivals) when(p int, k int32, hint int) (at float64, ok bool) {
	row := a.before[p]
	if k < row[0] {
		return 0, true
	}
	for sec := max(hint, 0); sec < len(row)-1; sec++ {
		if k < row[sec+1] {
			return float64(sec) + (float64(k-row[sec])+0.5)/float64(row[sec+1]-row[sec]), true
		}
	}
	return 0, false
}

// poisson draws a count: exactly for small means, from the normal distribution for large ones, where the
// difference does not matter.
func poisson(rng *rand.Rand, mean float64) int32 {
	if mean <= 0 {
		return 0
	}
	if mean > 50 {
		return int32(max(math.Round(mean+math.Sqrt(mean)*rng.NormFloat64()), 0))
	}
	limit, product, n := math.Exp(-mean), rng.Float64(), int32(0)
	for product > limit {
		product *= rng.Float64()
		n++
	}
	return n
}
