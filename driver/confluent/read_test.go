//go:build cgo

package confluent

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

// begin starts one partition.
func (m *member) begin(p driver.TopicPartition, offset int64, epoch uint64) {
	m.consumer.Start([]driver.Start{{TopicPartition: p, Offset: offset, LeaderEpoch: -1, Epoch: epoch}})
}

// from makes a member start everything at an offset with epoch 1; if offset is negative, it starts nothing.
func from(offset int64) func(*member) {
	return func(m *member) {
		m.onAssign = func(tps []driver.TopicPartition) {
			for _, p := range tps {
				if offset >= 0 {
					m.begin(p, offset, 1)
				}
			}
		}
	}
}

func offsets(records []event.KafkaRecord) []int64 {
	list := make([]int64, len(records))
	for i := range records {
		list[i] = records[i].Offset
	}
	return list
}

func sequence(first, end int64) []int64 {
	var list []int64
	for ; first < end; first++ {
		list = append(list, first)
	}
	return list
}

// has checks the offsets that a member read of a partition.
func (m *member) has(p driver.TopicPartition, want []int64) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if got := offsets(m.records[p]); !slices.Equal(got, want) {
		m.t.Errorf("read %v of %s, want %v", got, p, want)
	}
}

func readsFromWhereItStarts(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 2)
	b.produce(topic, 0, 10)
	m := join(t, b.config(topic, topic), from(4))
	p := tp(topic, 0)
	m.untilCount(p, 6)
	m.until("the end", func() bool { return m.end[p] == 10 && m.next[p] == 10 })
	m.has(p, sequence(4, 10))
	// Partition 1 has no record at 4: the position does not exist.
	m.until("out of range", func() bool { return len(m.errors) == 1 && m.errors[0].Kind == driver.KindOffsetOutOfRange })
}

func heldUntilStarted(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 3)
	b.produce(topic, 0, 5)
	b.produce(topic, 1, 5)
	m := join(t, b.config(topic, topic), from(-1))
	m.until("assignment", func() bool { return len(m.owned) == 3 })
	m.begin(tp(topic, 1), 0, 5)
	m.untilCount(tp(topic, 1), 5)
	m.begin(tp(topic, 0), 3, 6)
	m.untilCount(tp(topic, 0), 2)
	m.has(tp(topic, 0), []int64{3, 4})
	m.begin(tp(topic, 2), 0, 7)
	m.until("an end without records", func() bool { return m.end[tp(topic, 2)] == 0 && len(m.owned) == 3 })
}

func recordsAsWritten(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 1)
	at := time.UnixMilli(time.Now().UnixMilli())
	b.Produce(t,
		&kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("v"), Timestamp: at, Headers: []kgo.RecordHeader{
			{Key: "h", Value: []byte{0, 255}}, {Key: "h", Value: []byte{}}, {Key: "", Value: nil}}},
		&kgo.Record{Topic: topic, Key: nil, Value: nil, Timestamp: at},
		&kgo.Record{Topic: topic, Key: []byte{}, Value: []byte{}, Timestamp: at},
	)
	m := join(t, b.config(topic, topic), from(0))
	m.untilCount(tp(topic, 0), 3)
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.records[tp(topic, 0)]
	if string(r[0].Key) != "k" || string(r[0].Value) != "v" || r[0].Timestamp != at.UnixMilli() || r[0].TimestampType != event.CreateTime {
		t.Errorf("record 0: %+v", r[0])
	}
	h := r[0].Headers
	if len(h) != 3 || h[0].Key != "h" || !slices.Equal(h[0].Value, []byte{0, 255}) || h[1].Value == nil || len(h[1].Value) != 0 ||
		h[2].Key != "" || h[2].Value != nil {
		t.Errorf("headers: %#v", h)
	}
	if r[1].Key != nil || r[1].Value != nil || r[1].Headers != nil {
		t.Errorf("tombstone: %#v", r[1])
	}
	if r[2].Key == nil || r[2].Value == nil || len(r[2].Key)+len(r[2].Value) != 0 {
		t.Errorf("empty: %#v", r[2])
	}
}

