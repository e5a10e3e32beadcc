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

// partition is one that the group assigned. It belongs to the poll goroutine.
type partition struct {
	tp driver.TopicPartition
	// assignment is the number of the rebalance that brought it.
	assignment int64
	// epoch and next are the Start's, next then where reading goes on.
	epoch uint64
	next  int64
	// leaderEpoch is that of the record before next, -1 where it is not known.
	leaderEpoch int32
	// validated is the newest leader epoch up to which the position was checked, -1 for none.
	validated int32
	// validating: what comes before the seek that checks the position is not wanted.
	validating bool
	// end is the end of the log that was last reported, -1 for none.
	end int64
	// running: it is in librdkafka's assignment. Else it is held.
	running bool
	// paused is what was asked for; repause: librdkafka has yet to be told.
	paused, repause bool
	// unreadable is the offset of the batch that was last reported as not to be read, -1 for none; retry is when the
	// partition is fetched again after that, zero for no need.
	unreadable int64
	retry      time.Time
	// behind: when last looked at it had not moved though its log went on.
	behind bool

	// slab is where records go; runs are sub-slices of it. It is filled once and then left to the receiver.
	slab []event.KafkaRecord
	// first is where in slab the current run begins, run its index in the Poll numbered seq.
	first, run int
	seq        uint64
}

func newPartition(tp driver.TopicPartition) *partition {
	return &partition{tp: tp, next: -1, leaderEpoch: -1, end: -1, validated: -1, unreadable: -1}
}

// start sets the position; running is left for librdkafka's answer.
func (p *partition) start(s driver.Start) {
	p.epoch, p.next, p.leaderEpoch = s.Epoch, s.Offset, s.LeaderEpoch
	p.end = -1
	p.retry, p.validating = time.Time{}, false
	// A run under the old epoch is not added to.
	p.seq = 0
}

// at is the position as librdkafka wants it.
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
