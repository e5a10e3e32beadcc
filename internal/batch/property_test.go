package batch

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/size"
)

// drawRecords returns n records of a partition from an offset on, with gaps.
func drawRecords(t *rapid.T, tp event.TopicPartition, from int64, n int) []event.KafkaRecord {
	records := make([]event.KafkaRecord, n)
	for i := range records {
		records[i] = event.KafkaRecord{Topic: tp.Topic, Partition: tp.Partition, Offset: from, Timestamp: 1_700_000_000_000,
			Value: make([]byte, rapid.SampledFrom([]int{0, 1, 10, 100, 400}).Draw(t, "bytes"))}
		from += int64(rapid.SampledFrom([]int{1, 1, 1, 3}).Draw(t, "step"))
	}
	return records
}

func largestOf(records []event.KafkaRecord) int {
	_, largest := size.Run(records)
	return largest
}

func sizeOf(records []event.KafkaRecord) int {
	n := 0
	for i := range records {
		n += size.Record(&records[i])
	}
	return n
}

// lane is a lane owned by its partition.
type lane = Lane[event.TopicPartition]

func newLane(i int32) *lane {
	tp := event.TopicPartition{Topic: "t", Partition: i}
	return &lane{Owner: tp, Key: tp.String(), Overhead: size.Partition("t", i)}
}

// A buffer returns what was added, in order, within the limits of each Take, and its sums are exact, even if runs are
// contiguous in one slab.
func TestBufferProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b Buffer
		var in, out []int64
		tp := event.TopicPartition{Topic: "t"}
		next, held, heldOut := int64(0), 0, 0
		slab := make([]event.KafkaRecord, 0, 64)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "add") {
				records := drawRecords(t, tp, next, rapid.IntRange(0, 8).Draw(t, "n"))
				if n := len(records); n > 0 {
					next = records[n-1].Offset + 1
				}
				for _, r := range records {
					in = append(in, r.Offset)
				}
				if rapid.Bool().Draw(t, "slab") && cap(slab)-len(slab) >= len(records) {
					at := len(slab)
					slab = append(slab, records...)
					records = slab[at:]
				}
				h := rapid.IntRange(0, 1000).Draw(t, "held")
				if len(records) > 0 {
					held += h
				}
				b.Add(Chunk{Records: records, Arrived: time.Unix(next, 0), Size: sizeOf(records), Largest: largestOf(records), Held: h})
			} else {
				n, room := rapid.IntRange(1, 20).Draw(t, "most"), rapid.IntRange(0, 3000).Draw(t, "room")
				force, count := rapid.Bool().Draw(t, "force"), b.Count
				u := b.Take(n, room, force)
				heldOut += u.Held
				for _, r := range u.Records {
					out = append(out, r.Offset)
				}
				// The unit's own size is only approximate if room is ample. The limit holds for the true size.
				bytes := sizeOf(u.Records)
				if len(u.Records) > n || bytes > room && (!force || len(u.Records) > 1) {
					t.Fatalf("took %d records of %d bytes, at most %d of %d were asked for", len(u.Records), bytes, n, room)
				}
				if force && count > 0 && len(u.Records) == 0 {
					t.Fatal("a forced take of a buffer with records took none")
				}
				if first := b.First(); first != nil && len(u.Records) < n && bytes+size.Record(first) <= room {
					t.Fatalf("left %d behind, which fits", first.Offset)
				}
				if k := len(u.Records); cap(u.Records) > k {
					t.Fatal("an append to the unit would write into the buffer")
				}
			}
			if b.Count != len(in)-len(out) || b.Held != held-heldOut {
				t.Fatalf("count %d held %d, want %d and %d", b.Count, b.Held, len(in)-len(out), held-heldOut)
			}
		}
		rest := b.Take(1<<30, 1<<60, false)
		for _, r := range rest.Records {
			out = append(out, r.Offset)
		}
		if !slices.Equal(in, out) {
			t.Fatalf("in %v\nout %v", in, out)
		}
		if b.Count != 0 || b.Size != 0 || b.Held != 0 || heldOut+rest.Held != held {
			t.Fatalf("the empty buffer says %d records, %d bytes, %d held; %d of %d held came out", b.Count, b.Size, b.Held, heldOut+rest.Held, held)
		}
	})
}

