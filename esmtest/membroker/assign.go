package membroker

import (
	"cmp"
	"slices"

	"github.com/esm-go/esm/driver"
)

// assignment is the owner that a group has chosen for each partition.
type assignment map[driver.TopicPartition]*member

// candidate is a member with the topics that it subscribes to.
type candidate struct {
	*member
	topics map[string]bool
	count  int
}

// assign distributes partitions over candidates. It is sticky (an owner keeps its partitions as long as the
// distribution is even) and deterministic (ties go to the member that joined first, the lowest partitions
// stay). Partitions in avoid go to another member than their owner, if there is one.
func assign(candidates []candidate, partitions []driver.TopicPartition, prev assignment, avoid map[driver.TopicPartition]bool) assignment {
	next := make(assignment, len(partitions))
	slices.SortFunc(partitions, compareTP)
	find := func(m *member) *candidate {
		for i := range candidates {
			if candidates[i].member == m {
				return &candidates[i]
			}
		}
		return nil
	}
	least := func(topic string, not *member) *candidate {
		var best *candidate
		for i := range candidates {
			c := &candidates[i]
			if c.topics[topic] && c.member != not && (best == nil || c.count < best.count) {
				best = c
			}
		}
		return best
	}
	var open []driver.TopicPartition
	for _, tp := range partitions {
		c := find(prev[tp])
		if c == nil || !c.topics[tp.Topic] || avoid[tp] {
			open = append(open, tp)
			continue
		}
		next[tp] = c.member
		c.count++
	}
	for _, tp := range open {
		var not *member
		if avoid[tp] {
			not = prev[tp]
		}
		c := least(tp.Topic, not)
		if c == nil {
			c = least(tp.Topic, nil)
		}
		if c != nil {
			next[tp] = c.member
			c.count++
		}
	}
	// Even out: each move reduces the difference, so this ends.
	for moved := true; moved; {
		moved = false
		for _, tp := range slices.Backward(partitions) {
			owner := find(next[tp])
			if owner == nil || avoid[tp] {
				continue
			}
			if to := least(tp.Topic, owner.member); to != nil && owner.count > to.count+1 {
				next[tp] = to.member
				owner.count--
				to.count++
				moved = true
			}
		}
	}
	return next
}

func compareTP(a, b driver.TopicPartition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}
