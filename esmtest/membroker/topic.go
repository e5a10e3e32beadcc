package membroker

import (
	"encoding/binary"
	"sort"
	"sync"

	"github.com/esm-go/esm/driver"
)

// topic is one incarnation of a topic: a recreated topic is another one.
type topic struct {
	name       string
	id         [16]byte
	partitions []*partitionLog
}

// CreateTopic creates a topic with empty partitions, or gives an existing topic more partitions. Consumers
// notice after their MetadataMaxAge.
func (b *Broker) CreateTopic(name string, partitions int32) {
	b.mu.Lock()
	had := int32(0)
	if t := b.topics[name]; t != nil {
		had = int32(len(t.partitions))
	}
	ok := name != "" && partitions > 0 && partitions >= had
	if ok {
		b.createTopic(name, partitions)
		b.metadataChanged()
	}
	b.mu.Unlock()
	if !ok {
		b.errorf("CreateTopic(%q, %d): a topic needs a name and at least one partition, and never shrinks (it has %d)",
			name, partitions, had)
	}
}

// createTopic creates or grows a topic. The caller holds mu.
func (b *Broker) createTopic(name string, partitions int32) *topic {
	b.topicChanges++
	t := b.topics[name]
	if t == nil {
		b.topicIDs++
		t = &topic{name: name}
		binary.BigEndian.PutUint64(t.id[8:], b.topicIDs)
		b.topics[name] = t
	}
	for int32(len(t.partitions)) < partitions {
		t.partitions = append(t.partitions, &partitionLog{})
	}
	return t
}

// DeleteTopic deletes a topic with its records and, as Kafka does, with every group's commits on it. Consumers report
// driver.KindUnknownTopic; the group takes the partitions back after MetadataMaxAge.
func (b *Broker) DeleteTopic(name string) {
	b.mu.Lock()
	_, ok := b.topics[name]
	if ok {
		delete(b.topics, name)
		b.topicChanges++
		for _, g := range b.groups {
			for tp := range g.commits {
				if tp.Topic == name {
					delete(g.commits, tp)
				}
			}
		}
		b.metadataChanged()
		b.wakeAll()
	}
	b.mu.Unlock()
	if !ok {
		b.errorf("DeleteTopic(%q): there is no such topic", name)
	}
}

// RecreateTopic deletes a topic and creates it again, empty, with a new id and the same number of partitions,
// before any consumer or the group coordinator notices: the groups' commits stay.
func (b *Broker) RecreateTopic(name string) {
	b.mu.Lock()
	old, ok := b.topics[name]
	if ok {
		delete(b.topics, name)
		b.createTopic(name, int32(len(old.partitions)))
		b.wakeAll()
	}
	b.mu.Unlock()
	if !ok {
		b.errorf("RecreateTopic(%q): there is no such topic", name)
	}
}

// DeleteRecords moves the log start offset to before, as retention or kafka-delete-records does.
func (b *Broker) DeleteRecords(topic string, partition int32, before int64) {
	b.onPartition("DeleteRecords", topic, partition, func(p *partitionLog) { p.deleteBefore(before) })
}

// Truncate truncates the log at end, as an unclean leader election does: records from end on are gone, and
// the leader epoch rises. A consumer that has read further reports driver.KindTruncated if it knows the
// leader epoch of what it read, otherwise driver.KindOffsetOutOfRange, unless the log has grown past its
// position again.
func (b *Broker) Truncate(topic string, partition int32, end int64) {
	b.onPartition("Truncate", topic, partition, func(p *partitionLog) { p.truncate(end) })
}

// Corrupt damages the log: the batch that starts at offset cannot be read. Consumers report
// driver.KindCorrupt when they get there, and get no further until Repair.
func (b *Broker) Corrupt(topic string, partition int32, offset int64) {
	b.onPartition("Corrupt", topic, partition, func(p *partitionLog) { p.unreadable = &offset })
}

// Repair reverts Corrupt.
func (b *Broker) Repair(topic string, partition int32) {
	b.onPartition("Repair", topic, partition, func(p *partitionLog) { p.unreadable = nil })
}

// Withhold makes fetches of a partition return nothing until release is called, and consumers do not learn
// why. A client that retries when a broker answers that it is not the leader, or that its disk failed,
// reports neither. release may be called more than once.
func (b *Broker) Withhold(topic string, partition int32) (release func()) {
	by := func(n int) { b.onPartition("Withhold", topic, partition, func(p *partitionLog) { p.withheld += n }) }
	by(1)
	return sync.OnceFunc(func() { by(-1) })
}

// Gap moves the log's end by n offsets without a record, such as transaction markers and compacted records
// leave.
func (b *Broker) Gap(topic string, partition int32, n int64) {
	b.onPartition("Gap", topic, partition, func(p *partitionLog) { p.end += max(n, 0) })
}

// Compact removes the records for which keep returns false, as log compaction does. Offsets stay.
func (b *Broker) Compact(topic string, partition int32, keep func(offset int64, key []byte) bool) {
	b.onPartition("Compact", topic, partition, func(p *partitionLog) {
		kept := p.entries[:0:0]
		for _, e := range p.entries {
			if keep(e.Offset, e.Key) {
				kept = append(kept, e)
			}
		}
		p.entries = kept
	})
}

// MoveLeader raises the partition's leader epoch, as a new leader does. Later records carry it.
func (b *Broker) MoveLeader(topic string, partition int32) {
	b.onPartition("MoveLeader", topic, partition, func(p *partitionLog) { p.epoch++ })
}

// End returns the offset after the last record or gap of a partition (its high watermark).
func (b *Broker) End(topic string, partition int32) int64 {
	end := int64(-1)
	b.onPartition("End", topic, partition, func(p *partitionLog) { end = p.end })
	return end
}

// onPartition runs f on a partition, which must exist, and wakes the consumers.
func (b *Broker) onPartition(call, topic string, partition int32, f func(*partitionLog)) {
	b.mu.Lock()
	p := b.partition(driver.TopicPartition{Topic: topic, Partition: partition})
	if p != nil {
		f(p)
		b.wakeAll()
	}
	b.mu.Unlock()
	if p == nil {
		b.errorf("%s(%q, %d): there is no such partition", call, topic, partition)
	}
}

// partition returns a partition's log, or nil if there is none. The caller holds mu.
func (b *Broker) partition(tp driver.TopicPartition) *partitionLog {
	t := b.topics[tp.Topic]
	if t == nil || tp.Partition < 0 || int(tp.Partition) >= len(t.partitions) {
		return nil
	}
	return t.partitions[tp.Partition]
}

// topicNames returns the names of all topics, sorted. The caller holds mu.
func (b *Broker) topicNames() []string {
	names := make([]string, 0, len(b.topics))
	for name := range b.topics {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
