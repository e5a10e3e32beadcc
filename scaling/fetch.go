package scaling

// fetching decides the number of pollers. A change costs a rebalance, so it needs evidence over some time,
// changes by one poller at a time, and a raise must have paid off before the next.
type fetching struct {
	now      float64
	bound    float64 // seconds during which fetching has been the bottleneck
	free     float64 // seconds during which it has not
	lag      int64   // when bound started
	done     float64 // records completed while bound
	perfetch float64 // records per second that one poller fetched while bound
	gain     float64 // records per second before the last raise
	raisedAt float64
	blocked  float64 // no raise before this time
}

const (
	fetchFor     = 10.0      // seconds of evidence before a raise
	fetchSettle  = 60.0      // seconds in which a rebalance must pay off
	fetchRelease = 5 * 60.0  // seconds without a bottleneck before a poller leaves
	fetchGiveUp  = 10 * 60.0 // seconds without a raise after one that gained nothing
	// littleBuffered is the buffer of a poller that counts as empty: less than one fetch of one partition
	// (Kafka's max.partition.fetch.bytes, 1 MiB).
	littleBuffered = 1 << 20
)

// decide returns the wanted pollers, and whether fetching is the bottleneck now.
func (f *fetching) decide(s *Sample, dt float64, d *demand, idle bool, drainTime float64) (pollers int, bound bool) {
	f.now += dt
	pollers = max(s.Capacity.Pollers, 1)
	b := s.Bounds
	bound = d.lagging > 0 && idle && s.Throttles == 0 && s.Errors == 0 &&
		s.BufferedBytes <= littleBuffered*int64(pollers)
	if !bound {
		f.bound = 0
		f.free += dt
		if d.lagging == 0 && f.free >= fetchRelease && pollers > b.MinimumPollers &&
			(f.perfetch == 0 || float64(d.arrived)/dt < 0.7*f.perfetch*float64(pollers-1)) {
			f.free = 0
			pollers--
		}
		return pollers, false
	}

	if f.bound == 0 {
		f.lag, f.done = d.lag, 0
	}
	f.free = 0
	f.bound += dt
	f.done += float64(s.Completed)
	if f.bound < fetchFor || f.now < f.blocked || f.now < f.raisedAt+fetchSettle && f.raisedAt > 0 {
		return pollers, true
	}
	speed := f.done / f.bound
	f.perfetch = speed / float64(pollers)
	if falls := float64(f.lag-d.lag) / f.bound; falls > 0 && float64(d.lag)/falls <= drainTime {
		return pollers, true // the lag drains in time without a change
	}
	f.bound = 0
	if f.raisedAt > 0 && speed < 1.1*f.gain {
		f.blocked, f.raisedAt = f.now+fetchGiveUp, 0 // the last raise gained nothing: the brokers are the limit
		return pollers, true
	}
	if pollers < b.MaximumPollers {
		f.gain, f.raisedAt = speed, f.now
		pollers++
	}
	return pollers, true
}
