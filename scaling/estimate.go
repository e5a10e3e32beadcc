package scaling

import (
	"math"
	"time"
)

// An estimator learns what one worker does, from what invocations took.
//
// An invocation of n records takes about a + b*n. The two are fitted by least
// squares over the samples, weighted by the time that workers were busy and
// forgotten with memory; while batches do not differ in size the last b that
// was learned holds, and 0 before that. 0 is on the optimistic side, and on
// purpose: with too few workers batches fill up, and full batches are exactly
// the data that correct the estimate, while with too many nothing would ever be
// learned.
type estimator struct {
	weight, n, d, nn, nd float64 // sums of w, w*n, w*d, w*n*n, w*n*d
	batch                float64 // the records of a full batch
	last                 float64 // the latest mean invocation time, seconds
	quiet                float64 // seconds since an invocation last returned
	slope                float64 // b, as last learned from batches that differed
	learned              bool    // slope was learned, it is not the 0 of the start
	anew                 bool    // the last sample showed another handler than before
	calm                 int     // samples in a row in which nothing else changed
	base                 float64 // mean invocation time of the last calm samples
	workers              int     // of the last sample
	arrival              float64 // of the last sample, records per second
	odd                  int     // samples in a row that the fit was far from
}

const (
	// memory is the time in which an observation loses 1-1/e of its weight.
	memory = 15.0
	// priorWeight is how much the prior b counts, as a deviation of the batch size
	// relative to the full batch: batches that differ by less teach little.
	priorWeight = 0.05
	// calmSamples is how many calm samples, see settle, there must have been.
	calmSamples = 15
	// failing is the share of failed invocations from which their times say
	// nothing about those that succeed.
	failing = 0.5
)

// observe takes a sample that covers dt seconds.
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
		return // an outlier or the first of a new kind: the next sample tells
	case 2:
		e.odd = 0
		if e.calm >= calmSamples {
			e.slope *= e.last / e.base
			e.calm = 0
		} else {
			e.slope *= e.last / e.of(n)
		}
		keep = 0 // the handler is another one than before: begin anew
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
		e.learned = e.learned || variance > 20*e.prior() // the prior's part in it is small
	}
}

// moments are the mean batch, the mean time, and the variance of the batches.
func (e *estimator) moments() (n, d, variance float64) {
	n, d = e.n/e.weight, e.d/e.weight
	return n, d, max(e.nn/e.weight-n*n, 0)
}

func (e *estimator) prior() float64 { return priorWeight * priorWeight * e.batch * e.batch }

// fit is b: between 0 and what leaves nothing for a.
func (e *estimator) fit() float64 {
	n, d, variance := e.moments()
	if e.calm >= calmSamples {
		return min(e.slope, d/n) // batches that follow from their time teach nothing, see settle
	}
	b := (e.nd/e.weight - n*d + e.prior()*e.slope) / (variance + e.prior())
	return min(max(b, 0), d/n)
}

// settle counts the samples in a row in which neither the workers nor the
// arrivals changed and there was no backlog. Then a batch holds what arrives
// while its worker is busy: its size follows from its time, not the time from
// its size, and another time can only mean another handler.
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
		e.base += (e.last - e.base) * 0.3 // follows what drifts; a handler changes at once
	}
	e.workers, e.arrival = s.Capacity.Workers, arrival
}

// surprise counts the samples in a row, of several invocations each, that took a
// quarter less or a third more than the fit says. At the second the handler is
// another one.
func (e *estimator) surprise(n float64, invocations int64) int {
	if e.weight == 0 || invocations < 8 {
		return 0
	}
	low, high := e.of(n), e.of(n)
	switch {
	case e.calm >= calmSamples:
		low, high = e.base/1.2, e.base*1.2 // batches swing a little by themselves
	case !e.learned:
		// What a record costs is not known: anything from nothing to all of it
		// would be the same handler with other batches.
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

// known reports whether anything was learned yet.
func (e *estimator) known() bool { return e.weight > 0 }

// invocation is the estimated time of an invocation with a full batch, seconds.
func (e *estimator) invocation() float64 { return e.of(e.batch) }

// of is the estimated time of an invocation of so many records, seconds.
func (e *estimator) of(records float64) float64 {
	n, d, _ := e.moments()
	return max(d+e.fit()*(records-n), 0.01*d)
}

// rate is the records per second of one worker with full batches.
func (e *estimator) rate() float64 { return e.batch / e.invocation() }

// A smoother follows a noisy value: its mean with a time constant, and the
// highest mean within a window (in a ring of fixed size), so that a decision to
// shrink looks back at what was needed a moment ago.
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

// elapsed is the time between two samples in seconds, within reason: a policy
// that runs without a [Guard] must not be upset by a clock either.
func elapsed(from, to time.Time) float64 {
	if from.IsZero() {
		return 1
	}
	return min(max(to.Sub(from).Seconds(), 0.001), longestStep.Seconds())
}
