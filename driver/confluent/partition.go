//go:build cgo

package confluent

import (
	"cmp"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// partition is a partition that the group assigned. It belongs to the poll goroutine.
type partition struct {
	tp driver.TopicPartition
	// assignment is the number of the rebalance that assigned it.
	assignment int64
	// epoch is the Start's. next is first the Start's offset, then where reading continues.
	epoch uint64
	next  int64
	// leaderEpoch is that of the record before next, -1 if it is not known.
	leaderEpoch int32
	// validated is the newest leader epoch up to which the position was validated, -1 for none.
	validated int32
	// validating: records that arrive before the seek that validates the position are dropped.
	validating bool
	// end is the last reported end of the log, -1 for none.
	end int64
	// running: it is in librdkafka's assignment. Otherwise it is held.
	running bool
	// paused is what the caller asked for; repause: librdkafka has not been told yet.
	paused, repause bool
	// unreadable is the offset of the batch last reported as unreadable, -1 for none. retry is when to fetch the partition
	// again after that, zero for not needed.
	unreadable int64
	retry      time.Time
	// behind: at the last check it had not moved although its log had grown.
	behind bool

	// slab is where records are stored; runs are sub-slices of it. It is filled once and then belongs to the receiver.
	slab []event.KafkaRecord
	// first is where the current run begins in slab, run its index in the Poll numbered seq.
	first, run int
	seq        uint64
}

func newPartition(tp driver.TopicPartition) *partition {
	return &partition{tp: tp, next: -1, leaderEpoch: -1, end: -1, validated: -1, unreadable: -1}
}

// start sets the position; running is set once librdkafka has answered.
func (p *partition) start(s driver.Start) {
	p.epoch, p.next, p.leaderEpoch = s.Epoch, s.Offset, s.LeaderEpoch
	p.end = -1
	p.retry, p.validating = time.Time{}, false
	// A run under the old epoch is not extended.
	p.seq = 0
}

// at returns the position in librdkafka's form.
func (p *partition) at() kafka.TopicPartition {
	tp := kafka.TopicPartition{Topic: &p.tp.Topic, Partition: p.tp.Partition, Offset: kafka.Offset(p.next)}
	if p.leaderEpoch >= 0 {
		epoch := p.leaderEpoch
		tp.LeaderEpoch = &epoch
	}
	return tp
}

func positions(partitions []*partition) []kafka.TopicPartition {
	list := make([]kafka.TopicPartition, len(partitions))
	for i, p := range partitions {
		list[i] = p.at()
	}
	return list
}

func compareTopicPartitions(a, b driver.TopicPartition) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}
