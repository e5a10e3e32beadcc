package partition

import (
	"math"
	"time"

	"github.com/esm-go/esm/event"
)

// Lag is the number of records from the first unresolved one to the end of the log. Those received are counted; beyond
// them it counts offsets, some of which compaction and transaction markers may take. The rest is 0 if the end is unknown
// or before the position (the log was truncated, and the client has not reported it yet).
func (p *Partition) Lag() int64 {
	if p.Phase == Starting {
		return 0
	}
	return int64(p.Buffered()) + max(0, p.End-p.Next)
}

// OffsetLag is Lambda's OffsetLag: the end of the log minus the committed offset. Before the group's first commit, the
// position takes the place of the commit. It is -1 if unknown.
func (p *Partition) OffsetLag() int64 {
	switch {
	case p.Phase == Starting || p.End < 0:
		return -1
	case p.Committed < 0:
		return max(0, p.End-p.Position())
	}
	return max(0, p.End-p.Committed)
}

// Age is the age of the oldest unresolved record: by its timestamp, or by its arrival if it has no timestamp or one in
// the future. If none is received, it is how long nothing has come; the record is older than that. It is 0 if there is no
// unresolved record.
func (p *Partition) Age(now time.Time) time.Duration {
	byTime := func(r *event.KafkaRecord, arrived time.Time) time.Duration {
		if age := now.Sub(time.UnixMilli(r.Timestamp)); r.Timestamp >= 0 && age >= 0 {
			return age
		}
		return max(0, now.Sub(arrived))
	}
	switch {
	case len(p.Work) > 0:
		return byTime(&p.Work[0].Records[0], p.Work[0].Arrived)
	case p.Buf.Count > 0:
		return byTime(p.Buf.First(), p.Buf.Arrived())
	case p.Phase == Running && p.End > p.Next:
		return max(0, now.Sub(p.BehindAt))
	}
	return 0
}

// Received records that the client has come to an offset.
func (p *Partition) Received(now time.Time, next int64) {
	if next > p.Next {
		p.BehindAt = now
	}
	p.Next = next
}

// Ended records an end of the log.
func (p *Partition) Ended(now time.Time, end int64) {
	if p.End <= p.Next {
		p.BehindAt = now
	}
	p.End, p.SeenAt, p.Leaderless = end, now, false
}

// Idle reports whether fetches keep the end up to date: everything is received, and the client waits for more.
func (p *Partition) Idle() bool { return p.End >= 0 && p.Next >= p.End && p.Pauses == 0 }

// AddLag adds two numbers that are not negative. It saturates at the largest int64.
func AddLag(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
