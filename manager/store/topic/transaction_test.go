package topic_test

import (
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/manager/store"
)

// Partitions are added to a transaction before anything is written, as before Kafka 4: otherwise kgo may abort what was
// acknowledged.
func TestTransactionsOfKafka3(t *testing.T) {
	cluster := kafkatest.Fake(t)
	var added atomic.Int64
	cluster.Kfake.ControlKey(int16(kmsg.AddPartitionsToTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
		added.Add(1)
		cluster.Kfake.KeepControl()
		return nil, nil, false
	})
	s := open(t, cluster.Bootstrap(), newName())
	if _, err := s.Put(t.Context(), definition(1), store.Revision(0)); err != nil {
		t.Fatal(err)
	}
	if added.Load() != 2 { // one for the mark, one for the mapping
		t.Errorf("%d transactions began before they were written to, want 2", added.Load())
	}
}
