package stream

import (
	"time"

	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/partition"
)

// aging is when to look for records that have waited for long.
type aging struct {
	pins bool // the client's records keep the fetch that brought them in memory
	next time.Time
}

// advanceAge copies what has waited for long. A client's records are pieces of what it fetched: one that waits, because
// its partition fails or is not its turn, keeps all of that in memory, and the budget knows only of its own part.
func (m *Member) advanceAge(now time.Time) {
	switch {
	case !m.aging.pins || m.shared.Budget.Used.Load() == 0:
		m.aging.next = time.Time{}
		return
	case m.aging.next.IsZero():
		m.aging.next = now.Add(batch.LongWait)
	case !now.Before(m.aging.next):
		if m.detachAged(now.Add(-batch.LongWait)) {
			m.aging.next = now.Add(batch.LongWait)
		}
	}
	m.at(m.aging.next)
}

// detachAged copies what waits since before a time; false when there is more than is good at once.
func (m *Member) detachAged(before time.Time) bool {
	room := batch.DetachBytes
	for _, p := range m.parts {
		if p.Phase != partition.Running {
			continue
		}
		copied, more := p.Buf.Detach(before, room)
		room -= copied
		for i := range p.Work {
			u := &p.Work[i]
			if u.Own || u.FirstFailure.IsZero() || u.FirstFailure.After(before) || i == 0 && p.Inflight != nil || room <= 0 {
				continue
			}
			held := u.Held
			u.Records, u.Held = batch.Detach(u.Records)
			u.Own = true
			room -= u.Held
			more += u.Held - held
		}
		m.release(p, -more)
		if room <= 0 {
			return false
		}
	}
	return true
}
