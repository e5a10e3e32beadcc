package franz

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

func TestRecordFidelity(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, "t"))
	at := time.UnixMilli(1700000000123)
	produce(t, c.ListenAddrs(),
		&kgo.Record{Topic: "t", Timestamp: at, Key: []byte("k"), Value: nil},
		&kgo.Record{Topic: "t", Timestamp: at, Key: nil, Value: []byte{}},
		&kgo.Record{Topic: "t", Timestamp: at, Key: []byte{}, Value: bytes.Repeat([]byte("x"), 500_000), Headers: []kgo.RecordHeader{
			{Key: "h", Value: []byte("1")}, {Key: "h", Value: nil}, {Key: "", Value: []byte{}},
		}},
	)
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(0))
	one := tp("t", 0)
	m.until(t, "read", func() bool { return m.next[one] == 3 })
	want := []event.KafkaRecord{
		{Topic: "t", Offset: 0, Timestamp: at.UnixMilli(), Key: []byte("k")},
		{Topic: "t", Offset: 1, Timestamp: at.UnixMilli(), Value: []byte{}},
		{Topic: "t", Offset: 2, Timestamp: at.UnixMilli(), Key: []byte{}, Value: bytes.Repeat([]byte("x"), 500_000), Headers: []event.Header{
			{Key: "h", Value: []byte("1")}, {Key: "h"}, {Value: []byte{}},
		}},
	}
	if got := m.records[one]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	total := 0
	for _, r := range m.runs {
		total += r.Bytes
	}
	if total < 500_000 || total > 502_000 {
		t.Errorf("%d bytes charged", total)
	}
}

func TestTimestampTypes(t *testing.T) {
	at := time.UnixMilli(1700000000123)
	var in []*kgo.Record
	for i, kind := range []int8{0, 1, -1} {
		r := &kgo.Record{Offset: int64(i), Attrs: kgo.NewRecordAttrs(kgo.RecordAttrsOpts{TimestampType: kind})}
		if kind >= 0 {
			r.Timestamp = at
		}
		in = append(in, r)
	}
	c := &consumer{}
	c.assigned.init()
	var got driver.Fetch
	c.deliver(&partition{TopicPartition: tp("t", 0)}, &kgo.FetchPartition{Records: in}, &got)
	rs := got.Runs[0].Records
	if rs[0].TimestampType != event.CreateTime || rs[0].Timestamp != at.UnixMilli() ||
		rs[1].TimestampType != event.LogAppendTime || rs[1].Timestamp != at.UnixMilli() ||
		rs[2].TimestampType != event.NoTimestampType || rs[2].Timestamp != -1 {
		t.Errorf("got %+v", rs)
	}
}

// transaction writes a transaction of n records and ends it.
func transaction(t *testing.T, servers []string, n int, end kgo.TransactionEndTry) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(servers...), kgo.TransactionalID("x"), kgo.DefaultProduceTopic("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), values("t", 0, 0, n)...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), end); err != nil {
		t.Fatal(err)
	}
}

func TestTransactions(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, "t"))
	transaction(t, c.ListenAddrs(), 3, kgo.TryCommit) // 0-2, marker 3
	transaction(t, c.ListenAddrs(), 4, kgo.TryAbort)  // 4-7, marker 8
	one := tp("t", 0)
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(0))
	m.until(t, "the position is behind the last marker", func() bool { return m.next[one] == 9 && m.end[one] == 9 })
	if n := len(m.records[one]); n != 3 {
		t.Errorf("%d records under read_committed", n)
	}
	cfg := config(c.ListenAddrs(), "g2", "t")
	cfg.ReadUncommitted = true
	u := join(t, cfg, startAt(0))
	u.until(t, "the position is behind the last marker", func() bool { return u.next[one] == 9 })
	if n := len(u.records[one]); n != 7 {
		t.Errorf("%d records under read_uncommitted", n)
	}
	// A position that moves without records is reported.
	s := join(t, config(c.ListenAddrs(), "g3", "t"), startAt(4))
	s.until(t, "moved", func() bool { return s.next[one] == 9 })
	if len(s.records[one]) != 0 || len(s.runs) != 1 {
		t.Errorf("%d runs, %d records", len(s.runs), len(s.records[one]))
	}
}

