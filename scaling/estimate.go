package scaling

import (
	"math"
	"time"
)

// An estimator learns the throughput of one worker from invocation times.
//
// An invocation of n records takes about a + b*n. a and b are fitted by least squares over the samples,
// weighted by busy time, and the weights decay with memory. While all batches have the same size, the last
// learned b holds (0 before that). 0 is deliberately optimistic: with too few workers batches fill up, and
// full batches are the data that correct the estimate. With too many workers nothing would ever be learned.
type estimator struct {
	weight, n, d, nn, nd float64 // sums of w, w*n, w*d, w*n*n, w*n*d
	batch                float64 // the records of a full batch
	last                 float64 // the latest mean invocation time, seconds
	quiet                float64 // seconds since an invocation last returned
	slope                float64 // b, as last learned from batches that differed
	learned              bool    // slope was learned; it is not the initial 0
	anew                 bool    // the last sample showed that the handler has changed
	calm                 int     // samples in a row without any other change
	base                 float64 // mean invocation time of the last calm samples
	workers              int     // of the last sample
	arrival              float64 // of the last sample, records per second
	odd                  int     // samples in a row that were far from the fit
}

const (
	// memory is the time in which an observation loses 1-1/e of its weight.
	memory = 15.0
	// priorWeight is the weight of the prior b, as a deviation of the batch size relative to the full batch.
	// Batches that differ by less say little.
	priorWeight = 0.05
	// calmSamples is how many samples in a row must be calm, see settle.
	calmSamples = 15
	// failing is the share of failed invocations from which the times say nothing about successful ones.
	failing = 0.5
)

// observe adds a sample that covers dt seconds.
func (e *estimator) observe(s *Sample, dt float64) {
	if s.BatchSize > 0 {
		e.batch = float64(s.BatchSize)
	}
	if s.Invocations == 0 {
		if s.Busy > 0 {
			e.quiet += dt
		} else {
			e.quiet = 0
		}
		return
	}
	e.quiet, e.anew = 0, false
	if float64(s.Errors) >= failing*float64(s.Invocations) || s.Completed == 0 || s.InvocationTime <= 0 {
		return
	}
	e.last = s.InvocationTime.Seconds()
	n := float64(s.Completed) / float64(s.Invocations)
	e.batch = max(e.batch, n)
	keep := math.Exp(-dt / memory)
	odd := e.surprise(n, s.Invocations)
	e.settle(s, dt)
	switch odd {
	case 1:
		return // an outlier, or the first sample of a changed handler: the next one tells
	case 2:
		e.odd = 0
		if e.calm >= calmSamples {
			e.slope *= e.last / e.base
			e.calm = 0
		} else {
			e.slope *= e.last / e.of(n)
		}
		keep = 0 // the handler has changed: start over
		e.anew = true
	}
	w := float64(s.Invocations) * e.last
	e.weight = e.weight*keep + w
	e.n = e.n*keep + w*n
	e.d = e.d*keep + w*e.last
	e.nn = e.nn*keep + w*n*n
	e.nd = e.nd*keep + w*n*e.last
	if _, _, variance := e.moments(); variance > 2*e.prior() && e.calm < calmSamples {
		e.slope = e.fit()
		e.learned = e.learned || variance > 20*e.prior() // the prior contributes little to it
	}
}

// moments returns the mean batch size, the mean time, and the variance of the batch size.
func (e *estimator) moments() (n, d, variance float64) {
	n, d = e.n/e.weight, e.d/e.weight
	return n, d, max(e.nn/e.weight-n*n, 0)
}

func (e *estimator) prior() float64 { return priorWeight * priorWeight * e.batch * e.batch }

// fit returns b, between 0 and the value that leaves nothing for a.
func (e *estimator) fit() float64 {
	n, d, variance := e.moments()
	if e.calm >= calmSamples {
		return min(e.slope, d/n) // such batch sizes follow from the time and say nothing, see settle
	}
	b := (e.nd/e.weight - n*d + e.prior()*e.slope) / (variance + e.prior())
	return min(max(b, 0), d/n)
}

// settle counts the samples in a row in which neither the workers nor the arrivals changed and there was no
// backlog. In that state a batch holds what arrives while its worker is busy: the size follows from the time,
// not the time from the size. A different time can then only mean that the handler has changed.
func (e *estimator) settle(s *Sample, dt float64) {
	arrival := float64(s.Arrived()) / dt
	calm := float64(s.Lag()) <= 2.5*e.batch*float64(s.Capacity.Workers)
	same := s.Capacity.Workers == e.workers && arrival > 0.75*e.arrival && arrival < 1.33*e.arrival
	if calm && same {
		e.calm++
	} else {
		e.calm = 0
	}
	switch {
	case e.calm == 0:
		e.base = e.last
	case e.odd == 0:
		e.base += (e.last - e.base) * 0.3 // follows a drift; a changed handler shows at once
	}
	e.workers, e.arrival = s.Capacity.Workers, arrival
}

// surprise counts the samples in a row, of at least 8 invocations each, that took a quarter less or a third
// more than the fit predicts. The second one means that the handler has changed.
func (e *estimator) surprise(n float64, invocations int64) int {
	if e.weight == 0 || invocations < 8 {
		return 0
	}
	low, high := e.of(n), e.of(n)
	switch {
	case e.calm >= calmSamples:
		low, high = e.base/1.2, e.base*1.2 // batch sizes vary a little by themselves
	case !e.learned:
		// The cost per record is not known. Any value from nothing to the whole time would be the same
		// handler with different batches.
		mean, d, _ := e.moments()
		low, high = d*min(n/mean, 1), d*max(n/mean, 1)
	}
	if e.last > 0.75*low && e.last < 1.33*high {
		e.odd = 0
	} else {
		e.odd++
	}
	return e.odd
}

// known reports whether anything has been learned yet.
func (e *estimator) known() bool { return e.weight > 0 }

// invocation returns the estimated seconds of an invocation with a full batch.
func (e *estimator) invocation() float64 { return e.of(e.batch) }

// of returns the estimated seconds of an invocation with that many records.
func (e *estimator) of(records float64) float64 {
	n, d, _ := e.moments()
	return max(d+e.fit()*(records-n), 0.01*d)
}

// rate returns the records per second of one worker with full batches.
func (e *estimator) rate() float64 { return e.batch / e.invocation() }

// A smoother follows a noisy value: its mean with a time constant, and the highest mean within a window (in a
// ring of fixed size), so that a decision to shrink considers what was needed a moment ago.
type smoother struct {
	mean   float64
	primed bool
	recent [8]struct{ at, value float64 }
	next   int
	now    float64
}

func (f *smoother) add(value, dt, constant float64) {
	f.now += dt
	if !f.primed {
		f.mean, f.primed = value, true
	} else {
		f.mean += (value - f.mean) * (1 - math.Exp(-dt/constant))
	}
	f.recent[f.next].at, f.recent[f.next].value = f.now, f.mean
	f.next = (f.next + 1) % len(f.recent)
}

func (f *smoother) highest(window float64) float64 {
	top := f.mean
	for i := range f.recent {
		if r := &f.recent[i]; r.value > top && f.now-r.at <= window {
			top = r.value
		}
	}
	return top
}

// elapsed returns the seconds between two samples, limited to a plausible range: a clock jump must not upset
// a policy that runs without a [Guard] either.
func elapsed(from, to time.Time) float64 {
	if from.IsZero() {
		return 1
	}
	return min(max(to.Sub(from).Seconds(), 0.001), longestStep.Seconds())
}
