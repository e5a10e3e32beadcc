//go:build cgo

package confluent

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
)

// A batch has the right checksum but does not parse: librdkafka fetches it forever and reports nothing.
func TestABatchThatDoesNotParse(t *testing.T) {
	b := newBroker(t)
	topic := b.NewTopic(t, 2)
	b.produce(topic, 0, 3)
	b.produceRaw(topic, bytes.Repeat([]byte{0x7e}, 20))
	b.produce(topic, 0, 1)
	m := join(t, b.config("g", topic), from(0), func(c *client) { c.stallEvery = 200 * time.Millisecond })
	p := tp(topic, 0)
	m.untilCount(p, 3)
	corrupt := func() []*driver.Error {
		return slices.DeleteFunc(slices.Clone(m.errors), func(e *driver.Error) bool { return e.Kind != driver.KindCorrupt })
	}
	m.until("the report", func() bool { return len(corrupt()) > 0 })
	b.produce(topic, 1, 2)
	m.untilCount(tp(topic, 1), 2)
	m.mu.Lock()
	defer m.mu.Unlock()
	if es := corrupt(); len(es) != 1 || es[0].TopicPartition != p || es[0].Offset != 3 {
		t.Errorf("reported %v, want %v at 3 once", es, p)
	}
	if n := len(m.records[p]); n != 3 {
		t.Errorf("%d records, want the 3 before it", n)
	}
}

// produceRaw writes a batch whose only record is the given bytes.
func (b *broker) produceRaw(topic string, record []byte) {
	b.t.Helper()
	batch := kmsg.RecordBatch{Magic: 2, NumRecords: 1, PartitionLeaderEpoch: -1, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		FirstTimestamp: time.Now().UnixMilli(), MaxTimestamp: time.Now().UnixMilli(), Records: record}
	raw := batch.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	topics, err := b.Admin().ListTopics(b.t.Context(), topic)
	if err != nil {
		b.t.Fatal(err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 5000
	rt, rp := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	rt.Topic, rt.TopicID = topic, topics[topic].ID
	rp.Records = raw
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(b.t.Context(), b.Connect(b.t))
	if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		b.t.Fatalf("produce: %v %+v", err, resp)
	}
}