func TestLeaderEpochs(t *testing.T) {
	c := cluster(t, kfake.NumBrokers(2), kfake.SeedTopics(1, "t"))
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(0))
	m.until(t, "assigned", func() bool { return len(m.owned) == 1 })
	one := tp("t", 0)
	for i := range 3 {
		produce(t, c.ListenAddrs(), values("t", 0, 0, 5)...)
		m.until(t, "read", func() bool { return m.next[one] == int64(5*i+5) })
		if err := c.MoveTopicPartition("t", 0, int32((int(c.LeaderFor("t", 0))+1)%2)); err != nil {
			t.Fatal(err)
		}
	}
	again := join(t, config(c.ListenAddrs(), "g2", "t"), startAt(0))
	again.until(t, "read", func() bool { return again.next[one] == 15 })
	if len(again.records[one]) != 15 || len(m.records[one]) != 15 {
		t.Errorf("%d and %d records", len(again.records[one]), len(m.records[one]))
	}
	seen := map[int32]bool{}
	for _, r := range again.runs {
		seen[r.LeaderEpoch] = true
	}
	if len(seen) != 3 {
		t.Errorf("leader epochs %v", seen)
	}
}

// Whatever a fetch holds, its runs hold the records that are not markers, in order, each under its own leader epoch,
// and none from before the position.
func TestDeliver(t *testing.T) {
	control := kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Int64Range(0, 20).Draw(t, "position")
		offset, epoch := rapid.Int64Range(0, 20).Draw(t, "first"), int32(0)
		var in []*kgo.Record
		var want []int64
		epochs := map[int64]int32{}
		for range rapid.IntRange(1, 40).Draw(t, "records") {
			r := &kgo.Record{Topic: "t", Offset: offset, LeaderEpoch: epoch, Timestamp: time.UnixMilli(offset)}
			if rapid.IntRange(0, 3).Draw(t, "marker") == 0 {
				r.Attrs = control
			} else if offset >= from {
				want = append(want, offset)
			}
			for range rapid.IntRange(0, 2).Draw(t, "headers") {
				r.Headers = append(r.Headers, kgo.RecordHeader{Key: "h"})
			}
			epochs[offset] = epoch
			in = append(in, r)
			offset += rapid.Int64Range(1, 3).Draw(t, "gap")
			epoch += rapid.Int32Range(0, 1).Draw(t, "epoch")
		}
		c := &consumer{}
		c.assigned.init()
		p := &partition{TopicPartition: tp("t", 0), next: from, started: true, live: true}
		var got driver.Fetch
		c.deliver(p, &kgo.FetchPartition{Records: in, HighWatermark: 99, LastStableOffset: 98}, &got)

		var offsets []int64
		next := from
		for _, run := range got.Runs {
			if run.Next <= next && run.Next != from || run.End != 98 {
				t.Fatalf("next %d after %d, end %d", run.Next, next, run.End)
			}
			for _, r := range run.Records {
				if epochs[r.Offset] != run.LeaderEpoch || r.Offset >= run.Next || r.Timestamp != r.Offset {
					t.Fatalf("offset %d of epoch %d in a run of epoch %d to %d", r.Offset, epochs[r.Offset], run.LeaderEpoch, run.Next)
				}
				offsets = append(offsets, r.Offset)
			}
			next = run.Next
		}
		if !reflect.DeepEqual(offsets, want) {
			t.Fatalf("got %v, want %v", offsets, want)
		}
		if last := in[len(in)-1].Offset; last >= from && (next != last+1 || p.next != last+1) {
			t.Fatalf("next is %d and %d after %d", next, p.next, last)
		}
	})
}

// Records that were not given back do not change, whatever later Polls return.
func TestOnlyRecordsGivenBackAreWrittenAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &consumer{}
		c.assigned.init()
		parts := []*partition{}
		for i := range int32(3) {
			parts = append(parts, &partition{TopicPartition: tp("t", i), started: true, live: true})
		}
		var into driver.Fetch
		type kept struct{ records, copies []event.KafkaRecord }
		var keep []kept
		again := 0
		seen := map[*event.KafkaRecord]bool{}
		for range rapid.IntRange(1, 6).Draw(t, "polls") {
			into.Reset()
			for _, p := range parts {
				var in []*kgo.Record
				epoch := int32(0)
				for range rapid.IntRange(0, 12).Draw(t, "records") {
					in = append(in, &kgo.Record{Offset: p.next + int64(len(in)), LeaderEpoch: epoch, Timestamp: time.UnixMilli(1)})
					epoch += rapid.Int32Range(0, 4).Draw(t, "epoch") / 4
				}
				if len(in) > 0 {
					c.deliver(p, &kgo.FetchPartition{Records: in, HighWatermark: 99, LastStableOffset: 98}, &into)
				}
			}
			for _, run := range into.Runs {
				first := &run.Records[0]
				if seen[first] {
					again++
				}
				seen[first] = true
				if rapid.Bool().Draw(t, "give back") {
					into.GiveBack(run.Records)
				} else {
					keep = append(keep, kept{run.Records, slices.Clone(run.Records)})
				}
			}
		}
		for _, k := range keep {
			if !reflect.DeepEqual(k.records, k.copies) {
				t.Fatalf("%v was written over: %v", k.copies, k.records)
			}
		}
		if again > 0 {
			t.Logf("%d runs in memory that was used before", again)
		}
	})
}
