//go:build cgo

package confluent

import (
	"testing"

	"github.com/esm-go/esm/driver"
)

func TestReadsFromWhereItStarts(t *testing.T) {
	b := newBroker(t)
	b.topic("t", 2)
	b.produce("t", 0, 10)
	m := join(t, b.config("g", "t"), func(m *member) {
		m.onAssign = func([]driver.TopicPartition) {
			m.consumer.Start([]driver.Start{{TopicPartition: tp("t", 0), Offset: 4, LeaderEpoch: -1, Epoch: 7}})
		}
	})
	m.untilCount(tp("t", 0), 6)
	m.until("the end", func() bool { return m.end[tp("t", 0)] == 10 })
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, r := range m.records[tp("t", 0)] {
		if r.Offset != int64(4+i) || m.epochs[tp("t", 0)][i] != 7 {
			t.Fatalf("record %d: offset %d, epoch %d", i, r.Offset, m.epochs[tp("t", 0)][i])
		}
	}
}
