package membroker

import (
	"time"

	"github.com/esm-go/esm/event"
)

// Record is a record to produce.
type Record struct {
	// Partition is where the record goes. There is no partitioner: the default is partition 0.
	Partition int32
	// Key is nil for a record without a key.
	Key []byte
	// Value is nil for a tombstone.
	Value   []byte
	Headers []event.Header
	// Timestamp is the record's time, to the millisecond; the zero Time is now.
	Timestamp time.Time
	// TimestampType is CREATE_TIME by default. With event.NoTimestampType the record has no timestamp.
	TimestampType event.TimestampType
}

// Values returns a record without a key for each value, all for partition 0.
func Values(values ...string) []Record {
	records := make([]Record, len(values))
	for i, v := range values {
		records[i].Value = []byte(v)
	}
	return records
}

// KafkaRecord copies r into Kafka's form: later changes to the producer's slices do not reach the log.
func (r Record) KafkaRecord(topic string) event.KafkaRecord {
	k := event.KafkaRecord{
		Topic: topic, Partition: r.Partition, TimestampType: r.TimestampType,
		Key: clone(r.Key), Value: clone(r.Value),
	}
	switch {
	case r.TimestampType == event.NoTimestampType:
		k.Timestamp = -1
	case r.Timestamp.IsZero():
		k.Timestamp = time.Now().UnixMilli()
	default:
		k.Timestamp = r.Timestamp.UnixMilli()
	}
	for _, h := range r.Headers {
		k.Headers = append(k.Headers, event.Header{Key: h.Key, Value: clone(h.Value)})
	}
	return k
}

// Produce appends records. A topic that does not exist is created with one partition.
func (b *Broker) Produce(topic string, records ...Record) { b.produce(topic, nil, records) }

func (b *Broker) produce(topic string, tx *Tx, records []Record) {
	b.mu.Lock()
	t := b.topics[topic]
	if t == nil {
		t = b.createTopic(topic, 1)
		b.metadataChanged()
	}
	partitions := int32(len(t.partitions))
	bad := int32(-1)
	if tx != nil && tx.ended {
		b.mu.Unlock()
		b.errorf("Tx.Produce(%q): the transaction has ended", topic)
		return
	}
	for i := range records {
		r := &records[i]
		if r.Partition < 0 || r.Partition >= partitions || t.partitions[r.Partition].load != nil {
			bad = r.Partition
			break
		}
		p := t.partitions[r.Partition]
		p.append(r.KafkaRecord(topic), tx)
		if tx != nil {
			tx.touched[p] = true
		}
	}
	b.wakeAll()
	b.mu.Unlock()
	if bad >= 0 {
		b.errorf("Produce(%q): cannot produce to partition %d (the topic has %d)", topic, bad, partitions)
	}
}

// Tx is a transaction.
type Tx struct {
	b         *Broker
	touched   map[*partitionLog]bool
	committed bool
	ended     bool
}

// Begin starts a transaction. Until it ends, readers of committed records stop before its first record.
func (b *Broker) Begin() *Tx { return &Tx{b: b, touched: make(map[*partitionLog]bool)} }

// Produce appends records within the transaction.
func (tx *Tx) Produce(topic string, records ...Record) { tx.b.produce(topic, tx, records) }

// Commit ends the transaction and makes its records visible. A marker takes one offset of each partition that
// it touched.
func (tx *Tx) Commit() { tx.end(true) }

// Abort ends the transaction and hides its records from readers of committed records. A marker takes one
// offset of each partition that it touched.
func (tx *Tx) Abort() { tx.end(false) }

func (tx *Tx) end(commit bool) {
	tx.b.mu.Lock()
	defer tx.b.mu.Unlock()
	if tx.ended {
		return
	}
	tx.ended, tx.committed = true, commit
	for p := range tx.touched {
		delete(p.open, tx)
		p.end++
	}
	tx.b.wakeAll()
}
