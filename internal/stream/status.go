package stream

import (
	"time"

	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// partitionStatus fills in how a partition stands. It runs on the loop.
func (m *Member) partitionStatus(v view, p *partition.Partition, s *observe.PartitionStatus) {
	*s = observe.PartitionStatus{
		TopicPartition: p.TopicPartition, Position: -1, Received: p.Next, Committed: p.Committed, End: p.End, Lag: p.OffsetLag(), EndSeen: p.SeenAt, OldestAge: p.Age(v.now),
		Buffered: p.Buffered(), Starting: p.Phase == partition.Starting, Draining: p.Phase == partition.Draining, Paused: p.Pauses.String(),
		Attempts: p.Failures, FirstFailure: p.FirstFailure, LastError: p.LastErr,
	}
	if p.Phase != partition.Starting {
		s.Position = p.Position()
	}
	if s.End < 0 {
		s.EndSeen = time.Time{}
	}
	if p.Inflight != nil {
		s.InFlightSince = p.Inflight.Started
	}
	if m.retry.Holds(&p.Lane) {
		s.NextTry = p.At()
	}
	m.head(v, p, s)
}
