package esm

import "time"

// partitionStatus fills in how a partition stands. It runs on the loop.
func (m *member) partitionStatus(v view, p *partition, s *PartitionStatus) {
	*s = PartitionStatus{
		TopicPartition: p.TopicPartition, Position: -1, Received: p.next, Committed: p.committed, End: p.end, Lag: p.offsetLag(), EndSeen: p.seenAt, OldestAge: p.age(v.now),
		Buffered: p.Buffered(), Starting: p.phase == starting, Draining: p.phase == draining, Paused: p.pauses.String(),
		Attempts: p.failures, FirstFailure: p.firstFailure, LastError: p.lastErr,
	}
	if p.phase != starting {
		s.Position = p.position()
	}
	if s.End < 0 {
		s.EndSeen = time.Time{}
	}
	if p.inflight != nil {
		s.InFlightSince = p.inflight.started
	}
	if m.retry.Holds(&p.Lane) {
		s.NextTry = p.At()
	}
	m.head(v, p, s)
}
