package integration

import (
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/scaling"
)

// noise returns values of 1,000 bytes that do not compress, so that bytes sent and bytes held are the same.
func noise() [][]byte {
	values := make([][]byte, 509) // a prime, so that each partition gets all of them
	random := rand.New(rand.NewPCG(1, 1))
	for i := range values {
		values[i] = make([]byte, 1000)
		for k := range values[i] {
			values[i][k] = byte(random.Uint32())
		}
	}
	return values
}

// pollers makes one process go from one group member to two and back while it works off a backlog larger than
// its memory for records: nothing is lost or repeated, each partition stays in order, and the memory stays
// bounded.
func pollers(t *testing.T, e *env, backlog int, invocation time.Duration) {
	const (
		partitions = 8
		budget     = 1 << 20
		bound      = budget + 2*partitions<<20 // two producer batches of each partition, which a fetch never splits
	)
	topic := e.NewTopic(t, partitions)
	values := noise()
	e.ProduceN(t, topic, backlog, func(i int) *kgo.Record {
		return kafkatest.At(int32(i)%partitions, &kgo.Record{Value: values[i%len(values)]})
	})
	m := e.mapping(topic)
	m.BatchSize = 10
	m.ProvisionedPollerConfig = &esm.ProvisionedPollerConfig{MinimumPollers: new(1), MaximumPollers: new(4)}
	var wanted atomic.Int64
	wanted.Store(1)
	policy := scaling.PolicyFunc(func(s scaling.Sample) scaling.Decision {
		return scaling.Decision{Workers: s.Bounds.MaximumWorkers, Pollers: int(wanted.Load()), Next: 100 * time.Millisecond}
	})
	var s scalings
	p := e.run(t, m, taking(invocation), esm.WithScaler(policy), esm.WithBufferBytes(budget), s.hook())
	most := 0
	until := func(what string, done func(esm.Status) bool) esm.Status {
		t.Helper()
		var status esm.Status
		eventually(t, what, func() bool {
			status = p.runner.Status()
			most = max(most, status.BufferedBytes)
			return done(status)
		}, p, &s)
		return status
	}
	running := func(s esm.Status) bool {
		return len(s.Partitions) == partitions && !slices.ContainsFunc(s.Partitions, func(p observe.PartitionStatus) bool { return p.Starting || p.Draining })
	}
	until("work with one poller", func(s esm.Status) bool { return running(s) && s.Pollers == 1 && s.Metrics.CommittedEventCount > 100 })
	wanted.Store(2)
	two := until("two pollers that share the partitions", func(s esm.Status) bool {
		return running(s) && s.Pollers == 2 && s.Metrics.RebalanceCount >= 3
	})
	until("work with two", func(s esm.Status) bool { return s.Metrics.CommittedEventCount > two.Metrics.CommittedEventCount+100 })
	wanted.Store(1)
	one := until("one poller again", func(s esm.Status) bool { return running(s) && s.Pollers == 1 })
	if one.SumOffsetLag == 0 || two.SumOffsetLag == 0 {
		t.Errorf("the backlog was gone before the pollers changed: %d, %d", two.SumOffsetLag, one.SumOffsetLag)
	}
	until("the end of the backlog", func(s esm.Status) bool { return running(s) && s.SumOffsetLag == 0 })
	e.committed(t, topic, e.EndOffsets(t, topic), p)
	p.endClean()
	wantOffsets(t, offsets(topic, p), every(partitions, int64(backlog/partitions)))
	t.Logf("%d bytes held at most, %d changes of the assignment; lag %d with two, %d with one again", most, p.runner.Metrics().RebalanceCount, two.SumOffsetLag, one.SumOffsetLag)
	// librdkafka's queue may return several fetches of a partition as one run, with one poller and with two.
	if e.driver.Name() != "confluent" && most > bound {
		t.Errorf("%d bytes held, want %d at most", most, bound)
	}
}

// This takes the time between two changes of the pollers in which the group is left alone.
func TestPollersGrowAndShrink(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) { pollers(t, e, 40_000, 20*time.Millisecond) })
}

func TestKafkaPollersGrowAndShrink(t *testing.T) {
	onKafka(t, func(t *testing.T, e *env) { pollers(t, e, 80_000, 20*time.Millisecond) })
}
