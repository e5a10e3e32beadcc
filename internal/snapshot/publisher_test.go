package snapshot

import (
	"errors"
	"testing"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/meter"
	"github.com/esm-go/esm/internal/partition"
)

// BenchmarkSnapshot measures what a snapshot of 10,000 partitions, each with a failed record, costs a loop. The loop
// stands still for one portion at a time.
func BenchmarkSnapshot(b *testing.B) {
	now, failed := time.Now(), errors.New("no")
	v := &View{Now: now, Partitions: make(map[event.TopicPartition]*partition.Partition), Retry: new(batch.Queue[*partition.Partition]), Orphans: new(limit.Orphans), Took: meter.New(1)}
	for i := range int32(10_000) {
		p := &partition.Partition{TopicPartition: event.TopicPartition{Topic: "t", Partition: i}, Alive: true, Phase: partition.Running, Next: 1, End: 2, Committed: -1}
		p.Owner = p
		p.Failures, p.FirstFailure, p.FirstErr, p.LastErr, p.FailedAt = 1, now, failed, failed, now
		r := event.KafkaRecord{Topic: "t", Partition: i, Key: []byte("customer-0123456789"), Value: make([]byte, 100), Timestamp: now.UnixMilli()}
		p.Work = []batch.Unit{{Records: []event.KafkaRecord{r}, Arrived: now, Tries: 1, FirstFailure: now}}
		v.Retry.Add(&p.Lane, now.Add(time.Hour))
		v.Partitions[p.TopicPartition] = p
	}
	var p Publisher
	p.Init()
	b.Run("begin", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.left = p.left[:0]
			p.begin(v)
		}
	})
	p.Publish(v)
	b.Run("portion", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p.Take(v)
		}
	})
}
