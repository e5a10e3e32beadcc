package scaling

import "math"

// A demand is the number of workers that the assigned partitions can use.
//
// It is computed per partition, because a partition has at most one batch in flight: each adds the share of a
// worker that its arrivals and its backlog need, but never more than one. The same formula therefore covers a
// step load, a skewed key space and a hot partition.
type demand struct {
	lag      int64   // all unresolved records
	excess   float64 // of them, those neither in flight nor just arrived
	arrived  int64   // since the last sample
	lagging  int     // partitions with excess
	blocked  int     // partitions in backoff
	steady   float64 // workers that keep pace with the arrivals
	catchUp  float64 // workers that keep pace and drain the excess within the horizon
	useful   float64 // workers that would find work during the next moment
	slowest  float64 // seconds until the last partition is drained, one worker each
	hot      int     // index of the partition with the most excess, -1 for none
	hotShare float64 // its share of the excess
}

// measure sums the demand in one pass, without allocating. rate is the records per second of one worker, and
// invocation the seconds that a full batch takes. The excess should be gone within horizon seconds, and an
// idle worker should find work within moment seconds.
func measure(s *Sample, dt, batch, rate, invocation, horizon, moment float64) demand {
	d := demand{hot: -1}
	var most float64
	inFlight := batch * inFlightShare(s)
	for i := range s.Partitions {
		p := &s.Partitions[i]
		lag, arrived := max(p.Lag, 0), max(p.Arrived, 0)
		d.lag = sum(d.lag, lag)
		d.arrived = sum(d.arrived, arrived)
		if p.Blocked {
			d.blocked++
			continue
		}
		arrival := float64(arrived) / dt
		keepPace := min(arrival/rate, 1)
		d.steady += keepPace
		// A batch in flight, and what arrived since it was dispatched, are not a backlog.
		excess := float64(lag) - inFlight - arrival*invocation
		if excess <= 0 {
			d.catchUp += keepPace
			d.useful += keepPace
			continue
		}
		d.lagging++
		d.excess += excess
		if excess > most {
			most, d.hot = excess, i
		}
		d.catchUp += min(keepPace+excess/(rate*horizon), 1)
		d.useful += min(keepPace+excess/(rate*moment), 1)
		if spare := rate - arrival; spare > 0 {
			d.slowest = max(d.slowest, excess/spare)
		} else {
			d.slowest = forever.Seconds()
		}
	}
	if d.hot >= 0 {
		d.hotShare = most / d.excess
	}
	return d
}

// inFlightShare is the share of the partitions with lag that have a batch in flight. Another worker could not
// take those records.
func inFlightShare(s *Sample) float64 {
	withLag := 0
	for i := range s.Partitions {
		if p := &s.Partitions[i]; p.Lag > 0 && !p.Blocked {
			withLag++
		}
	}
	return min(float64(s.Busy)/float64(max(withLag, 1)), 1)
}

// drainTime estimates the seconds until the excess is gone with that many workers. All workers together or
// the slowest partition alone can be the limit.
func (d *demand) drainTime(workers int, rate, arrival float64) float64 {
	if d.excess <= 0 {
		return 0
	}
	spare := float64(workers)*rate - arrival
	if spare <= 0 {
		return forever.Seconds()
	}
	return max(d.excess/spare, d.slowest)
}

// Lag returns the total lag of all partitions. Negative lags count as 0.
func (s *Sample) Lag() int64 {
	var lag int64
	for i := range s.Partitions {
		lag = sum(lag, s.Partitions[i].Lag)
	}
	return lag
}

// Arrived returns the total arrivals of all partitions. Negative counts count as 0.
func (s *Sample) Arrived() int64 {
	var arrived int64
	for i := range s.Partitions {
		arrived = sum(arrived, s.Partitions[i].Arrived)
	}
	return arrived
}

// sum returns a + b, at most math.MaxInt64. a must not be negative; a negative b counts as 0.
func sum(a, b int64) int64 {
	if b = max(b, 0); a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
