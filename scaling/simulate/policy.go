package simulate

import (
	"time"

	"github.com/esm-go/esm/scaling"
)

// epoch is when virtual time starts. Policies use only differences.
var epoch = time.Unix(0, 0).UTC()

// sample asks the policy and applies its decision.
func (w *world) sample() {
	s := scaling.Sample{
		Time: epoch.Add(seconds(w.now)), Partitions: make([]scaling.Partition, len(w.partitions)),
		Completed: w.completed, Invocations: w.calls, Errors: w.errors, Throttles: w.throttles,
		BatchSize: w.trace.BatchSize, Busy: w.busy,
		Capacity: scaling.Capacity{Workers: w.target, Pollers: w.pollers},
	}
	if w.calls > 0 {
		s.InvocationTime = seconds(w.callTime / float64(w.calls))
	}
	for i := range w.partitions {
		p := &w.partitions[i]
		arrived := w.arrivals.arrived(i, w.now)
		s.Partitions[i] = scaling.Partition{
			Topic: w.trace.Name, Partition: int32(i), Lag: int64(arrived - p.done),
			Arrived: int64(arrived - p.seen), Blocked: p.blocked > w.now && !p.inFlight,
		}
		p.seen = arrived
		s.BufferedBytes += recordBytes * int64(w.available(i))
	}
	s.OldestAge = seconds(w.oldest(false))
	w.completed, w.calls, w.errors, w.throttles, w.callTime = 0, 0, 0, 0, 0

	d := w.policy.Decide(s)
	w.apply(d)
	w.events.push(event{at: w.now + d.Next.Seconds(), kind: sample})
}

func (w *world) apply(d scaling.Decision) {
	changed := d.Workers != w.target || d.Pollers != w.pollers
	if changed || d.Reason.Kind != w.lastKind {
		w.result.Decisions = append(w.result.Decisions, Marked{seconds(w.now), d})
		w.lastKind = d.Reason.Kind
	}
	if d.Workers != w.target {
		w.result.Changes++
		direction := 1
		if d.Workers < w.target {
			direction = -1
		}
		if w.direction == -direction {
			w.result.Reversals++
		}
		w.direction, w.target = direction, d.Workers
		if w.options.WorkerStart > 0 && d.Workers > w.workers {
			w.events.push(event{at: w.now + w.options.WorkerStart.Seconds(), kind: grow, of: d.Workers})
		} else {
			w.workers = d.Workers
		}
		w.stand(w.options.WorkerRebalance)
	}
	if d.Pollers != w.pollers {
		w.result.PollerChanges++
		w.pollers = d.Pollers
		pause := w.options.PollerRebalance
		if pause == 0 {
			pause = 3 * time.Second
		}
		w.stand(pause)
	}
}

// stand stops dispatching for a while.
func (w *world) stand(pause time.Duration) {
	if pause > 0 {
		w.standstill = max(w.standstill, w.now+pause.Seconds())
		w.events.push(event{at: w.standstill, kind: resume})
	}
}

// observe records the state: the lag, the age and, once a second, a point.
func (w *world) observe() {
	var lag int64
	for i := range w.partitions {
		lag += int64(w.arrivals.arrived(i, w.now) - w.partitions[i].done)
	}
	w.result.BacklogArea += float64(lag) * observeEvery
	w.result.MaximumLag = max(w.result.MaximumLag, lag)
	if whole := int(w.now); float64(whole) == w.now {
		w.result.MaximumAge = max(w.result.MaximumAge, seconds(w.oldest(true)))
		w.result.Points = append(w.result.Points, Point{
			At: seconds(w.now), Lag: lag, Arrival: w.trace.rate(min(seconds(w.now), w.trace.Duration)),
			Target: w.target, Workers: w.workers, Busy: w.busy, Pollers: w.pollers,
		})
	}
	w.events.push(event{at: w.now + observeEvery, kind: observe})
}

// oldest returns the age of the oldest unresolved record in seconds. blocked says whether blocked partitions
// count.
func (w *world) oldest(blocked bool) float64 {
	var age float64
	for i := range w.partitions {
		p := &w.partitions[i]
		if p.done >= w.arrivals.arrived(i, w.now) || !blocked && p.blocked > w.now {
			continue
		}
		if at, ok := w.arrivals.when(i, p.done, p.second); ok {
			p.second = int(at)
			age = max(age, w.now-at)
		}
	}
	return age
}
