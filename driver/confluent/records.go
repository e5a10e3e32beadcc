//go:build cgo

package confluent

import (
	"unsafe"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

const (
	// A Poll ends at maxRecords or maxBytes: enough to spread its own cost, few enough that the engine starts to work a
	// few milliseconds after the first record.
	maxRecords = 2048
	maxBytes   = 2 << 20

	// A slab holds between minSlab records, for a quiet partition, and maxSlab. The slabs of many partitions together hold
	// at most about allSlabs (15 MB), because each slab is kept for records still to come.
	minSlab  = 16
	maxSlab  = 1024
	allSlabs = 128 << 10

	recordSize = int(unsafe.Sizeof(event.KafkaRecord{}))
	headerSize = int(unsafe.Sizeof(event.Header{}))
)

// fetched counts what the running Poll has.
type fetched struct {
	records, bytes int
}

func (f fetched) full() bool { return f.records >= maxRecords || f.bytes >= maxBytes }

// record adds one record that confluent-kafka-go returned.
func (c *consumer) record(m *kafka.Message) {
	p := c.partitionOf(*m.TopicPartition.Topic, m.TopicPartition.Partition)
	if p == nil {
		return
	}
	epoch := int32(-1)
	if m.LeaderEpoch != nil {
		epoch = *m.LeaderEpoch
	}
	r := c.place(p, int64(m.TopicPartition.Offset), epoch)
	if r == nil {
		return
	}
	r.Key, r.Value = m.Key, m.Value
	switch m.TimestampType {
	case kafka.TimestampCreateTime:
		r.Timestamp = m.Timestamp.UnixMilli()
	case kafka.TimestampLogAppendTime:
		r.TimestampType, r.Timestamp = event.LogAppendTime, m.Timestamp.UnixMilli()
	default:
		// confluent-kafka-go reports this for every record without a timestamp; in all formats but the oldest, such a record
		// has its batch's timestamp type.
		r.Timestamp = -1
	}
	if len(m.Headers) > 0 {
		r.Headers = make([]event.Header, len(m.Headers))
		for i, h := range m.Headers {
			r.Headers[i] = event.Header{Key: h.Key, Value: h.Value}
		}
	}
	c.placed(p, r)
}

// partitionOf returns the partition of a record, or nil if it was removed while the record was queued. It does not keep
// topic.
func (c *consumer) partitionOf(topic string, partition int32) *partition {
	if p := c.last; p != nil && p.tp.Partition == partition && p.tp.Topic == topic {
		return p
	}
	p := c.partitions[driver.TopicPartition{Topic: topic, Partition: partition}]
	if p == nil || !p.running {
		return nil
	}
	c.last = p
	c.reported.data(p.tp.Topic)
	return p
}

// place makes room for a record in its partition's run and returns it with its coordinates set, or nil if the record is
// not wanted. The caller fills in the rest and then calls placed.
func (c *consumer) place(p *partition, offset int64, epoch int32) *event.KafkaRecord {
	if offset < p.next || !p.running || p.validating {
		// librdkafka goes back to the start of a record batch, and may deliver records twice around a pause.
		return nil
	}
	if p.leaderEpoch >= 0 && epoch > max(p.leaderEpoch, p.validated) {
		c.validate(p, epoch)
		return nil
	}
	run := c.runOf(p, epoch)
	p.slab = p.slab[:len(p.slab)+1]
	run.Records = p.slab[p.first:]
	run.Next, run.End = offset+1, -1 // the end was seen before this record existed
	p.next, p.leaderEpoch = offset+1, epoch
	r := &p.slab[len(p.slab)-1]
	r.Topic, r.Partition, r.Offset = p.tp.Topic, p.tp.Partition, offset
	return r
}

// validate makes librdkafka ask a partition's leader whether the log still has what was read, before the first record
// of another leader is delivered: a seek does that. librdkafka also asks by itself when it learns of a new leader. But
// if it has no connection to the leader yet, it assumes that the leader cannot answer, and a log that was truncated and
// has grown again would go unnoticed.
func (c *consumer) validate(p *partition, epoch int32) {
	p.validated, p.validating = epoch, true
	c.again = append(c.again, driver.Start{TopicPartition: p.tp, Offset: p.next, LeaderEpoch: p.leaderEpoch, Epoch: p.epoch})
}

// placed accounts for a record that place returned.
func (c *consumer) placed(p *partition, r *event.KafkaRecord) {
	size := recordSize + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		size += headerSize + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	c.into.Runs[p.run].Bytes += size
	c.fetched.records++
	c.fetched.bytes += size
}

// runOf returns the run that the next record of a partition belongs to. It is a new run if there is none in this Poll,
// the leader epoch changed or the slab is full. A new run continues in the slab, right after the records of the
// previous one, so that the receiver can join the two by slicing.
func (c *consumer) runOf(p *partition, leaderEpoch int32) *driver.Run {
	full := len(p.slab) == cap(p.slab)
	if p.seq == c.fetchSeq && !full {
		if run := &c.into.Runs[p.run]; run.LeaderEpoch == leaderEpoch || len(run.Records) == 0 {
			run.LeaderEpoch = leaderEpoch
			return run
		}
	}
	if full {
		p.slab = make([]event.KafkaRecord, 0, c.nextSlab(p))
	}
	p.first = len(p.slab)
	return c.newRun(p, leaderEpoch)
}

// nextSlab sizes the slab after a full one: larger if one Poll filled most of it, smaller if it took many Polls.
func (c *consumer) nextSlab(p *partition) int {
	size := cap(p.slab) / 2
	if p.seq == c.fetchSeq && len(p.slab)-p.first >= size {
		size = 2 * cap(p.slab)
	}
	return max(min(size, maxSlab, allSlabs/max(len(c.partitions), 1)), minSlab)
}

func (c *consumer) newRun(p *partition, leaderEpoch int32) *driver.Run {
	c.into.Runs = append(c.into.Runs, driver.Run{
		TopicPartition: p.tp,
		Epoch:          p.epoch,
		LeaderEpoch:    leaderEpoch,
		Next:           p.next,
		End:            -1,
	})
	p.run, p.seq = len(c.into.Runs)-1, c.fetchSeq
	return &c.into.Runs[p.run]
}

// endOf records where a partition's log ends: librdkafka reports that when it has read everything, including
// transaction markers and aborted records.
func (c *consumer) endOf(e kafka.PartitionEOF) {
	p := c.partitions[driver.TopicPartition{Topic: *e.Topic, Partition: e.Partition}]
	if p == nil || !p.running || p.validating || int64(e.Offset) < p.next {
		// While the position is being validated, records are dropped. The end is reported again when they are read again.
		return
	}
	c.reported.data(p.tp.Topic)
	end := int64(e.Offset)
	if p.next == end && p.end == end {
		return // already reported
	}
	if p.seq != c.fetchSeq {
		// An empty run still shows where the slab continues.
		p.first = len(p.slab)
		c.newRun(p, p.leaderEpoch)
	}
	run := &c.into.Runs[p.run]
	run.Next, run.End = end, end
	p.next, p.end = end, end
}

// ends fills in the end of the log if a Poll has records but did not see the end. Under read_committed the end is the
// last stable offset, which librdkafka does not expose.
func (c *consumer) ends() {
	if c.readCommitted {
		return
	}
	for i := range c.into.Runs {
		run := &c.into.Runs[i]
		if run.End >= 0 {
			continue
		}
		if _, high, err := c.client.GetWatermarkOffsets(run.Topic, run.Partition); err == nil && high >= run.Next {
			run.End = high
		}
	}
}
