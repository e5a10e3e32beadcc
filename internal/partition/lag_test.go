package partition

import (
	"testing"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
)

func TestPartitionLagAndAge(t *testing.T) {
	now := time.UnixMilli(10_000_000)
	record := func(offset int64, age time.Duration) event.KafkaRecord {
		return event.KafkaRecord{Offset: offset, Timestamp: now.Add(-age).UnixMilli()}
	}
	buffered := func(p *Partition, r ...event.KafkaRecord) {
		p.Buf.Add(batch.Chunk{Records: r, Arrived: now.Add(-2 * time.Second)})
		p.Next = r[len(r)-1].Offset + 1
	}
	for name, c := range map[string]struct {
		make        func(p *Partition)
		lag, offset int64
		age         time.Duration
	}{
		"all done":      {func(p *Partition) { p.Next, p.Committed, p.End = 50, 50, 50 }, 0, 0, 0},
		"end not known": {func(p *Partition) { p.Next, p.Committed = 50, 50 }, 0, -1, 0},
		"starting":      {func(p *Partition) { p.Phase, p.End = Starting, 50 }, 0, -1, 0},
		"no commit yet": {func(p *Partition) { p.Next, p.End, p.BehindAt = 40, 50, now.Add(-time.Second) }, 10, 10, time.Second},
		"not committed": {func(p *Partition) { p.Next, p.Committed, p.End = 50, 47, 50 }, 0, 3, 0},
		"truncated":     {func(p *Partition) { p.Next, p.Committed, p.End = 50, 50, 20 }, 0, 0, 0},
		"received": {func(p *Partition) {
			p.Committed, p.End = 0, 3
			buffered(p, record(0, 9*time.Second), record(1, 8*time.Second))
		}, 3, 3, 9 * time.Second},
		"compacted": {func(p *Partition) {
			p.Committed, p.End = 0, 1000
			buffered(p, record(7, time.Second), record(999, time.Second))
		}, 2, 1000, time.Second},
		"markers at the tail": {func(p *Partition) { p.Next, p.Committed, p.End = 53, 53, 53 }, 0, 0, 0},
		"timestamp ahead":     {func(p *Partition) { p.Committed, p.End = 0, 1; buffered(p, record(0, -time.Hour)) }, 1, 1, 2 * time.Second},
		"no timestamp":        {func(p *Partition) { p.Committed, p.End = 0, 1; buffered(p, event.KafkaRecord{Timestamp: -1}) }, 1, 1, 2 * time.Second},
		"in flight before all": {func(p *Partition) {
			p.Committed, p.End = 0, 2
			buffered(p, record(1, time.Second))
			p.Work = []batch.Unit{{Records: []event.KafkaRecord{record(0, time.Minute)}}}
		}, 2, 2, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Partition{Alive: true, Phase: Running, Next: -1, Committed: -1, End: -1, Sampled: -1}
			c.make(p)
			if lag, offset, age := p.Lag(), p.OffsetLag(), p.Age(now); lag != c.lag || offset != c.offset || age != c.age {
				t.Errorf("lag %d, OffsetLag %d, age %v; want %d, %d, %v", lag, offset, age, c.lag, c.offset, c.age)
			}
		})
	}
}
