package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/internal/kafkatest"
)

// produceBig writes records without a limit on their size.
func produceBig(t testing.TB, c *kafkatest.Client, records ...*kgo.Record) {
	t.Helper()
	producer := c.Connect(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(16<<20),
		kgo.MaxBufferedRecords(10), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0))
	defer producer.Close()
	for _, r := range records { // one batch each
		if err := producer.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARecordOverTheLimitIsDeliveredAlone(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1, "max.message.bytes=16777216")
		big := bytes.Repeat([]byte("7 megabytes. "), 7<<20/13)
		produceBig(t, e.Client, &kgo.Record{Topic: "t", Value: []byte("before")}, &kgo.Record{Topic: "t", Value: big},
			&kgo.Record{Topic: "t", Value: []byte("after")})
		p := e.run(t, e.mapping("t"), nil)
		e.committed(t, "t", map[int32]int64{0: 3}, p)
		p.endClean()
		wantOffsets(t, offsets("t", p), map[int32][]int64{0: span(0, 3)})
		if !slices.Equal(p.batches, []int{1, 1, 1}) {
			t.Errorf("batches of %v records, want the big one alone", p.batches)
		}
		if got := p.records[esm.TopicPartition{Topic: "t"}][1].Value; !bytes.Equal(got, big) {
			t.Errorf("%d bytes arrived, not the %d produced", len(got), len(big))
		}
	})
}

func TestOddRecordsArriveAsTheyAre(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1, "max.message.bytes=4194304")
		many := make([]kgo.RecordHeader, 10_000)
		for i := range many {
			many[i] = kgo.RecordHeader{Key: fmt.Sprint("h", i%100), Value: []byte{byte(i), 0xff}}
		}
		stamp := time.UnixMilli(1_700_000_000_123)
		sent := []*kgo.Record{
			{Value: []byte("\xff\xfe not UTF-8 \x00\x80"), Key: []byte("\xc3\x28")},
			{Value: []byte("headers"), Headers: many},
			{Key: []byte("tombstone")},
			{Key: []byte("empty value"), Value: []byte{}},
			{Key: []byte{}, Value: []byte("empty key")},
			{Value: []byte("a header without a value"), Headers: []kgo.RecordHeader{{Key: "nil"}, {Key: "", Value: []byte{}}}},
			{Value: []byte("a header that is not UTF-8"), Headers: []kgo.RecordHeader{{Key: "\xff\xc3\x28", Value: []byte("\xfe\x80")}}},
		}
		for _, r := range sent {
			r.Topic, r.Timestamp = "t", stamp
		}
		produceBig(t, e.Client, sent...)
		p := e.run(t, e.mapping("t"), func(_ context.Context, event esm.KafkaEvent) error {
			data, err := json.Marshal(event)
			if err != nil {
				return err
			}
			var back esm.KafkaEvent
			if err := json.Unmarshal(data, &back); err != nil {
				return err
			}
			if n, m := len(event.Records["t-0"]), len(back.Records["t-0"]); n != m {
				return fmt.Errorf("%d records became %d", n, m)
			}
			return nil
		})
		e.committed(t, "t", map[int32]int64{0: int64(len(sent))}, p)
		p.endClean()
		if len(p.retries) > 0 {
			t.Errorf("the event did not survive JSON: %v", p.retries[0].Err)
		}
		for i, r := range p.records[esm.TopicPartition{Topic: "t"}] {
			want := sent[i]
			if !same(r.Key, want.Key) || !same(r.Value, want.Value) {
				t.Errorf("record %d: key %q (nil %v), value %q (nil %v); want %q (nil %v), %q (nil %v)", i, r.Key, r.Key == nil,
					r.Value, r.Value == nil, want.Key, want.Key == nil, want.Value, want.Value == nil)
			}
			if r.Timestamp != stamp.UnixMilli() {
				t.Errorf("record %d: timestamp %d, want %d", i, r.Timestamp, stamp.UnixMilli())
			}
			if len(r.Headers) != len(want.Headers) {
				t.Fatalf("record %d: %d headers, want %d", i, len(r.Headers), len(want.Headers))
			}
			for k, h := range want.Headers {
				if got := r.Headers[k]; got.Key != h.Key || !bytes.Equal(got.Value, h.Value) {
					t.Fatalf("record %d, header %d: %q=%q, want %q=%q", i, k, got.Key, got.Value, h.Key, h.Value)
				}
			}
		}
	})
}

// same is bytes.Equal, but distinguishes nil from empty.
func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// transact writes n records in one transaction.
func transact(t testing.TB, c *kafkatest.Client, topic, id string, n int, commit kgo.TransactionEndTry) {
	t.Helper()
	producer := c.Connect(t, kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer producer.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := producer.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%s %d", id, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := producer.EndTransaction(ctx, commit); err != nil {
		t.Fatal(err)
	}
}

func TestATransactionalTopicIsReadToItsLastMarker(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1)
		transact(t, e.Client, "t", "first", 5, kgo.TryCommit) // 0-4, marker 5
		transact(t, e.Client, "t", "aborted", 5, kgo.TryAbort)
		transact(t, e.Client, "t", "second", 3, kgo.TryCommit) // 12-14, marker 15
		transact(t, e.Client, "t", "tail", 4, kgo.TryAbort)    // 16-19, marker 20
		p := e.run(t, e.mapping("t"), nil)
		e.committed(t, "t", map[int32]int64{0: 21}, p)
		eventually(t, "lag 0", func() bool {
			s := p.runner.Status()
			return len(s.Partitions) == 1 && s.Partitions[0].Lag == 0 && s.Partitions[0].End == 21
		}, p)
		p.endClean()
		wantOffsets(t, offsets("t", p), map[int32][]int64{0: append(span(0, 5), span(12, 15)...)})
	})
}

func TestACompactedTopic(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1, "cleanup.policy=compact", "min.compaction.lag.ms=0")
		for i, key := range []string{"first", "a", "b", "a", "gone", "b", "gone", "last"} {
			r := &kgo.Record{Topic: "t", Key: []byte(key), Value: []byte(key)}
			if i == 6 {
				r.Value = nil
			}
			produceBig(t, e.Client, r)
		}
		e.fake.Kfake.Compact()
		p := e.run(t, e.mapping("t"), nil)
		e.committed(t, "t", map[int32]int64{0: 8}, p)
		p.endClean()
		got := offsets("t", p)[0]
		if !slices.IsSorted(got) || len(got) >= 8 || !slices.Contains(got, 7) || slices.Contains(got, 1) || slices.Contains(got, 2) {
			t.Errorf("handled %v, want what compaction left, in order", got)
		}
	})
}
