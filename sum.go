package esm

import (
	"cmp"
	"slices"

	"github.com/esm-go/esm/internal/condition"
)

// addTo takes in one member's snapshot.
func addTo(s *Status, one *Snapshot) {
	s.Pollers++
	s.InFlight += one.InFlight
	s.Partitions = append(s.Partitions, one.Partitions...)
	if s.Time.IsZero() || one.At.Before(s.Time) {
		s.Time = one.At
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
		if p.Condition = own; own == nil || topic != nil && condition.Gravity(topic) < condition.Gravity(own) {
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
			s.OffsetLag[p.Topic] = AddLag(s.OffsetLag[p.Topic], p.Lag)
			s.SumOffsetLag = AddLag(s.SumOffsetLag, p.Lag)
			s.MaxOffsetLag = max(s.MaxOffsetLag, p.Lag)
		}
	}
}
