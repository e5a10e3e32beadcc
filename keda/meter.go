package keda

import (
	"math"
	"time"

	"github.com/esm-go/esm/scaling"
)

// A meter turns readings into samples for a policy. A policy inside the process sees invocations. From
// outside only offsets are visible, and the meter infers the throughput of a worker from how fast commits
// move:
//
//   - Saturated: a partition whose lag was over a batch at two readings in a row, with the same owner, kept a
//     worker busy all the time. What such workers processed in the last few intervals is the throughput of a
//     worker.
//   - Otherwise a worker's throughput is about what was processed, divided by the partitions that had lag
//     before or after: hardly more workers than that were busy.
//
// Errors and throttles are invisible from outside and stay 0. An invocation here means a full batch, and its
// time follows from the inferred throughput. A meter is pure, and is used by one goroutine.
type meter struct {
	cfg  *config
	last *reading

	owners   map[topicPartition]string // at the last reading
	before   map[topicPartition]position
	measured window  // saturated workers
	bound    window  // all workers that may have been busy
	rate     float64 // records per second and worker; 0: unknown
	// exact reports whether rate was ever measured on saturated workers. Until then it is a lower bound of a
	// worker's throughput. That shows when fewer workers would do, but hardly how many more a backlog needs.
	exact bool
	rest  int64 // records that do not make a full batch yet
}

const (
	// measuredOver is the number of intervals over which a rate is averaged: commits that come every few
	// seconds fall into one interval or the next.
	measuredOver = 3
	boundOver    = 6
	// longestGap is the longest time between two readings that are compared. After a longer outage of the
	// brokers, the accumulated records would look like a burst.
	longestGap = 9 * time.Minute
	// keepsUp is the share of its workers that a group is assumed to use at most while no partition is behind
	// by more than a batch.
	keepsUp = 0.8
	// clearly is by how much a worker must exceed the measured rate: since lag is only sampled, chance makes
	// a worker look slightly better.
	clearly = 1.25
)

// A summary is what a reading says beyond the sample.
type summary struct {
	lag      int64
	arrived  int64
	done     int64
	unplaced int // partitions without a commit that wait for their first member
	failed   int // partitions that could not be read
	members  int
	first    bool // it is not known yet what moves
}

// observe returns the sample of a reading.
func (m *meter) observe(r *reading) (scaling.Sample, summary) {
	sum := summary{members: len(r.members), first: m.last == nil}
	if m.last != nil && r.at.Sub(m.last.at) > longestGap {
		// What happened in between says nothing about now.
		m.last, m.before, m.owners = nil, nil, nil
	}
	perMember := float64(m.cfg.workersPerReplica) / float64(m.cfg.membersPerReplica)
	sample := scaling.Sample{
		Time: r.at, LagTime: r.at, BatchSize: m.cfg.batchSize,
		Partitions: make([]scaling.Partition, len(r.partitions)),
		Capacity:   scaling.Capacity{Workers: int(math.Ceil(float64(len(r.members)) * perMember)), Pollers: 1},
		// Unknown from outside; a large value means that fetching is not the bottleneck.
		BufferedBytes: math.MaxInt32,
	}
	now := make(map[topicPartition]position, len(r.partitions))
	done := make(map[topicPartition]int64, len(r.partitions))
	for i := range r.partitions {
		p := r.partitions[i]
		was, seen := m.before[p.topicPartition]
		seen = seen && was.id == p.id
		if p.err != nil {
			sum.failed++
			// Without a leader no worker can process it: its known lag stays, and waits.
			sample.Partitions[i] = scaling.Partition{Topic: p.topic, Partition: p.partition, Blocked: true}
			if seen {
				sample.Partitions[i].Lag = was.lag()
				now[p.topicPartition] = was
			}
			sum.lag += sample.Partitions[i].Lag
			continue
		}
		now[p.topicPartition] = p
		one := scaling.Partition{Topic: p.topic, Partition: p.partition, Lag: p.lag()}
		if seen {
			one.Arrived = max(p.end-was.end, 0)
			done[p.topicPartition] = progress(&was, &p)
		}
		sample.Partitions[i] = one
		sum.lag += one.Lag
		sum.arrived += one.Arrived
		sum.done += done[p.topicPartition]
		if p.unplaced {
			sum.unplaced++
		}
	}
	m.learn(r, &sample, now, done, perMember, sum.done)
	m.before, m.last = now, r
	return sample, sum
}

