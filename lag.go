package esm

import (
	"math"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/scaling"
)

// lag is the number of records between the first unresolved one and the end of the log: those received, counted, and
// behind them the offsets not received yet, of which compaction and transaction markers take some. 0 when the end is not
// known, or lies before (the log was truncated, and the client has not said so yet).
func (p *partition) lag() int64 {
	if p.phase == starting {
		return 0
	}
	return int64(p.Buffered()) + max(0, p.end-p.next)
}

// offsetLag is Lambda's: the end of the log less the commit. Before the group's first commit the start that was found
// stands for it. -1 where it is not known.
func (p *partition) offsetLag() int64 {
	switch {
	case p.phase == starting || p.end < 0:
		return -1
	case p.committed < 0:
		return max(0, p.end-p.position())
	}
	return max(0, p.end-p.committed)
}

// age is how old the oldest unresolved record is: by its timestamp, by its arrival here when it has none or one that lies
// ahead, and, while none is received, by how long nothing has come (it is older than that). 0 when there is none.
func (p *partition) age(now time.Time) time.Duration {
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
	case p.phase == running && p.end > p.next:
		return max(0, now.Sub(p.behindAt))
	}
	return 0
}

// ended takes in an end of the log; records says that some came with it.
func (p *partition) ended(now time.Time, end int64, records bool) {
	if records || p.end <= p.next {
		p.behindAt = now
	}
	p.end, p.seenAt, p.leaderless = end, now, false
}

// idle reports whether the client itself keeps the end true: everything is received, and it waits for more.
func (p *partition) idle() bool { return p.end >= 0 && p.next >= p.end && p.pauses == 0 }

// stalled reports whether no worker can help the partition now.
func (m *member) stalled(p *partition, now time.Time) bool {
	return p.phase != running || p.pauses&(pausedByUser|pausedByBreaker) != 0 || p.leaderless && p.Buffered() == 0 ||
		m.retry.Holds(&p.Lane) && p.At().After(now)
}

// reading is what an evaluation reads of the members. Its slices are used again.
type reading struct {
	Partitions []scaling.Partition
	// index finds a partition in parts, so that one which two members hold for a moment counts once; nil with one member.
	Index map[TopicPartition]int
	// lagTime is when the oldest of the lags was true.
	LagTime        time.Time
	Oldest         time.Duration
	Buffered       int64
	Busy           int
	MaxLag, SumLag int64 // Lambda's, over the parts
	// moving: partitions are starting or draining.
	Moving bool
}

func (r *reading) Reset(now time.Time) {
	index := r.Index
	clear(index)
	*r = reading{Partitions: r.Partitions[:0], Index: index, LagTime: now}
}

// Read adds what this member knows. failing says that the last lookup of ends did not succeed: what
// the client merely goes on believing then counts as old as it is.
func (m *member) Read(now time.Time, r *reading, failing bool) {
	m.do(func() { m.read(now, r, failing) })
}

func (m *member) read(now time.Time, r *reading, failing bool) {
	r.Busy += len(m.flying)
	for tp, p := range m.parts {
		q := scaling.Partition{Topic: tp.Topic, Partition: tp.Partition, Lag: p.lag(), Blocked: m.stalled(p, now)}
		if p.end >= 0 {
			if p.sampled >= 0 {
				q.Arrived = max(0, p.end-p.sampled)
			}
			p.sampled = p.end
		}
		r.Buffered += int64(p.Buf.Held)
		if p.phase != running {
			r.Moving = true
		} else if !p.leaderless && (failing || !p.idle()) && p.seenAt.Before(r.LagTime) {
			r.LagTime = p.seenAt
		}
		if !q.Blocked {
			r.Oldest = max(r.Oldest, p.age(now))
		}
		if r.Index != nil {
			if i, twice := r.Index[tp]; twice {
				if r.Partitions[i].Blocked { // the other one is about to learn that it lost it
					r.Partitions[i] = q
				}
				continue
			}
			r.Index[tp] = len(r.Partitions)
		}
		if lag := p.offsetLag(); lag > 0 {
			r.SumLag = addLag(r.SumLag, lag)
			r.MaxLag = max(r.MaxLag, lag)
		}
		r.Partitions = append(r.Partitions, q)
	}
}

// endQuery asks for the ends of logs: of all members' partitions that want one, in one request.
type endQuery struct {
	Queries  []driver.OffsetQuery
	parts    []*partition // only compared and given back; the members' loops own them
	Consumer driver.Consumer
}

// WantEnds adds the partitions whose end nobody has confirmed since the last evaluation, and those that the client only
// believes in, when that was longer ago than the lag interval.
func (m *member) WantEnds(now, since time.Time, q *endQuery) {
	m.do(func() { m.wantEnds(now, since, q) })
}

func (m *member) wantEnds(now, since time.Time, q *endQuery) {
	if q.Consumer == nil {
		q.Consumer = m.consumer
	}
	believed := now.Add(-m.shared.Config.LagInterval)
	for tp, p := range m.parts {
		if p.phase != running || p.end >= 0 && (p.seenAt.After(since) || p.idle() && p.seenAt.After(believed)) {
			continue
		}
		q.Queries = append(q.Queries, driver.OffsetQuery{TopicPartition: tp, At: driver.AtEnd})
		q.parts = append(q.parts, p)
	}
}

// TakeEnds takes in the answers for this member's partitions, which were true when the question was put.
func (m *member) TakeEnds(asked time.Time, q *endQuery, answers []driver.OffsetAnswer) {
	m.do(func() { m.takeEnds(asked, q, answers) })
}

func (m *member) takeEnds(asked time.Time, q *endQuery, answers []driver.OffsetAnswer) {
	for i, a := range answers {
		p := q.parts[i]
		if m.parts[a.TopicPartition] != p || p.phase != running {
			continue
		}
		switch {
		case a.Err != nil:
			p.leaderless = true
		case p.end < 0 || p.seenAt.Before(asked): // else a fetch has brought one that is as young
			p.ended(asked, a.Offset, false)
		}
	}
}

// addLag adds two numbers that are not negative, and stops at the largest one.
func addLag(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
