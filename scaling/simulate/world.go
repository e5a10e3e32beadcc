package simulate

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/esm-go/esm/scaling"
)

// A world is a running simulation. Times are seconds since the start.
type world struct {
	trace    *Trace
	options  Options
	policy   scaling.Policy
	rng      *rand.Rand
	arrivals *arrivals
	result   *Result

	now, end, limit float64
	events          events
	partitions      []partition
	ready           queue // partitions that could give a batch, oldest record first
	invocations     []invocation
	free            []int // unused invocations

	workers, target int
	pollers, busy   int
	running         int // invocations that the function accepted
	standstill      float64
	remaining       int64 // records from before Settles, unresolved
	direction       int
	settles         float64
	lastKind        scaling.Kind

	// counts since the last sample
	completed, calls, errors, throttles int64
	callTime                            float64
}

// A partition of the simulated topic. Positions count records from 0.
type partition struct {
	done, taken, fetched, seen int32
	second                     int   // where the search for the oldest record continues
	due                        int32 // positions below it arrived before Settles
	inFlight, ready, waking    bool
	blocked                    float64 // until that time
	failures                   int
	jitter                     *rand.Rand
}

type invocation struct {
	parts    []part
	took     float64
	failed   bool
	throttle bool
}

type part struct {
	partition int
	records   int32
}

type eventKind int8

const (
	wake    eventKind = iota // a partition may have a record to give
	finish                   // an invocation ends
	sample                   // the policy is asked
	observe                  // the state is recorded
	grow                     // workers start
	fetch                    // pollers fetch
	resume                   // a rebalance is over
)

const (
	observeEvery  = 0.25
	fetchEvery    = 0.1
	throttleTime  = 0.005
	throttlePause = 1.0
	firstBackoff  = 1.0
	longBackoff   = 30.0
	recordBytes   = 1000
)

func (w *world) start() {
	w.partitions = make([]partition, w.trace.Partitions)
	w.settles = w.trace.Settles.Seconds()
	b := w.trace.Bounds.Resolve(w.trace.Partitions)
	w.workers, w.target, w.pollers = b.MinimumWorkers, b.MinimumWorkers, b.MinimumPollers
	for i := range w.partitions {
		p := &w.partitions[i]
		p.due = w.arrivals.arrived(i, w.settles)
		p.jitter = rand.New(rand.NewPCG(w.options.Seed, uint64(i)+2))
		w.remaining += int64(p.due)
		p.seen = w.arrivals.arrived(i, 0)
		w.offer(i)
	}
	w.events.push(event{at: 0, kind: sample})
	w.events.push(event{at: 0, kind: observe})
	if w.trace.FetchRate > 0 {
		w.events.push(event{at: 0, kind: fetch})
	}
}

func (w *world) run() {
	for w.now < w.limit && (w.now < w.end || w.remaining > 0) {
		e, ok := w.events.pop()
		if !ok {
			break
		}
		w.integrate(e.at)
		switch e.kind {
		case wake:
			w.partitions[e.of].waking = false
			w.offer(e.of)
		case finish:
			w.finish(e.of)
		case sample:
			w.sample()
		case observe:
			w.observe()
		case grow:
			w.workers = min(max(w.workers, e.of), max(w.target, w.workers))
		case fetch:
			w.fetch()
		}
		w.dispatch()
	}
	if w.remaining == 0 {
		w.result.Drained = true
	} else {
		w.result.DrainTime = seconds(w.now - w.trace.Rises.Seconds())
	}
}

// integrate advances the time and charges for the workers.
func (w *world) integrate(to float64) {
	w.result.WorkerSeconds += (to - w.now) * float64(max(w.workers, w.busy))
	w.now = to
}

// available returns the number of records of a partition that a batch could take.
func (w *world) available(i int) int32 {
	p := &w.partitions[i]
	if w.trace.FetchRate > 0 {
		return p.fetched - p.taken
	}
	return w.arrivals.arrived(i, w.now) - p.taken
}

// offer queues a partition if it has work, and otherwise schedules its next check.
func (w *world) offer(i int) {
	p := &w.partitions[i]
	if p.inFlight || p.ready {
		return
	}
	switch {
	case p.blocked > w.now:
		w.wakeAt(i, p.blocked)
	case w.available(i) > 0:
		p.ready = true
		at, _ := w.arrivals.when(i, p.taken, p.second)
		p.second = int(at)
		w.ready.push(event{at: at, of: i})
	case w.trace.FetchRate == 0:
		if at, ok := w.arrivals.when(i, p.taken, int(w.now)); ok {
			w.wakeAt(i, max(at, w.now))
		}
	}
}

