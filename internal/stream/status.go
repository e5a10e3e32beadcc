package stream

import (
	"time"

	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// status fills in what the loop knows. It runs on the loop.
func (m *Member) status(s *observe.Status) {
	now := time.Now()
	s.Time = now
	s.InFlight = len(m.flying)
	s.Partitions = make([]observe.PartitionStatus, 0, len(m.parts))
	for _, p := range m.parts {
		ps := observe.PartitionStatus{
			TopicPartition: p.TopicPartition, Position: -1, Committed: p.Committed, End: p.End, Lag: p.OffsetLag(), EndSeen: p.SeenAt, OldestAge: p.Age(now),
			Buffered: p.Buffered(), Starting: p.Phase == partition.Starting, Draining: p.Phase == partition.Draining, Paused: p.Pauses.String(),
			Attempts: p.Failures, FirstFailure: p.FirstFailure, LastError: p.LastErr,
		}
		if p.Phase != partition.Starting {
			ps.Position = p.Position()
		}
		if ps.End < 0 {
			ps.EndSeen = time.Time{}
		}
		if p.Inflight != nil {
			ps.InFlightSince = p.Inflight.Started
		}
		if m.retry.Holds(&p.Lane) {
			ps.NextTry = p.At()
		}
		s.Partitions = append(s.Partitions, ps)
	}
}
