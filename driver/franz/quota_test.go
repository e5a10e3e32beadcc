package franz

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

// A quota makes the broker delay fetches for longer than a session: the member stays in the group, and its commits do
// not wait behind a fetch.
func TestKafkaThrottledFetches(t *testing.T) {
	c := brokers.Cluster(t)
	topic := c.NewTopic(t, 1)
	produce := func() {
		c.ProduceN(t, topic, 200, func(int) *kgo.Record {
			value := make([]byte, 50_000)
			_, _ = rand.Read(value) // random, because producers compress
			return kafkatest.At(0, &kgo.Record{Value: value})
		})
	}
	produce()
	cfg := kafkaConfig(c, topic)
	cfg.ClientID = cfg.GroupID
	who := kadm.ClientQuotaEntity{{Type: "client-id", Name: &cfg.ClientID}}
	set := func(remove bool) {
		op := kadm.AlterClientQuotaOp{Key: "consumer_byte_rate", Value: 100_000, Remove: remove}
		got, err := c.Admin().AlterClientQuotas(ctx(t), []kadm.AlterClientQuotaEntry{{Entity: who, Ops: []kadm.AlterClientQuotaOp{op}}})
		if err != nil || len(got) != 1 || got[0].Err != nil {
			t.Fatal(err, got)
		}
	}
	set(false)
	defer set(true)
	m := join(t, cfg, startAt(0))
	p := tp(topic, 0)
	m.until(t, "the first records", func() bool { return m.next[p] > 0 })
	// By now the quota applies: the broker compensates for the fetches so far. Three sessions pass.
	produce()
	end := time.After(3 * cfg.SessionTimeout)
	again := time.NewTicker(cfg.SessionTimeout / 3)
	defer again.Stop()
	for commits := 0; ; {
		select {
		case <-again.C:
			short, cancel := context.WithTimeout(t.Context(), cfg.SessionTimeout/2)
			if err := m.consumer.Commit(short, []driver.Commit{{TopicPartition: p, Offset: 1, LeaderEpoch: -1}}); err != nil {
				t.Errorf("commit %d: %v", commits, err)
			}
			cancel()
			commits++
			continue
		case <-end:
		}
		break
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next[p] == 400 {
		t.Error("everything was read: nothing was throttled")
	}
	if slices.ContainsFunc(m.calls, func(s string) bool { return strings.HasPrefix(s, "lost") }) || len(m.calls) != 1 {
		t.Errorf("a throttled member was told %v", m.calls)
	}
}
