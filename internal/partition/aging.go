package partition

import (
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
)

// Aging decides when to look for records that have waited for long.
type Aging struct {
	Pins bool // a record of the client keeps its whole fetch in memory
	next time.Time
}

// Advance copies records that have waited for long. A client's records are slices of what it fetched. One that waits,
// because its partition fails or it is not its turn, keeps the whole fetch in memory, while the budget counts only the
// record. used is what the budget holds, and release returns memory of a partition to it. Advance returns when to call it
// again, zero while nothing waits.
func (a *Aging) Advance(now time.Time, used int64, held map[event.TopicPartition]*Partition, release func(*Partition, int)) (again time.Time) {
	switch {
	case !a.Pins || used == 0:
		a.next = time.Time{}
	case a.next.IsZero():
		a.next = now.Add(batch.LongWait)
	case !now.Before(a.next):
		if detachAged(now.Add(-batch.LongWait), held, release) {
			a.next = now.Add(batch.LongWait)
		}
	}
	return a.next
}

// detachAged copies what has waited since before the given time. It returns false if that is too much to copy at once.
func detachAged(before time.Time, held map[event.TopicPartition]*Partition, release func(*Partition, int)) bool {
	room := batch.DetachBytes
	for _, p := range held {
		if p.Phase != Running {
			continue
		}
		copied, more := p.Buf.Detach(before, room)
		room -= copied
		for i := range p.Work {
			u := &p.Work[i]
			if u.Own || u.FirstFailure.IsZero() || u.FirstFailure.After(before) || i == 0 && p.Inflight != nil || room <= 0 {
				continue
			}
			was := u.Held
			u.Records, u.Held = batch.Detach(u.Records)
			u.Own = true
			room -= u.Held
			more += u.Held - was
		}
		release(p, -more)
		if room <= 0 {
			return false
		}
	}
	return true
}
