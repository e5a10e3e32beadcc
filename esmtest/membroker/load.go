package membroker

import (
	"math"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// load is a log that is generated while it is read: the same record at every offset.
type load struct {
	record event.KafkaRecord
	size   int
	// slab is copied for each run.
	slab []event.KafkaRecord
	// ring holds the slabs that take turns, if slabs are reused, and turn is the index of the next one.
	ring [][]event.KafkaRecord
	turn int
}

// ReuseLoad lets each partition of a Load topic return the same slices again after that many runs, which
// removes the cost of fresh memory (most of a Poll's) from a benchmark. This breaks the driver contract for a
// receiver that still holds a run by then, so runs must be more than a receiver ever holds of one partition.
// Default 0: every run is fresh.
func ReuseLoad(runs int) BrokerOption {
	return func(o *brokerOptions) { o.reuseLoad = max(runs, 0) }
}

// Load creates a topic for benchmarks: every partition holds records copies of one record. They use no memory
// and all share its bytes, so those must not be changed. Each returned run is a fresh slice of up to
// FetchRecords records (but see ReuseLoad), with consecutive offsets.
func (b *Broker) Load(topic string, partitions int32, records int64, record Record) {
	b.mu.Lock()
	_, taken := b.topics[topic]
	ok := !taken && partitions > 0 && records >= 0
	if ok {
		t := b.createTopic(topic, partitions)
		for i, p := range t.partitions {
			r := record
			r.Partition = int32(i)
			l := &load{record: r.KafkaRecord(topic), slab: make([]event.KafkaRecord, b.opts.fetchRecords)}
			l.size = sizeOf(&l.record)
			for j := range l.slab {
				l.slab[j] = l.record
			}
			for range b.opts.reuseLoad {
				l.ring = append(l.ring, append([]event.KafkaRecord(nil), l.slab...))
			}
			p.load, p.end = l, records
		}
		b.metadataChanged()
	}
	b.mu.Unlock()
	if !ok {
		b.errorf("Load(%q, %d, %d): needs a new topic, at least one partition and no negative number of records",
			topic, partitions, records)
	}
}

func (l *load) read(from, limit int64, maxRecords, maxBytes int, run *driver.Run) {
	n := min(limit-from, int64(maxRecords), int64(len(l.slab)))
	if maxBytes > 0 {
		n = min(n, max(int64(maxBytes/l.size), 1))
	}
	var records []event.KafkaRecord
	if len(l.ring) > 0 {
		records = l.ring[l.turn][:n:n]
		l.turn = (l.turn + 1) % len(l.ring)
	} else {
		records = append(records, l.slab[:n]...)
	}
	for i := range records {
		records[i].Offset = from + int64(i)
	}
	run.Records = records
	run.Bytes = int(min(n*int64(l.size), math.MaxInt))
	run.Next = from + n
}
