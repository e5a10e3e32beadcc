package console

import (
	"slices"
	"sync"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager"
)

// sampleInterval is the maximum age of what the console shows: each Runner is asked at most once per interval, however
// many browsers are connected.
const sampleInterval = time.Second

// liveInterval is how often a browser gets updates. It is slightly longer than sampleInterval, so that each update has
// a new sample.
const liveInterval = sampleInterval + 20*time.Millisecond

// mostPoints is how many samples of a mapping are kept for its charts.
const mostPoints = 600

// sampler samples all mappings on demand, at most once per interval, and keeps the charts' data.
type sampler struct {
	m *manager.Manager

	// mu guards the fields below. It is held while the mappings are sampled: concurrent callers get the same sample.
	mu    sync.Mutex
	taken time.Time
	all   []sample
	byID  map[string]int
	kept  map[string]*series
}

// sample is the state of a mapping at one time.
type sample struct {
	Description manager.Description
	Status      esm.Status
	// Rates are per second, since the previous sample.
	Invoked, Filtered, Failed, Dropped float64
	// Points are the charts' data up to this sample. They must not be changed.
	Points []point
}

// point is a sample for the charts: the time in Unix seconds, then a value for each line.
type point [10]float64

// series is what is kept of a mapping between samples.
type series struct {
	at     time.Time
	before esm.Metrics
	points []point
}

func newSampler(m *manager.Manager) *sampler {
	return &sampler{m: m, kept: make(map[string]*series)}
}

// expire forces a new sample for the next caller.
func (s *sampler) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = time.Time{}
}

// list returns every mapping.
func (s *sampler) list() []sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	return s.all
}

// one returns a mapping, or false if it does not exist.
func (s *sampler) one(id string) (sample, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	i, ok := s.byID[id]
	if !ok {
		return sample{}, false
	}
	return s.all[i], true
}

// look takes new samples if the last ones are too old. The caller holds mu.
func (s *sampler) look() {
	now := time.Now()
	if now.Sub(s.taken) < sampleInterval {
		return
	}
	descriptions, _ := s.m.List(manager.Filter{})
	s.taken, s.all, s.byID = now, make([]sample, 0, len(descriptions)), make(map[string]int, len(descriptions))
	kept := make(map[string]*series, len(descriptions))
	for _, d := range descriptions {
		id := d.Mapping.UUID
		status, err := s.m.Status(id)
		if err != nil {
			continue // deleted in the meantime
		}
		known := s.kept[id]
		if known == nil {
			known = new(series)
		}
		kept[id] = known
		s.byID[id] = len(s.all)
		s.all = append(s.all, known.add(now, d, status))
	}
	s.kept = kept
}

// add returns the next sample of a mapping.
func (k *series) add(now time.Time, d manager.Description, status esm.Status) sample {
	out := sample{Description: d, Status: status}
	is, was := status.Metrics, k.before
	elapsed := now.Sub(k.at).Seconds()
	if !k.at.IsZero() && elapsed < 60 && is.PolledEventCount >= was.PolledEventCount {
		per := func(is, was int64) float64 { return max(0, float64(is-was)/elapsed) }
		out.Invoked, out.Filtered = per(is.InvokedEventCount, was.InvokedEventCount), per(is.FilteredOutEventCount, was.FilteredOutEventCount)
		out.Failed, out.Dropped = per(is.FailedInvokeEventCount, was.FailedInvokeEventCount), per(is.DroppedEventCount, was.DroppedEventCount)
	}
	k.at, k.before = now, is
	if elapsed >= sampleInterval.Seconds()/2 { // not after a change, which samples early
		k.points = append(k.points, point{
			float64(now.UnixMilli()) / 1000, float64(status.SumOffsetLag), float64(status.MaxOffsetLag), out.Invoked, out.Filtered,
			out.Failed, out.Dropped, float64(status.Workers), float64(status.InFlight), float64(status.Pollers),
		})
	}
	if len(k.points) > mostPoints {
		k.points = append([]point(nil), k.points[len(k.points)-mostPoints*9/10:]...) // a copy: readers use the old points
	}
	out.Points = slices.Clip(k.points)
	return out
}