// progress returns what was committed between two readings. Records that retention deleted, or that a group's
// first commit skips, do not count: they were not processed.
func progress(was, now *position) int64 {
	if now.committed < 0 || was.unplaced {
		return 0
	}
	return max(now.next()-max(was.next(), now.earliest), 0)
}

// learn infers the throughput of a worker, and fills it into the sample in the policy's terms.
func (m *meter) learn(r *reading, sample *scaling.Sample, now map[topicPartition]position, done map[topicPartition]int64, perMember float64, total int64) {
	var dt float64
	if m.last != nil {
		dt = r.at.Sub(m.last.at).Seconds()
	}
	batch := int64(m.cfg.batchSize)
	owners := map[topicPartition]string{}
	var saturated, possible, handled float64
	for _, member := range r.members {
		var full, lagging float64
		var byFull, byAll int64
		for _, tp := range member.partitions {
			if !r.settled {
				break // the assignment is being decided
			}
			owners[tp] = member.id
			p, ok := now[tp]
			if !ok || m.owners[tp] != member.id {
				continue
			}
			byAll += done[tp]
			was, seen := m.before[tp]
			if p.lag() > 0 || seen && was.lag() > 0 {
				lagging++
			}
			if seen && was.lag() > batch && p.lag() > batch {
				full++
				byFull += done[tp]
			}
		}
		possible += min(lagging, perMember)
		saturated += min(full, perMember)
		if full >= perMember {
			byFull = byAll // they share the workers with the others
		}
		if full > 0 {
			handled += float64(byFull)
		}
	}
	m.owners = owners
	if dt > 0 {
		m.measured.add(measuredOver, saturated*dt, handled)
		m.bound.add(boundOver, possible*dt, float64(total))
	}
	m.update(saturated > 0, float64(len(r.members))*perMember, dt)

	sample.Busy = int(math.Round(saturated))
	if m.rate > 0 {
		m.rest += total
		sample.Invocations = m.rest / batch
		sample.Completed = sample.Invocations * batch
		m.rest -= sample.Completed
		sample.InvocationTime = time.Duration(float64(batch) / m.rate * float64(time.Second))
	}
}

func (m *meter) update(saturated bool, workers, dt float64) {
	busy, done, _ := m.measured.sum()
	if saturated && busy > 0 && done > 0 {
		m.rate, m.exact = done/busy, true
		return
	}
	busy, done, full := m.bound.sum()
	if saturated || !full || done == 0 || dt <= 0 || workers == 0 {
		return
	}
	// At least half a worker: lag that is gone at each reading says little.
	busy = max(busy, dt*boundOver/2)
	if !m.exact {
		busy = min(busy, keepsUp*workers*dt*boundOver)
	}
	if bound := done / busy; !m.exact || bound > clearly*m.rate {
		m.rate = bound
	}
}

// window sums the last few intervals.
type window struct {
	busy, done [boundOver]float64
	next, n    int
	size       int
}

func (w *window) add(size int, busy, done float64) {
	w.size = size
	w.busy[w.next], w.done[w.next] = busy, done
	w.next = (w.next + 1) % size
	w.n = min(w.n+1, size)
}

// sum returns the sums, and whether the window is full.
func (w *window) sum() (busy, done float64, full bool) {
	for i := range w.n {
		busy += w.busy[i]
		done += w.done[i]
	}
	return busy, done, w.size > 0 && w.n == w.size
}
