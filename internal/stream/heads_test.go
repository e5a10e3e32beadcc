package stream

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// A partition that is not fetched for want of memory says so, and since when. Each partition has a share of its own, so that it is
// only ever a moment in a member that runs.
func TestHeadWaitsForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := idle(b, driver.AtEnd)
		p := m.admit(event.TopicPartition{Topic: "t"})
		p.Phase, p.Next, p.End = partition.Running, 0, 5
		m.pause(p, partition.ByBudget)
		time.Sleep(time.Second)
		var s observe.PartitionStatus
		m.partitionStatus(m.view(time.Now()), p, &s)
		if waited := time.Since(s.Head.Since); s.Head.WaitsFor != observe.WaitMemory || waited != time.Second {
			t.Errorf("%v waited %v", s, waited)
		}
		m.remove(p)
	})
}

// BenchmarkSnapshot is what a snapshot of 10,000 partitions that all have a failed record costs a loop, which stands still for one
// portion at a time.
func BenchmarkSnapshot(b *testing.B) {
	broker := membroker.NewBroker(b)
	broker.CreateTopic("t", 10_000)
	m := idle(broker, driver.AtEnd)
	now, failed := time.Now(), errors.New("no")
	for i := range int32(10_000) {
		p := m.admit(event.TopicPartition{Topic: "t", Partition: i})
		p.Phase, p.Next, p.End = partition.Running, 1, 2
		p.Failures, p.FirstFailure, p.FirstErr, p.LastErr, p.FailedAt = 1, now, failed, failed, now
		r := event.KafkaRecord{Topic: "t", Partition: i, Key: []byte("customer-0123456789"), Value: make([]byte, 100), Timestamp: now.UnixMilli()}
		p.Work = []batch.Unit{{Records: []event.KafkaRecord{r}, Arrived: now, Tries: 1, FirstFailure: now}}
		m.retry.Add(&p.Lane, now.Add(time.Hour))
	}
	b.Run("begin", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.taking = halfSnapshot{left: m.taking.left[:0]}
			m.beginSnapshot(time.Now())
		}
		m.publishTaken()
	})
	b.Run("portion", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if m.taking.Snapshot == nil {
				m.beginSnapshot(time.Now())
			}
			if m.readPortion(time.Now(), snapshotPortion) {
				m.publishTaken()
			}
		}
	})
}