// The pool neither loses nor repeats records, keeps the order of every partition, and never has a partition in two
// batches. No batch exceeds BatchSize or the payload limit, except for a single record that is larger on its own.
func TestPoolProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		envelope := event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: "b:9092"}
		l := Limits{
			BatchSize: rapid.IntRange(1, 20).Draw(t, "BatchSize"),
			Window:    time.Duration(rapid.IntRange(0, 5).Draw(t, "window")) * time.Second,
			Payload:   rapid.IntRange(200, 4000).Draw(t, "payload"),
			Envelope:  size.Envelope(envelope),
		}
		parts := make([]*lane, rapid.IntRange(1, 5).Draw(t, "partitions"))
		in, out := make([][]int64, len(parts)), make([][]int64, len(parts))
		for i := range parts {
			parts[i] = newLane(int32(i))
		}
		var pool Pool[event.TopicPartition]
		now := time.Unix(1000, 0)
		flying := make(map[*lane]bool)
		take := func() {
			taken, count, size := pool.Take(l)
			records := make(map[string][]event.KafkaRecord)
			n := 0
			for _, part := range taken {
				p := part.Lane
				if flying[p] {
					t.Fatalf("%s is in two batches", p.Key)
				}
				flying[p] = true
				if len(p.Work) != 1 || &p.Work[0].Records[0] != &part.Records[0] {
					t.Fatalf("%s: its work is not what was taken", p.Key)
				}
				for _, r := range part.Records {
					out[p.Owner.Partition] = append(out[p.Owner.Partition], r.Offset)
				}
				records[p.Key] = part.Records
				n += len(part.Records)
			}
			e := envelope
			e.Records = records
			encoded := len(e.AppendJSON(nil))
			if count != n || size <= 0 {
				t.Fatalf("the batch says %d records, %d bytes; it has %d, %d", count, size, n, encoded)
			}
			if n == 0 || n > l.BatchSize || encoded > l.Payload && n > 1 {
				t.Fatalf("a batch of %d records, %d bytes; limits %+v", n, encoded, l)
			}
		}
		next := map[int32]int64{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms")) * time.Millisecond)
			p := parts[rapid.IntRange(0, len(parts)-1).Draw(t, "p")]
			switch rapid.IntRange(0, 2).Draw(t, "op") {
			case 0:
				records := drawRecords(t, p.Owner, next[p.Owner.Partition], rapid.IntRange(1, 12).Draw(t, "n"))
				next[p.Owner.Partition] = records[len(records)-1].Offset + 1
				for _, r := range records {
					in[p.Owner.Partition] = append(in[p.Owner.Partition], r.Offset)
				}
				size := sizeOf(records)
				p.Buf.Add(Chunk{Records: records, Arrived: now, Size: size, Largest: largestOf(records)})
				if pool.Holds(p) {
					pool.Grown(len(records), size)
				} else if !flying[p] {
					pool.Add(p)
				}
			case 1:
				if pool.Due(now, l) {
					take()
				} else if end, ok := pool.Deadline(l); ok && !end.After(now) {
					t.Fatal("not due, though the window has ended")
				}
			case 2:
				if flying[p] {
					delete(flying, p)
					p.PopWork()
					if p.Buf.Count > 0 {
						pool.Add(p)
					}
				}
			}
			count, size, oldest := 0, 0, now.Add(time.Hour)
			for _, p := range parts {
				if pool.Holds(p) {
					count += p.Buf.Count
					size += p.Buf.Size + p.Overhead
					if at := p.Buf.Arrived(); at.Before(oldest) {
						oldest = at
					}
				}
			}
			if pool.count != count || pool.size != size {
				t.Fatalf("the pool says %d records, %d bytes; its partitions have %d, %d", pool.count, pool.size, count, size)
			}
			if end, ok := pool.Deadline(l); ok != (count > 0) || ok && !end.Equal(oldest.Add(l.Window)) {
				t.Fatalf("the deadline is %v, want the oldest arrival %v and the window %v", end, oldest, l.Window)
			}
		}
		for range 10_000 {
			for p := range flying {
				delete(flying, p)
				p.PopWork()
				if p.Buf.Count > 0 {
					pool.Add(p)
				}
			}
			if pool.count == 0 {
				break
			}
			take()
		}
		for i := range parts {
			if !slices.Equal(in[i], out[i]) {
				t.Fatalf("partition %d: in %v\nout %v", i, in[i], out[i])
			}
		}
	})
}

