package lookup

import (
	"testing"
	"time"

	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
)

// While no broker answers, checks of topic ids do not pile up ahead of other lookups.
func TestChecksDoNotPileUp(t *testing.T) {
	const interval = time.Second // WithLagInterval
	l, now := prepared(interval), time.Now()
	runs, begins := living(0, partition.Running), living(1, partition.Starting)
	var put []*Lookup
	since := map[*Lookup]time.Time{}
	for range 600 {
		now = now.Add(interval)
		more, _ := advance(l, now, held(runs))
		for _, one := range more {
			since[one] = now
		}
		put = append(put, more...)
		for len(put) > 0 && now.Sub(since[put[0]]) >= start.Timeout {
			put[0].Err = errBroker
			l.Take(put[0])
			put = put[1:]
		}
	}
	l.Add(question(start.Begin, begins))
	if n := len(l.queued) - 1; n > 0 {
		t.Errorf("after ten minutes %d checks wait before the question where a partition begins", n)
	}
	if more, _ := advance(l, now, held(runs, begins)); len(more) != 1 || more[0].Kind != start.Begin {
		t.Errorf("while a check waits for the brokers, %d other questions are asked, want 1", len(more))
	}
}
