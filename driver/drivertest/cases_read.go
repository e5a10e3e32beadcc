package drivertest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

var readCases = []testCase{
	{name: "read/record", run: func(k *kit) {
		topic := k.topic(1)
		at := time.Now().Add(-time.Hour).UnixMilli()
		produced := []Record{
			{Key: nil, Value: []byte("no key"), Timestamp: at},
			{Key: []byte{}, Value: []byte("empty key")},
			{Key: []byte("tombstone"), Value: nil},
			{Key: []byte("empty value"), Value: []byte{}},
			{Key: []byte{0, 0xff}, Value: []byte{0xff, 0xfe, 0}},
		}
		k.env.Produce(k, topic, produced...)
		records := k.open(topic).waitRecords(tp(topic, 0), len(produced))
		for i, want := range produced {
			got := records[i]
			if got.Offset != int64(i) || got.Topic != topic || got.Partition != 0 {
				k.Errorf("record %d is %s-%d@%d", i, got.Topic, got.Partition, got.Offset)
			}
			if !same(got.Key, want.Key) || !same(got.Value, want.Value) {
				k.Errorf("record %d: key %#v value %#v, want %#v and %#v", i, got.Key, got.Value, want.Key, want.Value)
			}
			if len(got.Headers) != 0 {
				k.Errorf("record %d has headers %v, want none", i, got.Headers)
			}
		}
		if r := records[0]; r.Timestamp != at || r.TimestampType != event.CreateTime {
			k.Errorf("timestamp %d (%v), want %d (%v)", r.Timestamp, r.TimestampType, at, event.CreateTime)
		}
	}},
	{name: "read/header names", needs: []string{needHeaders}, run: func(k *kit) {
		topic := k.topic(1)
		want := []event.Header{{Key: "a\x00b", Value: []byte("v")}, {Key: "", Value: []byte("w")}, {Key: "\x00", Value: []byte{}}, {Key: "last", Value: nil}}
		k.env.Produce(k, topic, Record{Value: []byte("v"), Headers: want})
		got := k.open(topic).waitRecords(tp(topic, 0), 1)[0].Headers
		if !slices.EqualFunc(got, want, func(a, b event.Header) bool { return a.Key == b.Key && same(a.Value, b.Value) }) {
			k.Errorf("headers %#v, want %#v", got, want)
		}
	}},
	{name: "read/no timestamp", needs: []string{needHeaders}, run: func(k *kit) {
		topic := k.topic(1)
		k.env.Produce(k, topic, Record{Value: []byte("v"), Timestamp: -1})
		// As in the Java client: the timestamp type is the batch's.
		if r := k.open(topic).waitRecords(tp(topic, 0), 1)[0]; r.TimestampType != event.CreateTime || r.Timestamp != -1 {
			k.Errorf("a record without a timestamp is %v %d, want %v -1", r.TimestampType, r.Timestamp, event.CreateTime)
		}
	}},
	{name: "read/small fetches", run: func(k *kit) {
		topic := k.topic(1)
		k.env.Produce(k, topic, Record{Value: make([]byte, 40_000)}, Record{Value: []byte("v")})
		small := config(func(c *driver.Config) { c.FetchMaxBytes, c.FetchMaxPartitionBytes = 10_000, 5_000 })
		k.open(topic, small).waitRecords(tp(topic, 0), 2)
	}},
	{name: "read/headers", needs: []string{needHeaders}, run: func(k *kit) {
		topic := k.topic(1)
		want := []event.Header{
			{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte{0x80, 0}}, {Key: "a", Value: []byte("2")},
			{Key: "empty", Value: []byte{}}, {Key: "null", Value: nil}, {Key: "", Value: []byte("no name")},
		}
		k.env.Produce(k, topic, Record{Value: []byte("v"), Headers: want})
		got := k.open(topic).waitRecords(tp(topic, 0), 1)[0].Headers
		if !slices.EqualFunc(got, want, func(a, b event.Header) bool { return a.Key == b.Key && same(a.Value, b.Value) }) {
			k.Errorf("headers %#v, want %#v", got, want)
		}
	}},
	{name: "read/append time", needs: []string{needAppendTime}, run: func(k *kit) {
		topic := k.prefix
		k.env.AppendTime(k, topic)
		begin := time.Now().Add(-time.Minute).UnixMilli()
		k.env.Produce(k, topic, Record{Value: []byte("v"), Timestamp: begin - time.Hour.Milliseconds()})
		r := k.open(topic).waitRecords(tp(topic, 0), 1)[0]
		if r.TimestampType != event.LogAppendTime || r.Timestamp < begin {
			k.Errorf("timestamp %d (%v), want the broker's of about %d (%v)", r.Timestamp, r.TimestampType, time.Now().UnixMilli(), event.LogAppendTime)
		}
	}},
	{name: "read/records belong to the receiver", run: func(k *kit) {
		topic := k.topic(1)
		k.produce(topic, 0, 3)
		m := k.open(topic)
		first := slices.Clone(m.waitRecords(tp(topic, 0), 3))
		k.produce(topic, 0, 2000)
		m.waitRecords(tp(topic, 0), 2003)
		for i, r := range first {
			if r.Offset != int64(i) || string(r.Value) != fmt.Sprint(i) {
				k.Errorf("record %d became %d=%q when later ones were read", i, r.Offset, r.Value)
			}
		}
	}},
	{name: "read/an append to a key or a value copies", run: func(k *kit) {
		// Handlers may append: the memory after a key or a value belongs to another record.
		topic := k.topic(1)
		const n = 50
		text := func(what string, i int) []byte { return fmt.Appendf(nil, "%s %d", what, i) }
		produced := make([]Record, n)
		for i := range produced {
			produced[i] = Record{Key: text("key", i), Value: text("value", i)}
			if k.env.Lacks[needHeaders] == "" {
				produced[i].Headers = []event.Header{{Key: "a", Value: text("header", i)}, {Key: "b", Value: []byte{}}}
			}
		}
		k.env.Produce(k, topic, produced...)
		records := k.open(topic).waitRecords(tp(topic, 0), n)
		write := func(i int, what string, b []byte) {
			if cap(b) != len(b) {
				k.Errorf("record %d: %s has room for %d bytes behind its %d", i, what, cap(b)-len(b), len(b))
			}
			_ = append(b, "overwritten by an append"...)
		}
		for i := range records {
			r := &records[i]
			write(i, "the key", r.Key)
			write(i, "the value", r.Value)
			for j := range r.Headers {
				write(i, "a header's value", r.Headers[j].Value)
			}
			if cap(r.Headers) != len(r.Headers) {
				k.Errorf("record %d: the headers have room for %d more", i, cap(r.Headers)-len(r.Headers))
			}
		}
		for i, r := range records {
			if !same(r.Key, produced[i].Key) || !same(r.Value, produced[i].Value) ||
				!slices.EqualFunc(r.Headers, produced[i].Headers, func(a, b event.Header) bool { return a.Key == b.Key && same(a.Value, b.Value) }) {
				k.Errorf("record %d became %q=%q %q", i, r.Key, r.Value, r.Headers)
			}
		}
	}},
	{name: "read/aborted, committed, marker at the tail", needs: []string{needBegin}, run: func(k *kit) {
		topic := k.topic(1)
		p := tp(topic, 0)
		k.produce(topic, 0, 1)
		k.env.Begin(k, topic, Record{Value: []byte("aborted")}, Record{Value: []byte("aborted")})(false)
		k.env.Begin(k, topic, Record{Value: []byte("committed")})(true)
		k.env.Begin(k, topic, Record{Value: []byte("aborted")})(false)
		// 0 is committed, 1 and 2 aborted, 3 a marker, 4 committed, 5 a marker, 6 aborted, 7 a marker.
		m := k.open(topic)
		m.wait("the end past the markers", func(s *seen) bool { return s.part(p).next == 8 })
		m.look(func(s *seen) {
			r := s.part(p).records
			if len(r) != 2 || r[0].Offset != 0 || r[1].Offset != 4 || string(r[1].Value) != "committed" {
				k.Errorf("read %d records, want those at 0 and 4: %v", len(r), offsets(r))
			}
			if end := s.part(p).end; end != 8 && end != -1 {
				k.Errorf("End is %d, want 8", end)
			}
		})
		// A marker arrives while the reader waits at the end.
		k.env.Begin(k, topic, Record{Value: []byte("aborted")})(false)
		m.wait("the end past the new marker", func(s *seen) bool { return s.part(p).next == 10 })
		dirty := k.open(topic, config(func(c *driver.Config) { c.ReadUncommitted, c.GroupID = true, c.GroupID+"-dirty" }), alone)
		dirty.wait("the end", func(s *seen) bool { return s.part(p).next == 10 })
		dirty.look(func(s *seen) {
			if got := offsets(s.part(p).records); !slices.Equal(got, []int64{0, 1, 2, 4, 6, 8}) {
				k.Errorf("read uncommitted: %v", got)
			}
		})
	}},
	{name: "read/open transaction", needs: []string{needBegin}, run: func(k *kit) {
		topic := k.topic(2)
		p := tp(topic, 0)
		k.produce(topic, 0, 2)
		end := k.env.Begin(k, topic, Record{Value: []byte("pending")})
		m := k.open(topic)
		m.waitRecords(p, 2)
		// The other partition is the clock.
		k.produce(topic, 1, 5)
		m.waitRecords(tp(topic, 1), 5)
		m.look(func(s *seen) {
			if n := len(s.part(p).records); n != 2 {
				k.Errorf("%d records, want 2: one of an open transaction was read", n)
			}
		})
		answers, err := m.c.ListOffsets(k.ctx(), []driver.OffsetQuery{{TopicPartition: p, At: driver.AtEnd}})
		if err != nil || len(answers) != 1 || answers[0].Err != nil || answers[0].Offset != 2 {
			k.Errorf("AtEnd with an open transaction: %+v, %v, want 2", answers, err)
		}
		end(true)
		m.waitRecords(p, 3)
		m.wait("the end past the marker", func(s *seen) bool { return s.part(p).next == 4 })
	}},
	{name: "read/compaction gaps", needs: []string{needCompacted}, run: func(k *kit) {
		topic := k.prefix
		left := k.env.Compacted(k, topic)
		m := k.open(topic)
		m.waitRecords(tp(topic, 0), len(left))
		m.look(func(s *seen) {
			if got := offsets(s.part(tp(topic, 0)).records); !slices.Equal(got, left) {
				k.Errorf("read %v, want %v", got, left)
			}
		})
	}},
	{name: "read/5 MB record", run: func(k *kit) {
		topic := k.topic(1, "max.message.bytes=6000000")
		big := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
		k.env.Produce(k, topic, Record{Value: []byte("before")}, Record{Value: big}, Record{Value: []byte("after")})
		small := config(func(c *driver.Config) {
			c.FetchMaxPartitionBytes, c.FetchMaxBytes, c.BufferBytes = 64<<10, 1<<20, 1<<20
		})
		records := k.open(topic, small).waitRecords(tp(topic, 0), 3)
		if !bytes.Equal(records[1].Value, big) {
			k.Errorf("the record has %d bytes, want %d", len(records[1].Value), len(big))
		}
	}},
	{name: "read/many", run: func(k *kit) {
		topic := k.topic(4)
		for p := range int32(4) {
			k.produce(topic, p, 5000)
		}
		m := k.open(topic)
		for p := range int32(4) {
			for i, r := range m.waitRecords(tp(topic, p), 5000) {
				if r.Offset != int64(i) || string(r.Value) != fmt.Sprint(i) {
					k.Fatalf("record %d of partition %d is %d=%q", i, p, r.Offset, r.Value)
				}
			}
		}
	}},
	{name: "read/empty Poll", run: func(k *kit) {
		topic := k.topic(1)
		m := k.open(topic)
		m.waitOwns(tp(topic, 0))
		release := m.park()
		defer release()
		var fetch driver.Fetch
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		begin := time.Now()
		if err := m.c.Poll(ctx, &fetch); err != nil || len(fetch.Runs) != 0 {
			k.Errorf("Poll with an ended context: %v with %d runs, want nothing and no error", err, len(fetch.Runs))
		}
		if d := time.Since(begin); d > 2*time.Second {
			k.Errorf("Poll with an ended context took %v", d)
		}
		begin = time.Now()
		m.mu.Lock()
		m.inPoll = true
		m.mu.Unlock()
		if err := m.c.Poll(context.Background(), &fetch); err != nil {
			k.Errorf("Poll: %v", err)
		}
		if d := time.Since(begin); d > 5*time.Second {
			k.Errorf("a Poll with nothing to report took %v, want about a second", d)
		}
	}},
}

// alone excludes a member of another group from the check of owners.
func alone(_ *driver.Config, m *member) { m.watch = newOwners() }

func offsets(records []event.KafkaRecord) []int64 {
	out := make([]int64, len(records))
	for i := range records {
		out[i] = records[i].Offset
	}
	return out
}

// same reports whether a and b are equal; nil differs from empty.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