func (w *world) wakeAt(i int, at float64) {
	if p := &w.partitions[i]; !p.waking {
		p.waking = true
		w.events.push(event{at: at, kind: wake, of: i})
	}
}

// dispatch gives batches to idle workers.
func (w *world) dispatch() {
	for w.busy < w.workers && w.now >= w.standstill {
		e, ok := w.ready.pop()
		if !ok {
			return
		}
		slot := w.slot()
		in := &w.invocations[slot]
		room := int32(w.trace.BatchSize)
		for {
			p := &w.partitions[e.of]
			n := min(w.available(e.of), room)
			p.ready, p.inFlight = false, true
			p.taken += n
			room -= n
			in.parts = append(in.parts, part{e.of, n})
			if room == 0 || len(w.ready) <= w.workers-w.busy-1 {
				break
			}
			e, _ = w.ready.pop()
		}
		w.invoke(slot, w.trace.BatchSize-int(room))
	}
}

func (w *world) slot() int {
	if n := len(w.free); n > 0 {
		slot := w.free[n-1]
		w.free = w.free[:n-1]
		w.invocations[slot] = invocation{parts: w.invocations[slot].parts[:0]}
		return slot
	}
	w.invocations = append(w.invocations, invocation{})
	return len(w.invocations) - 1
}

func (w *world) invoke(slot, records int) {
	at := seconds(w.now)
	in := &w.invocations[slot]
	w.busy++
	if w.running >= w.trace.limit(at) {
		in.throttle, in.took = true, throttleTime
	} else {
		w.running++
		in.took = w.serviceTime(at, records)
		in.failed = w.trace.fails(at)
	}
	w.events.push(event{at: w.now + in.took, kind: finish, of: slot})
}

func (w *world) serviceTime(at time.Duration, records int) float64 {
	t := w.trace
	took := (t.Base + time.Duration(records)*t.PerRecord).Seconds() * t.slow(at)
	if t.Knee > 0 && w.running > t.Knee {
		took *= float64(w.running) / float64(t.Knee)
	}
	if v := t.Variation; v > 0 {
		sigma := math.Sqrt(math.Log(1 + v*v))
		took *= math.Exp(sigma*w.rng.NormFloat64() - sigma*sigma/2)
	}
	return max(took, 1e-6)
}

func (w *world) finish(slot int) {
	in := &w.invocations[slot]
	w.busy--
	switch {
	case in.throttle:
		w.throttles++
		w.result.Throttled++
	default:
		w.running--
		w.calls++
		w.callTime += in.took
		if in.failed {
			w.errors++
			w.result.Failed++
		}
	}
	for _, part := range in.parts {
		p := &w.partitions[part.partition]
		p.inFlight = false
		switch {
		case in.throttle:
			p.taken = p.done
			p.blocked = w.now + throttlePause*(0.5+p.jitter.Float64())
		case in.failed:
			p.taken = p.done
			pause := min(firstBackoff*math.Exp2(float64(min(p.failures, 10))), longBackoff)
			p.failures++
			p.blocked = w.now + pause*(0.5+p.jitter.Float64()/2)
		default:
			p.failures = 0
			w.resolve(p, part.records)
		}
		w.offer(part.partition)
	}
	w.free = append(w.free, slot)
}

func (w *world) resolve(p *partition, n int32) {
	w.completed += int64(n)
	w.result.Completed += int64(n)
	if old := max(p.due-p.done, 0); old > 0 && w.remaining > 0 {
		w.remaining -= int64(min(old, n))
		if w.remaining == 0 {
			w.result.DrainTime = seconds(max(w.now-w.trace.Rises.Seconds(), 0))
		}
	}
	p.done += n
}

// fetch lets each poller fetch records of its partitions in turn.
func (w *world) fetch() {
	if w.now >= w.standstill {
		for poller := range w.pollers {
			budget := w.trace.FetchRate * fetchEvery
			mine := (len(w.partitions) - poller + w.pollers - 1) / w.pollers
			for left := mine; left > 0; left-- {
				// The start rotates, so that no partition is always served last.
				turn := (mine - left + int(w.now/fetchEvery)) % mine
				i := poller + turn*w.pollers
				p := &w.partitions[i]
				n := min(w.arrivals.arrived(i, w.now)-p.fetched, int32(math.Ceil(budget/float64(left))))
				if n <= 0 {
					continue
				}
				budget -= float64(n)
				p.fetched += n
				w.offer(i)
			}
		}
	}
	w.events.push(event{at: w.now + fetchEvery, kind: fetch})
}

func seconds(s float64) time.Duration { return time.Duration(max(s, 0) * float64(time.Second)) }
