package console

import (
	"slices"
	"sync"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/manager"
)

// sampleInterval is how old what the console shows may be: however many browsers look, each Runner is asked once in it.
const sampleInterval = time.Second

// liveInterval is how often a browser is told what changes: a little more, so that a sample of its own is old enough by then.
const liveInterval = sampleInterval + 20*time.Millisecond

// mostPoints is how many samples of a mapping are kept for its charts.
const mostPoints = 600

// sampler looks at all mappings when somebody asks, at most once an interval, and keeps what the charts show.
type sampler struct {
	m *manager.Manager

	// mu guards what follows, and is held while the mappings are looked at: whoever asks meanwhile gets the same.
	mu    sync.Mutex
	taken time.Time
	all   []sample
	byID  map[string]int
	kept  map[string]*series
}

// sample is a mapping as it stood.
type sample struct {
	Description manager.Description
	Status      esm.Status
	// Rates are per second, since the sample before.
	Invoked, Filtered, Failed, Dropped float64
	// Points are the charts' data up to this sample; nobody changes them.
	Points []point
}

// point is a sample as the charts have it: the time in Unix seconds, then a value for each line.
type point [10]float64

// series is what is kept of a mapping.
type series struct {
	at     time.Time
	before esm.Metrics
	points []point
}

func newSampler(m *manager.Manager) *sampler {
	return &sampler{m: m, kept: make(map[string]*series)}
}

// expire makes the next one who asks look anew.
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

// one returns a mapping; false where it is not there.
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

// look takes samples where the last are too old. The caller holds mu.
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
			continue // deleted meanwhile
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

// add is the next sample of a mapping.
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
	if elapsed >= sampleInterval.Seconds()/2 { // not after a change, which asks out of turn
		k.points = append(k.points, point{
			float64(now.UnixMilli()) / 1000, float64(status.SumOffsetLag), float64(status.MaxOffsetLag), out.Invoked, out.Filtered,
			out.Failed, out.Dropped, float64(status.Workers), float64(status.InFlight), float64(status.Pollers),
		})
	}
	if len(k.points) > mostPoints {
		k.points = append([]point(nil), k.points[len(k.points)-mostPoints*9/10:]...) // readers have the old ones
	}
	out.Points = slices.Clip(k.points)
	return out
}
