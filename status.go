package esm

import (
	"time"
)

// status fills in what the loop knows. It runs on the loop.
func (m *Member) status(s *Status) {
	now := time.Now()
	s.Time = now
	s.InFlight = len(m.flying)
	s.Partitions = make([]PartitionStatus, 0, len(m.parts))
	for _, p := range m.parts {
		ps := PartitionStatus{
			TopicPartition: p.TopicPartition, Position: -1, Committed: p.committed, End: p.end, Lag: p.offsetLag(), EndSeen: p.seenAt, OldestAge: p.age(now),
			Buffered: p.Buffered(), Starting: p.phase == starting, Draining: p.phase == draining, Paused: p.pauses.String(),
			Attempts: p.failures, FirstFailure: p.firstFailure, LastError: p.lastErr,
		}
		if p.phase != starting {
			ps.Position = p.position()
		}
		if ps.End < 0 {
			ps.EndSeen = time.Time{}
		}
		if p.inflight != nil {
			ps.InFlightSince = p.inflight.started
		}
		if m.retry.Holds(&p.Lane) {
			ps.NextTry = p.At()
		}
		s.Partitions = append(s.Partitions, ps)
	}
}
