package lag

import (
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/partition"
)

// running returns partition i: next is the offset of the next record to be received, end that of the next to be written.
func running(i int32, committed, next, end int64) *partition.Partition {
	p := &partition.Partition{TopicPartition: event.TopicPartition{Topic: "t", Partition: i}, Lane: batch.Lane[*partition.Partition]{Key: "t"},
		Alive: true, Phase: partition.Running, Committed: committed, Next: next, End: end, Sampled: -1}
	p.Owner = p
	return p
}

// held returns the partitions that a member holds.
func held(parts ...*partition.Partition) Held {
	all := make(Held)
	for _, p := range parts {
		all[p.TopicPartition] = p
	}
	return all
}
