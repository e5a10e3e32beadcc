package snapshot

import (
	"cmp"
	"slices"
	"strings"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// Mark gives each partition the worst of the conditions that concern it.
func Mark(s *observe.Status) {
	if len(s.Conditions) == 0 {
		return
	}
	worst := make(map[event.TopicPartition]*observe.Condition)
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.TopicPartition.Topic != "" && worst[c.TopicPartition] == nil {
			worst[c.TopicPartition] = c
		}
	}
	s.Partitions = slices.Clone(s.Partitions)
	for i := range s.Partitions {
		p := &s.Partitions[i]
		own, topic := worst[p.TopicPartition], worst[event.TopicPartition{Topic: p.Topic, Partition: -1}]
		if p.Condition = own; own == nil || topic != nil && condition.Gravity(topic) < condition.Gravity(own) {
			p.Condition = topic
		}
	}
}

// Sum makes one Status of several members' snapshots. If two members hold a partition, because one does not know yet that
// it lost it, the one with the higher position counts.
func Sum(snapshots []*Snapshot) (s observe.Status) {
	s.OffsetLag = make(map[string]int64)
	n := 0
	for _, one := range snapshots {
		for _, portion := range one.Portions {
			n += len(portion)
		}
	}
	// The keys are contiguous in memory, so that ten thousand partitions are sorted quickly.
	type place struct {
		event.TopicPartition
		*observe.PartitionStatus
	}
	all := make([]place, 0, n)
	for _, one := range snapshots {
		s.Pollers++
		s.InFlight += one.InFlight
		s.Slow = append(s.Slow, one.Slow...)
		if s.Time.IsZero() || one.At.Before(s.Time) {
			s.Time = one.At
		}
		for _, portion := range one.Portions {
			for i := range portion {
				all = append(all, place{portion[i].TopicPartition, &portion[i]})
			}
		}
	}
	slices.SortFunc(s.Slow, func(a, b observe.SlowInvocation) int { return a.Since.Compare(b.Since) })
	slices.SortFunc(all, func(a, b place) int {
		switch {
		case a.Topic != b.Topic:
			return strings.Compare(a.Topic, b.Topic)
		case a.Partition != b.Partition:
			return cmp.Compare(a.Partition, b.Partition)
		}
		return cmp.Compare(b.Position, a.Position)
	})
	s.Partitions = make([]observe.PartitionStatus, 0, len(all))
	for i := range all {
		if i > 0 && all[i-1].TopicPartition == all[i].TopicPartition {
			continue
		}
		p := all[i].PartitionStatus
		s.Partitions = append(s.Partitions, *p)
		s.OldestAge = max(s.OldestAge, p.OldestAge)
		if p.Lag >= 0 {
			s.OffsetLag[p.Topic] = partition.AddLag(s.OffsetLag[p.Topic], p.Lag)
			s.SumOffsetLag = partition.AddLag(s.SumOffsetLag, p.Lag)
			s.MaxOffsetLag = max(s.MaxOffsetLag, p.Lag)
		}
	}
	return s
}
