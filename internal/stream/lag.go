package stream

import (
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/scaling"
)

// stalled reports whether no worker can help the partition now.
func (m *Member) stalled(p *partition.Partition, now time.Time) bool {
	return p.Phase != partition.Running || p.Pauses&(partition.ByUser|partition.ByBreaker) != 0 || p.Leaderless && p.Buffered() == 0 ||
		m.retry.Holds(&p.Lane) && p.At().After(now)
}

// Reading is what an evaluation reads of the members. Its slices are used again.
type Reading struct {
	Partitions []scaling.Partition
	// index finds a partition in parts, so that one which two members hold for a moment counts once; nil with one member.
	Index map[event.TopicPartition]int
	// lagTime is when the oldest of the lags was true.
	LagTime        time.Time
	Oldest         time.Duration
	Buffered       int64
	Busy           int
	MaxLag, SumLag int64 // Lambda's, over the parts
	// moving: partitions are starting or draining.
	Moving bool
}

// Reset makes it ready for another evaluation.
func (r *Reading) Reset(now time.Time) {
	index := r.Index
	clear(index)
	*r = Reading{Partitions: r.Partitions[:0], Index: index, LagTime: now}
}

// Read adds what this member knows, and looks for partitions that stand still. failing says that the last lookup of ends did not succeed: what
// the client merely goes on believing then counts as old as it is.
func (m *Member) Read(now time.Time, r *Reading, failing bool) {
	m.do(func() { m.read(now, r, failing) })
}

func (m *Member) read(now time.Time, r *Reading, failing bool) {
	m.advanceUnfetched(now)
	r.Busy += len(m.flying)
	for tp, p := range m.parts {
		q := scaling.Partition{Topic: tp.Topic, Partition: tp.Partition, Lag: p.Lag(), Blocked: m.stalled(p, now)}
		if p.End >= 0 {
			if p.Sampled >= 0 {
				q.Arrived = max(0, p.End-p.Sampled)
			}
			p.Sampled = p.End
		}
		r.Buffered += int64(p.Buf.Held)
		if p.Phase != partition.Running {
			r.Moving = true
		} else if !p.Leaderless && (failing || !p.Idle()) && p.SeenAt.Before(r.LagTime) {
			r.LagTime = p.SeenAt
		}
		if !q.Blocked {
			r.Oldest = max(r.Oldest, p.Age(now))
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
		if lag := p.OffsetLag(); lag > 0 {
			r.SumLag = partition.AddLag(r.SumLag, lag)
			r.MaxLag = max(r.MaxLag, lag)
		}
		r.Partitions = append(r.Partitions, q)
	}
}

// EndQuery asks for the ends of logs: of all members' partitions that want one, in one request.
type EndQuery struct {
	Queries  []driver.OffsetQuery
	parts    []*partition.Partition // only compared and given back; the members' loops own them
	Consumer driver.Consumer
}

// WantEnds adds the partitions whose end nobody has confirmed since the last evaluation, and those that the client only
// believes in, when that was longer ago than the lag interval.
func (m *Member) WantEnds(now, since time.Time, q *EndQuery) {
	m.do(func() { m.wantEnds(now, since, q) })
}

func (m *Member) wantEnds(now, since time.Time, q *EndQuery) {
	if q.Consumer == nil {
		q.Consumer = m.consumer
	}
	believed := now.Add(-m.shared.Config.LagInterval)
	for tp, p := range m.parts {
		if p.Phase != partition.Running || p.End >= 0 && (p.SeenAt.After(since) || p.Idle() && p.SeenAt.After(believed)) {
			continue
		}
		q.Queries = append(q.Queries, driver.OffsetQuery{TopicPartition: tp, At: driver.AtEnd})
		q.parts = append(q.parts, p)
	}
}

// TakeEnds takes in the answers for this member's partitions, which were true when the question was put.
func (m *Member) TakeEnds(asked time.Time, q *EndQuery, answers []driver.OffsetAnswer) {
	m.do(func() { m.takeEnds(asked, q, answers) })
}

func (m *Member) takeEnds(asked time.Time, q *EndQuery, answers []driver.OffsetAnswer) {
	for i, a := range answers {
		p := q.parts[i]
		if m.parts[a.TopicPartition] != p || p.Phase != partition.Running {
			continue
		}
		switch {
		case a.Err != nil:
			p.Leaderless = true
		case p.End < 0 || p.SeenAt.Before(asked): // else a fetch has brought one that is as young
			p.Ended(asked, a.Offset)
		}
	}
}
