package scaling

import (
	"math"
	"time"
)

// An overload is the limit on workers that follows from the function's own responses. It decreases
// multiplicatively on throttles, on failures and on invocations that slow down as workers rise, and recovers
// slowly and additively.
//
// A throttled function is never cut below what it was just seen to serve, so a function with a limit of K is
// held at K and not at a fraction of it.
type overload struct {
	ceiling float64 // workers; 0 means none
	kind    Kind
	now     float64 // seconds since the first sample
	since   float64 // when the ceiling was set
	probeAt float64 // when to try more workers
	wait    float64 // between attempts; doubles after each failed one
	step    float64 // of the next attempt
	served  smoother

	// the last raise, to see whether it helped
	raised, target int
	raisedAt       float64
	before, speed  float64 // invocation time, records per busy second
	jump           int     // samples in a row in which invocations got slower
	last           float64 // records per busy second of the previous sample

	why Reason // the numbers of the last cut
}

const (
	throttleShare = 0.01 // of the calls: less is noise
	decrease      = 0.7  // as in CUBIC (RFC 9438, section 4.6)
	cleanTry      = 5.0  // seconds that an attempt must stay clean before the next, larger one
	longestWait   = 30 * 60
	raiseWatched  = 10.0 // seconds after a raise in which slower invocations are attributed to it
)

// observe adds a sample that covers dt seconds with that many workers, and lowers or raises the ceiling.
// saturated says that every worker had work to do.
func (o *overload) observe(s *Sample, dt float64, workers int, probeAfter float64, saturated bool) {
	o.now += dt
	calls := s.Invocations + s.Throttles
	d := s.InvocationTime.Seconds()
	o.served.add(float64(s.Invocations-s.Errors)*d/dt, dt, 0)
	speed := 0.0
	if s.Invocations > 0 && d > 0 {
		speed = float64(s.Completed) / (float64(s.Invocations) * d)
	}
	defer func() {
		if speed > 0 {
			o.last = speed
		}
	}()
	if speed > 0 && speed < 0.77*o.last {
		o.jump++
	} else {
		o.jump = 0
	}

	switch {
	case s.Throttles > 0 && float64(s.Throttles) > throttleShare*float64(calls):
		served := math.Ceil(o.served.highest(10))
		o.cut(Throttled, s, workers, max(decrease*float64(workers), served), probeAfter)
	case s.Invocations > 0 && float64(s.Errors) >= failing*float64(s.Invocations):
		o.cut(Failing, s, workers, decrease*float64(workers), probeAfter)
	case o.slowed(s, saturated, speed, d):
		served := math.Ceil(float64(o.target) * speed / o.speed)
		o.why.Before, o.why.Now = seconds(o.before), s.InvocationTime
		o.raised = 0
		o.cut(Slowing, s, workers, max(float64(o.target)*0.1, served), probeAfter)
	case o.ceiling > 0 && s.Invocations > 0:
		o.recover(s, workers)
	}
}

// slowed reports whether the last raise gained less than half of what it added: invocations got slower
// instead, so the bottleneck is behind the handler.
func (o *overload) slowed(s *Sample, saturated bool, speed, d float64) bool {
	if o.raised == 0 || speed == 0 || o.now < o.raisedAt+max(2, 2*d) {
		return false
	}
	if o.now > o.raisedAt+raiseWatched {
		o.raised = 0 // the raise has proved itself, or the work ran out first
		return false
	}
	if !saturated {
		return false
	}
	added := float64(o.target)/float64(o.raised) - 1
	gained := float64(o.target)*speed/(float64(o.raised)*o.speed) - 1
	// Both must show it. Smaller batches alone lower the records per second of a worker, and larger ones
	// alone lengthen an invocation.
	return d > 1.5*o.before && speed < 0.67*o.speed && gained < added/2 && s.Errors == 0
}

// raise records what a worker achieved before a raise. Only a sample in which all workers were busy with a
// backlog can be compared with a later one.
func (o *overload) raise(s *Sample, from, to int, saturated bool) {
	if o.raised > 0 { // one raise in several steps: the first is the one to compare with
		o.target, o.raisedAt = to, o.now
		return
	}
	d := s.InvocationTime.Seconds()
	if !saturated || s.Invocations == 0 || s.Completed == 0 || d <= 0 {
		return
	}
	o.raised, o.target, o.raisedAt = from, to, o.now
	o.before, o.speed = d, float64(s.Completed)/(float64(s.Invocations)*d)
}

// hold reports whether a raise should wait, for at most three samples: invocations are getting slower right
// now, and the time at which they settle decides how many workers are needed.
func (o *overload) hold() bool { return o.jump > 0 && o.jump <= 3 }

func (o *overload) cut(kind Kind, s *Sample, workers int, ceiling, probeAfter float64) {
	if o.wait == 0 || o.kind != kind {
		o.wait = probeAfter
	} else if o.step > 0 { // an attempt failed
		o.wait = min(2*o.wait, longestWait)
	}
	if o.ceiling == 0 || o.kind != kind {
		o.since = o.now
	}
	o.ceiling = max(min(math.Floor(ceiling), float64(workers-1)), 1)
	o.kind, o.step, o.probeAt = kind, 0, o.now+o.wait
	o.why.Kind = kind
	o.why.Invocations, o.why.Errors, o.why.Throttles = s.Invocations, s.Errors, s.Throttles
}

// recover raises the ceiling after a clean sample. A handler that failed outright revealed nothing about
// concurrency, so its ceiling doubles from sample to sample. Any other limit is probed with one more worker
// after a wait, and then with larger steps as long as the samples stay clean.
func (o *overload) recover(s *Sample, workers int) {
	limit := float64(s.Bounds.MaximumWorkers)
	switch {
	case o.kind == Failing:
		o.ceiling *= 2
	case o.now >= o.probeAt && float64(workers) >= o.ceiling:
		o.step = max(2*o.step, 1)
		o.ceiling += o.step
		o.probeAt = o.now + cleanTry
	}
	if o.ceiling >= limit {
		*o = overload{now: o.now, served: o.served, last: o.last, wait: o.wait, kind: o.kind}
	}
}

// limit applies the ceiling, and returns the reason if the ceiling binds. While the handler fails, that is
// always the reason, whatever the demand: most partitions are then in backoff and seem to need nothing.
func (o *overload) limit(workers int) (int, Reason, bool) {
	if o.ceiling == 0 || float64(workers) <= o.ceiling && o.kind != Failing {
		return workers, Reason{}, false
	}
	why := o.why
	why.Ceiling = int(o.ceiling)
	why.Age = time.Duration((o.now - o.since) * float64(time.Second))
	return min(workers, int(o.ceiling)), why, true
}
