package partition

import (
	"math"
	"time"

	"github.com/esm-go/esm/event"
)

// Lag is the number of records between the first unresolved one and the end of the log: those received, counted, and
// behind them the offsets not received yet, of which compaction and transaction markers take some. 0 when the end is not
// known, or lies before (the log was truncated, and the client has not said so yet).
func (p *Partition) Lag() int64 {
	if p.Phase == Starting {
		return 0
	}
	return int64(p.Buffered()) + max(0, p.End-p.Next)
}

// OffsetLag is Lambda's: the end of the log less the commit. Before the group's first commit the start that was found
// stands for it. -1 where it is not known.
func (p *Partition) OffsetLag() int64 {
	switch {
	case p.Phase == Starting || p.End < 0:
		return -1
	case p.Committed < 0:
		return max(0, p.End-p.Position())
	}
	return max(0, p.End-p.Committed)
}

// Age is how old the oldest unresolved record is: by its timestamp, by its arrival here when it has none or one that lies
// ahead, and, while none is received, by how long nothing has come (it is older than that). 0 when there is none.
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

// Received takes in that the client has come to an offset.
func (p *Partition) Received(now time.Time, next int64) {
	if next > p.Next {
		p.BehindAt = now
	}
	p.Next = next
}

// Ended takes in an end of the log.
func (p *Partition) Ended(now time.Time, end int64) {
	if p.End <= p.Next {
		p.BehindAt = now
	}
	p.End, p.SeenAt, p.Leaderless = end, now, false
}

// Idle reports whether the client itself keeps the end true: everything is received, and it waits for more.
func (p *Partition) Idle() bool { return p.End >= 0 && p.Next >= p.End && p.Pauses == 0 }

// AddLag adds two numbers that are not negative, and stops at the largest one.
func AddLag(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
