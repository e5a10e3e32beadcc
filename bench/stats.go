package main

import (
	"fmt"
	"math"
	"slices"
)

// median returns the median of the figures, or NaN if there are none.
func median(list []float64) float64 { return quantile(list, 0.5) }

func quantile(list []float64, q float64) float64 {
	if len(list) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(list))
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 == len(sorted) {
		return sorted[low]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

func (r *runs) median(f func(result) float64) float64 {
	list := make([]float64, len(r.results))
	for i, one := range r.results {
		list[i] = f(one)
	}
	return median(list)
}

func (r *runs) rate() float64  { return r.median(result.rate) }
func (r *runs) nanos() float64 { return r.median(result.nanos) }
func (r *runs) peak() float64 {
	return r.median(func(r result) float64 { return float64(r.Peak) / (1 << 20) })
}

// ratio returns the median of the ratios of two contestants' runs. They are taken within each repetition, so
// that fluctuations of the machine cancel out.
func (c cell) ratio(a, b string, f func(result) float64) float64 {
	x, y := c.row(a), c.row(b)
	if x == nil || y == nil {
		return math.NaN()
	}
	var list []float64
	for i := range min(len(x.results), len(y.results)) {
		list = append(list, f(x.results[i])/f(y.results[i]))
	}
	return median(list)
}

func (c cell) row(name string) *runs {
	for _, r := range c.rows {
		if r.contestant.name == name {
			return r
		}
	}
	return nil
}

func millions(rate float64) string { return fmt.Sprintf("%.3f M", rate/1e6) }