// With P backlogged partitions and W ≤ P workers, W invocations run: a batch takes from at most one partition that can
// fill it, however many small ones it took before.
func TestPoolKeepsWorkersBusy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Limits{BatchSize: rapid.IntRange(1, 10).Draw(t, "BatchSize"), Payload: 6 << 20, Envelope: 100}
		backlogged := rapid.IntRange(1, 6).Draw(t, "P")
		small := rapid.IntRange(0, 6).Draw(t, "small")
		workers := rapid.IntRange(1, backlogged).Draw(t, "W")
		arrivals := rapid.Permutation(slices.Repeat([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 1)).Draw(t, "order")
		var pool Pool[event.TopicPartition]
		for i := range backlogged + small {
			p := newLane(int32(i))
			n := l.BatchSize + rapid.IntRange(0, 10).Draw(t, "more")
			if i >= backlogged {
				n = rapid.IntRange(1, l.BatchSize).Draw(t, "few")
			}
			records := drawRecords(t, p.Owner, 0, n)
			p.Buf.Add(Chunk{Records: records, Arrived: time.Unix(int64(arrivals[i]), 0), Size: sizeOf(records), Largest: largestOf(records)})
			pool.Add(p)
		}
		for w := range workers {
			if _, count, _ := pool.Take(l); count != l.BatchSize {
				t.Fatalf("worker %d of %d got %d records, want a full batch of %d", w+1, workers, count, l.BatchSize)
			}
		}
	})
}

// A queue returns its partitions in the order of their times, whatever is removed from the middle.
func TestQueueProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q Queue[event.TopicPartition]
		in := make(map[*lane]time.Time)
		for i := range rapid.IntRange(0, 40).Draw(t, "n") {
			p := newLane(int32(i))
			in[p] = time.Unix(int64(rapid.IntRange(0, 20).Draw(t, "at")), 0)
			q.Add(p, in[p])
			if rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
				gone := q.items[rapid.IntRange(0, len(q.items)-1).Draw(t, "which")]
				q.Remove(gone)
				delete(in, gone)
				if gone.place.q != nil {
					t.Fatal("what was removed still stands in the queue")
				}
			}
		}
		last := time.Time{}
		for q.Head() != nil {
			p := q.Head()
			at, there := in[p]
			if !there || at.Before(last) || !p.place.at.Equal(at) {
				t.Fatalf("%s at %v behind %v", p.Key, at, last)
			}
			last = at
			delete(in, p)
			q.Remove(p)
		}
		if len(in) > 0 {
			t.Fatalf("%d partitions were lost", len(in))
		}
	})
}

func TestDropExpiredProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now, maxAge := time.UnixMilli(1_000_000), 100*time.Second
		u := Unit{Records: drawRecords(t, event.TopicPartition{Topic: "t"}, 0, rapid.IntRange(1, 10).Draw(t, "n"))}
		var old, young []int64
		for i := range u.Records {
			ts := rapid.SampledFrom([]int64{-1, 0, 899_999, 900_000, 999_999, 2_000_000}).Draw(t, "timestamp")
			u.Records[i].Timestamp = ts
			if ts >= 0 && ts < 900_000 {
				old = append(old, u.Records[i].Offset)
			} else {
				young = append(young, u.Records[i].Offset)
			}
		}
		u.Size = sizeOf(u.Records)
		gone := u.DropExpired(now, maxAge)
		offsets := func(records []event.KafkaRecord) (o []int64) {
			for _, r := range records {
				o = append(o, r.Offset)
			}
			return o
		}
		if !slices.Equal(offsets(gone), old) || !slices.Equal(offsets(u.Records), young) || u.Size != sizeOf(u.Records) {
			t.Fatalf("dropped %v, kept %v; want %v and %v", offsets(gone), offsets(u.Records), old, young)
		}
	})
}