func transactions(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 1)
	p := tp(topic, 0)
	producer := b.Connect(t, kgo.TransactionalID(topic), kgo.DefaultProduceTopic(topic))
	transaction := func(n int, commit kgo.TransactionEndTry) {
		t.Helper()
		if err := producer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range n {
			if err := producer.ProduceSync(t.Context(), &kgo.Record{Value: []byte("v")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := producer.EndTransaction(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
	}
	transaction(3, kgo.TryCommit) // 0-2, marker 3
	transaction(3, kgo.TryAbort)  // 4-6, marker 7
	m := join(t, b.config(topic, topic), from(0))
	m.until("the end past the markers", func() bool { return m.next[p] == 8 && m.end[p] == 8 })
	m.has(p, sequence(0, 3))

	config := b.config(topic+"-all", topic)
	config.ReadUncommitted = true
	all := join(t, config, from(0))
	all.until("the end past the markers", func() bool { return all.next[p] == 8 && all.end[p] == 8 })
	all.has(p, []int64{0, 1, 2, 4, 5, 6})

	transaction(2, kgo.TryCommit) // 8, 9, marker 10
	m.until("the end past the markers", func() bool { return m.next[p] == 11 && m.end[p] == 11 })
	m.has(p, []int64{0, 1, 2, 8, 9})
}

func movesRunning(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 1)
	p := tp(topic, 0)
	b.produce(topic, 0, 2000)
	m := join(t, b.config(topic, topic), from(0))
	m.untilCount(p, 10)
	m.begin(p, 1500, 2)
	m.until("the records of epoch 2", func() bool {
		return len(m.epochs[p]) > 0 && m.epochs[p][len(m.epochs[p])-1] == 2 && m.next[p] == 2000
	})
	m.begin(p, 5, 3)
	m.until("the records of epoch 3", func() bool {
		return len(m.epochs[p]) > 0 && m.epochs[p][len(m.epochs[p])-1] == 3 && m.next[p] == 2000
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	first := map[uint64]int64{2: 1500, 3: 5}
	next := map[uint64]int64{1: 0, 2: 1500, 3: 5}
	last := uint64(1)
	for i, r := range m.records[p] {
		epoch := m.epochs[p][i]
		if epoch < last {
			t.Fatalf("epoch %d after %d", epoch, last)
		}
		last = epoch
		if r.Offset != next[epoch] {
			t.Fatalf("offset %d under epoch %d, want %d (begins at %d)", r.Offset, epoch, next[epoch], first[epoch])
		}
		next[epoch]++
	}
}

func pausesAndGoesOn(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 2)
	p := tp(topic, 0)
	b.produce(topic, 0, 3)
	m := join(t, b.config(topic, topic), from(0))
	m.untilCount(p, 3)
	m.consumer.Pause([]driver.TopicPartition{p})
	// The Poll that reads this record has applied the pause, at the latest.
	b.produce(topic, 1, 1)
	m.untilCount(tp(topic, 1), 1)
	b.produce(topic, 0, 3)
	b.produce(topic, 1, 5)
	m.untilCount(tp(topic, 1), 6)
	m.has(p, sequence(0, 3))
	m.consumer.Resume([]driver.TopicPartition{p})
	m.untilCount(p, 6)
	m.has(p, sequence(0, 6))
}

func startKeepsPause(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 2)
	p := tp(topic, 0)
	b.produce(topic, 0, 3)
	m := join(t, b.config(topic, topic), from(-1))
	m.until("assignment", func() bool { return len(m.owned) == 2 })
	m.consumer.Pause([]driver.TopicPartition{p})
	m.begin(p, 0, 1)
	m.begin(tp(topic, 1), 0, 1)
	b.produce(topic, 1, 3)
	m.untilCount(tp(topic, 1), 3)
	m.begin(p, 1, 2) // moved while paused
	b.produce(topic, 1, 3)
	m.untilCount(tp(topic, 1), 6)
	m.has(p, nil)
	m.consumer.Resume([]driver.TopicPartition{p})
	m.untilCount(p, 2)
	m.has(p, []int64{1, 2})
}

func outOfRangeOnce(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 3)
	for i := range int32(3) {
		b.produce(topic, i, 10)
	}
	b.DeleteRecords(t, topic, map[int32]int64{1: 5})
	m := join(t, b.config(topic, topic), func(m *member) {
		m.onAssign = func([]driver.TopicPartition) {
			m.begin(tp(topic, 0), 0, 1)
			m.begin(tp(topic, 1), 2, 1)
			m.begin(tp(topic, 2), 99, 1)
		}
	})
	m.untilCount(tp(topic, 0), 10)
	m.until("two errors", func() bool { return len(m.errors) >= 2 })
	b.produce(topic, 0, 10)
	m.untilCount(tp(topic, 0), 20)
	m.mu.Lock()
	at := map[driver.TopicPartition]int64{}
	for _, e := range m.errors {
		if e.Kind != driver.KindOffsetOutOfRange {
			t.Errorf("error %v", e)
		}
		at[e.TopicPartition] = e.Offset
	}
	if len(m.errors) != 2 || at[tp(topic, 1)] != 2 || at[tp(topic, 2)] != 99 {
		t.Errorf("errors: %v", m.errors)
	}
	m.mu.Unlock()
	// They are held, and continue when they are started at offsets that exist.
	m.begin(tp(topic, 1), 5, 2)
	m.untilCount(tp(topic, 1), 5)
	m.begin(tp(topic, 2), 10, 2)
	b.produce(topic, 2, 1)
	m.untilCount(tp(topic, 2), 1)
	m.has(tp(topic, 1), sequence(5, 10))
	m.has(tp(topic, 2), []int64{10})
}

func wishesAtOnce(t *testing.T, b *broker) {
	topic := b.NewTopic(t, 1)
	p := tp(topic, 0)
	b.produce(topic, 0, 1)
	m := join(t, b.config(topic, topic), from(-1))
	m.until("assignment", func() bool { return len(m.owned) == 1 })
	var slowest []time.Duration
	for epoch := uint64(1); epoch <= 20; epoch++ {
		before := time.Now()
		m.begin(p, 0, epoch)
		m.until("the record again", func() bool {
			n := len(m.epochs[p])
			return n > 0 && m.epochs[p][n-1] == epoch
		})
		slowest = append(slowest, time.Since(before))
	}
	slices.Sort(slowest)
	// Allow for Poll's slice, a fetch and a busy machine. Waiting for Poll's full second would show.
	if median := slowest[10]; median > 250*time.Millisecond {
		t.Errorf("a Start takes %v (median)", median)
	}
	t.Logf("Start to record: median %v, slowest %v", slowest[10], slowest[19])
	// A waiting Poll ends with its context.
	m.stop()
	before := time.Now()
	<-m.done
	if took := time.Since(before); took > 500*time.Millisecond {
		t.Errorf("Poll went on for %v after its context", took)
	}
	var fetch driver.Fetch
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := m.consumer.Poll(ctx, &fetch); err != nil || len(fetch.Runs)+len(fetch.Errors) > 0 {
		t.Errorf("Poll with an ended context: %v, %+v", err, fetch)
	}
}
