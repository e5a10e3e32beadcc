package esm

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// LastProcessingResult values, beside "PROBLEM: " and what is wrong.
const (
	resultNone           = "No records processed"
	resultOK             = "OK"
	resultFunctionFailed = "PROBLEM: Function call failed"
	resultConnection     = "PROBLEM: Connection error. Please check your event source connection configuration."
)

// status fills in what the loop knows. It runs on the loop.
func (m *member) status(s *Status) {
	now := time.Now()
	s.Time = now
	s.InFlight = len(m.flying)
	s.Slow = m.slow(now)
	view := m.view(now)
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
		m.head(view, p, &ps)
		s.Partitions = append(s.Partitions, ps)
	}
}

// addTo takes in one member's snapshot.
func addTo(s *Status, one *snapshot) {
	s.Pollers++
	s.InFlight += one.InFlight
	s.Slow = append(s.Slow, one.Slow...)
	s.Partitions = append(s.Partitions, one.Partitions...)
	if s.Time.IsZero() || one.at.Before(s.Time) {
		s.Time = one.at
	}
}

// mark gives each partition the worst of the conditions that concern it.
func mark(s *Status) {
	if len(s.Conditions) == 0 {
		return
	}
	worst := make(map[TopicPartition]*Condition)
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.TopicPartition.Topic != "" && worst[c.TopicPartition] == nil {
			worst[c.TopicPartition] = c
		}
	}
	s.Partitions = slices.Clone(s.Partitions)
	for i := range s.Partitions {
		p := &s.Partitions[i]
		own, topic := worst[p.TopicPartition], worst[TopicPartition{Topic: p.Topic, Partition: -1}]
		if p.Condition = own; own == nil || topic != nil && gravity(topic) < gravity(own) {
			p.Condition = topic
		}
	}
}

// sum puts together what the members said. A partition that two of them hold, since one does not know yet that it lost it,
// is the one's that has come further.
func sum(s *Status) {
	slices.SortFunc(s.Partitions, func(a, b PartitionStatus) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(b.Position, a.Position))
	})
	s.Partitions = slices.CompactFunc(s.Partitions, func(a, b PartitionStatus) bool { return a.TopicPartition == b.TopicPartition })
	for i := range s.Partitions {
		p := &s.Partitions[i]
		s.OldestAge = max(s.OldestAge, p.OldestAge)
		if p.Lag >= 0 {
			s.OffsetLag[p.Topic] = saturate(s.OffsetLag[p.Topic], p.Lag)
			s.SumOffsetLag = saturate(s.SumOffsetLag, p.Lag)
			s.MaxOffsetLag = max(s.MaxOffsetLag, p.Lag)
		}
	}
}

// saturate adds two numbers that are not negative, and stops at the largest one.
func saturate(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// setResult keeps the LastProcessingResult.
func (c *core) setResult(text string) {
	if old := c.result.Load(); old == nil || *old != text {
		c.result.Store(&text)
	}
}
