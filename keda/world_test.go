package keda

import (
	"fmt"
	"math"
	"time"
)

// A world is a service on Kubernetes in virtual time: partitions that fill, replicas that take time to start,
// and an HPA with its tolerance, stabilisation and policies. It gives the judge the readings that brokers
// would return.
type world struct {
	judge      *judge
	now        time.Time
	ends       []float64 // records
	commits    []float64
	replicas   []*replica
	start      time.Duration // until a new replica works
	perRecord  time.Duration // of one worker
	arrival    func(at time.Duration) float64
	share      func(partition int) float64
	commitEach time.Duration
	handled    []float64 // done but not committed, per partition

	hpa     hpa
	answers []answer
	pods    []int // each second
	lags    []float64
}

type replica struct {
	ready time.Time
	id    string
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newWorld(cfg *config, partitions int) *world {
	w := &world{
		judge: newJudge(cfg), now: epoch,
		ends: make([]float64, partitions), commits: make([]float64, partitions), handled: make([]float64, partitions),
		start: 20 * time.Second, perRecord: 10 * time.Millisecond,
		share: func(int) float64 { return 1 / float64(partitions) },
		hpa:   hpa{tolerance: 0.1, window: 300 * time.Second},
	}
	for p := range w.ends { // so that they do not all get their next record at the same time
		part := float64(p) / float64(partitions)
		w.ends[p], w.commits[p], w.handled[p] = part, part, part
	}
	return w
}

// run advances by d, a tenth of a second at a time.
func (w *world) run(d time.Duration) {
	const tick = 100 * time.Millisecond
	cfg := w.judge.cfg
	for range int(d / tick) {
		at := w.now.Sub(epoch)
		for p := range w.ends {
			w.ends[p] += w.arrival(at) * w.share(p) * tick.Seconds()
		}
		w.work(tick)
		if at%max(w.commitEach, tick) == 0 {
			copy(w.commits, w.handled)
		}
		if at%cfg.interval == 0 {
			w.answers = append(w.answers, w.judge.decide(w.reading()))
		}
		if at%(15*time.Second) == 0 && len(w.answers) > 0 {
			w.scale()
		}
		if at%time.Second == 0 {
			w.pods = append(w.pods, len(w.replicas))
			w.lags = append(w.lags, w.lag())
		}
		w.now = w.now.Add(tick)
	}
}

// work lets each worker of each running replica process its own partition.
func (w *world) work(tick time.Duration) {
	perWorker := tick.Seconds() / w.perRecord.Seconds()
	for i, running := range w.running() {
		_ = running
		workers := w.judge.cfg.workersPerReplica
		for _, p := range w.assigned(i, len(w.running())) {
			if workers == 0 {
				break
			}
			if take := min(perWorker, w.ends[p]-w.handled[p]); take >= 1e-9 {
				w.handled[p] += take
				workers--
			}
		}
	}
}

// assigned returns the partitions of the i-th of n members, the fullest first.
func (w *world) assigned(i, n int) []int {
	var mine []int
	for p := range w.ends {
		if p%n == i {
			mine = append(mine, p)
		}
	}
	for a := range mine {
		for b := a + 1; b < len(mine); b++ {
			if w.ends[mine[b]]-w.handled[mine[b]] > w.ends[mine[a]]-w.handled[mine[a]] {
				mine[a], mine[b] = mine[b], mine[a]
			}
		}
	}
	return mine
}

func (w *world) running() []*replica {
	var up []*replica
	for _, r := range w.replicas {
		if !w.now.Before(r.ready) {
			up = append(up, r)
		}
	}
	return up
}

func (w *world) reading() *reading {
	r := &reading{at: w.now, settled: true}
	for p := range w.ends {
		r.partitions = append(r.partitions, position{
			topicPartition: topicPartition{"t", int32(p)}, end: int64(w.ends[p]), committed: int64(w.commits[p]),
		})
	}
	up := w.running()
	for i, one := range up {
		m := member{id: one.id}
		for _, p := range w.assigned(i, len(up)) {
			m.partitions = append(m.partitions, topicPartition{"t", int32(p)})
		}
		r.members = append(r.members, m)
	}
	return r
}

func (w *world) lag() float64 {
	lag := 0.0
	for p := range w.ends {
		lag += w.ends[p] - w.commits[p]
	}
	return lag
}

// scale acts as KEDA and the HPA: no replicas while there is nothing to do, otherwise what the HPA wants.
func (w *world) scale() {
	a := w.answers[len(w.answers)-1]
	want := len(w.replicas)
	switch {
	case want == 0 && a.active:
		want = 1
	case want > 0:
		want = w.hpa.want(w.now, want, a.replicas)
		want = min(max(want, w.judge.cfg.minReplicas, 1), w.judge.cfg.maxReplicas)
	}
	for len(w.replicas) < want {
		w.replicas = append(w.replicas, &replica{ready: w.now.Add(w.start), id: fmt.Sprint(w.now.Unix(), "-", len(w.replicas))})
	}
	w.replicas = w.replicas[:want]
}

// hpa is the calculation of Kubernetes' Horizontal Pod Autoscaler for an external metric of type
// AverageValue, with its default behavior.
type hpa struct {
	tolerance float64
	window    time.Duration // scaleDown.stabilizationWindowSeconds
	wishes    []wish
}

type wish struct {
	at       time.Time
	replicas int
}

func (h *hpa) want(now time.Time, current, value int) int {
	want := hpaReplicas(current, value, h.tolerance)
	kept := h.wishes[:0]
	for _, w := range h.wishes {
		if now.Sub(w.at) < h.window {
			kept = append(kept, w)
		}
	}
	h.wishes = append(kept, wish{now, want})
	if want > current {
		return min(want, max(2*current, current+4)) // 100 % or 4 pods in 15 s
	}
	for _, w := range h.wishes {
		want = max(want, min(w.replicas, current))
	}
	return want
}

// hpaReplicas is the HPA's result for the metric with target 1.
func hpaReplicas(current, value int, tolerance float64) int {
	const milli, target = 1000, 1000
	ratio := float64(value*milli) / float64(target*current)
	if math.Abs(1-ratio) <= tolerance {
		return current
	}
	return int(math.Ceil(float64(value*milli) / target))
}
