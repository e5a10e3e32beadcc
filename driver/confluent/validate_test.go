//go:build cgo

package confluent

import (
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// Records after one of another leader are dropped until the position is validated, and are then read again. The end of
// the log after them must not move the position past them: that position would be committed.
func TestTheEndDoesNotPassWhatIsChecked(t *testing.T) {
	at := driver.TopicPartition{Topic: "t", Partition: 0}
	p := newPartition(at)
	p.running, p.next, p.leaderEpoch = true, 5, 0
	c := &consumer{
		partitions: map[driver.TopicPartition]*partition{at: p}, reported: newReported(), into: &driver.Fetch{}, fetchSeq: 1,
	}
	for offset := int64(5); offset < 10; offset++ {
		if c.place(p, offset, 1) != nil {
			t.Fatalf("the record at %d, of a new leader's, is delivered before the position was checked", offset)
		}
	}
	end := kafka.PartitionEOF{Topic: &at.Topic, Partition: 0, Offset: 10}
	c.endOf(end)
	if len(c.into.Runs) != 0 || p.next != 5 {
		t.Fatalf("the position moved to %d with %d records (%+v)", p.next, 0, c.into.Runs)
	}
	if len(c.again) != 1 || c.again[0].Offset != 5 {
		t.Fatalf("to be started again: %+v, want offset 5", c.again)
	}
	p.start(c.again[0])
	for offset := int64(5); offset < 10; offset++ {
		if r := c.place(p, offset, 1); r == nil || r.Offset != offset {
			t.Fatalf("the record at %d is missing after the check", offset)
		}
	}
	c.endOf(end)
	if run := c.into.Runs[len(c.into.Runs)-1]; run.End != 10 || p.next != 10 {
		t.Errorf("the end of the log was not told: %+v", run)
	}
}
