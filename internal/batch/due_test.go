package batch

import (
	"testing"
	"time"

	"github.com/esm-go/esm/event"
)

// A batch goes when it has all that it may have, to the record and the byte, and when its window ends, to the instant.
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
	p.SetStalled(stalled, false) // while it is out
	p.Add(stalled)
	if p.Due(arrived, l) {
		t.Error("a lane that came back with memory is due")
	}
}
