package lag

import (
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/scaling"
)

// Held are the partitions that a member holds.
type Held = map[event.TopicPartition]*partition.Partition

// Reading is what an evaluation reads of the members. Its slices are reused.
type Reading struct {
	Partitions []scaling.Partition
	// Index finds a partition in Partitions, so that one held briefly by two members counts once; nil with one member.
	Index map[event.TopicPartition]int
	// LagTime is when the oldest of the lags was true.
	LagTime        time.Time
	Oldest         time.Duration
	Buffered       int64
	Busy           int
	MaxLag, SumLag int64 // Lambda's OffsetLag, over the partitions
}

// Reset prepares r for the next evaluation.
func (r *Reading) Reset(now time.Time) {
	index := r.Index
	clear(index)
	*r = Reading{Partitions: r.Partitions[:0], Index: index, LagTime: now}
}

// Add adds what one member knows of its partitions. failing reports whether the last lookup of ends failed: the age of
// idle partitions' ends then counts too. blocked reports whether no worker can help a partition now.
func (r *Reading) Add(now time.Time, held Held, failing bool, blocked func(*partition.Partition) bool) {
	for tp, p := range held {
		q := scaling.Partition{Topic: tp.Topic, Partition: tp.Partition, Lag: p.Lag(), Blocked: blocked(p)}
		if p.End >= 0 {
			if p.Sampled >= 0 {
				q.Arrived = max(0, p.End-p.Sampled)
			}
			p.Sampled = p.End
		}
		r.Buffered += int64(p.Buf.Held)
		if p.Phase == partition.Running && !p.Leaderless && (failing || !p.Idle()) && p.SeenAt.Before(r.LagTime) {
			r.LagTime = p.SeenAt
		}
		if !q.Blocked {
			r.Oldest = max(r.Oldest, p.Age(now))
		}
		if r.Index != nil {
			if i, twice := r.Index[tp]; twice {
				if r.Partitions[i].Blocked { // the other member is about to learn that it lost the partition
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
