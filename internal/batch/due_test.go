package batch

import (
	"testing"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/size"
)

// A batch is due exactly when it is full, to the record and the byte, and exactly when its window ends.
func TestDue(t *testing.T) {
	arrived := time.Unix(1000, 0)
	const each, overhead, envelope = 100, 10, 50
	add := func(p *Pool[int], n int) *Lane[int] {
		l := &Lane[int]{Overhead: overhead}
		l.Buf.Add(Chunk{Records: make([]event.KafkaRecord, n), Arrived: arrived, Size: n * each, Largest: each})
		p.Add(l)
		return l
	}
	limits := func(size, payload int) Limits {
		return Limits{BatchSize: size, Window: time.Minute, Payload: payload, Envelope: envelope}
	}
	const ample = 1 << 20
	for _, c := range []struct {
		name string
		l    Limits
		n    int
		at   time.Duration
		due  bool
	}{
		{"one record less than BatchSize", limits(4, ample), 3, 0, false},
		{"exactly BatchSize", limits(4, ample), 4, 0, true},
		{"one byte less than the payload", limits(100, envelope+overhead+3*each+1), 3, 0, false},
		{"exactly the payload", limits(100, envelope+overhead+3*each), 3, 0, true},
		{"just before the window ends", limits(100, ample), 3, time.Minute - 1, false},
		{"when the window ends", limits(100, ample), 3, time.Minute, true},
	} {
		var p Pool[int]
		add(&p, c.n)
		if due := p.Due(arrived.Add(c.at), c.l); due != c.due {
			t.Errorf("%s: due %t", c.name, due)
		}
	}

	var p Pool[int]
	l := limits(100, ample)
	if p.Due(arrived.Add(time.Hour), l) {
		t.Error("an empty pool is due")
	}
	add(&p, 1)
	stalled := add(&p, 1)
	p.SetStalled(stalled, true)
	if !p.Due(arrived, l) {
		t.Error("a lane that gets no more is not due")
	}
	p.SetStalled(stalled, false)
	if p.Due(arrived, l) {
		t.Error("a lane that gets more again is due")
	}
	p.SetStalled(stalled, true)
	p.Remove(stalled)
	if p.Due(arrived, l) {
		t.Error("a lane that left is due")
	}
	p.SetStalled(stalled, false) // while it is not in the pool
	p.Add(stalled)
	if p.Due(arrived, l) {
		t.Error("a lane that came back with memory is due")
	}
}

// A batch continues with the next lane only if it has emptied the one before: otherwise it has no room for that lane's
// next record.
func TestTakeEmptiesALaneBeforeTheNext(t *testing.T) {
	record := func(bytes int) event.KafkaRecord { return event.KafkaRecord{Topic: "t", Value: make([]byte, bytes)} }
	var p Pool[int]
	for i, records := range [][]event.KafkaRecord{{record(100), record(1000)}, {record(1)}} {
		l := &Lane[int]{Owner: i}
		size, largest := size.Run(records)
		l.Buf.Add(Chunk{Records: records, Arrived: time.Unix(1000+int64(i), 0), Size: size, Largest: largest})
		p.Add(l)
	}
	parts, count, _ := p.Take(Limits{BatchSize: 10, Payload: 800})
	if count != 1 || len(parts) != 1 || parts[0].Owner != 0 {
		t.Errorf("took %d records of %d lanes, want the first of the first lane alone", count, len(parts))
	}
	if head := p.Head(); head == nil || head.Owner != 1 {
		t.Error("the second lane is not the pool's head")
	}
}

// Runs that are contiguous in memory are one chunk, with the arrival of the first.
func TestJoinedRunsKeepTheOlderArrival(t *testing.T) {
	slab := make([]event.KafkaRecord, 4)
	var b Buffer
	b.Add(Chunk{Records: slab[:2], Arrived: time.Unix(1000, 0), Size: 2, Largest: 1, Held: 2})
	b.Add(Chunk{Records: slab[2:4], Arrived: time.Unix(2000, 0), Size: 9, Largest: 8, Held: 3})
	if len(b.chunks) != 1 || b.Count != 4 || b.Size != 11 || b.Held != 5 || b.chunks[0].Largest != 8 {
		t.Fatalf("%d chunks, %d records of %d bytes, %d held, the largest %d", len(b.chunks), b.Count, b.Size, b.Held, b.chunks[0].Largest)
	}
	if at := b.Arrived(); !at.Equal(time.Unix(1000, 0)) {
		t.Errorf("came at %v", at)
	}
}
