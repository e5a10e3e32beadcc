package integration

import (
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/internal/kafkatest"
)

func TestRecordsArriveInOrderAndAreCommitted(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 8)
		want := map[int32][]int64{}
		for p := range int32(8) {
			e.fill(t, "t", p, 500)
			want[p] = span(0, 500)
		}
		p := e.run(t, e.mapping("t"), nil)
		p.until("all records", func() bool { return p.count() >= 4000 })
		e.committed(t, "t", e.EndOffsets(t, "t"), p)
		p.endClean()
		wantOffsets(t, offsets("t", p), want)
		for _, n := range p.batches {
			if n > 100 {
				t.Errorf("a batch of %d records, BatchSize 100", n)
			}
		}
		again := e.run(t, e.mapping("t"), nil).ready()
		e.fill(t, "t", 3, 1)
		again.until("the new record", func() bool { return again.count() > 0 })
		again.endClean()
		wantOffsets(t, offsets("t", again), map[int32][]int64{3: {500}})
	})
}

func TestStopCommitsWhatIsHandled(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 1)
		e.fill(t, "t", 0, 250)
		entered, leave := make(chan struct{}), make(chan struct{})
		p := e.run(t, e.mapping("t"), func(_ context.Context, event esm.KafkaEvent) error {
			if event.Records["t-0"][0].Offset == 100 {
				close(entered)
				<-leave
			}
			return nil
		})
		<-entered
		p.stop()
		eventually(t, "stopping", func() bool { return p.runner.Status().Partitions[0].Paused != "" }, p)
		close(leave)
		p.endClean()
		wantOffsets(t, offsets("t", p), map[int32][]int64{0: span(0, 200)})
		if c := e.Committed(t, e.group, "t"); c[0] != 200 {
			t.Errorf("committed %v, want 200: what was in flight was finished", c)
		}
	})
}

func TestSeveralTopics(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "a", 2)
		e.CreateTopic(t, "b", 3)
		e.fillAll(t, "a", 2, 20)
		e.fillAll(t, "b", 3, 30)
		p := e.run(t, e.mapping("a", "b"), nil)
		p.until("all records", func() bool { return p.count() == 130 })
		e.committed(t, "a", e.EndOffsets(t, "a"), p)
		e.committed(t, "b", e.EndOffsets(t, "b"), p)
		p.endClean()
	})
}

func TestFilterDeliversTheMatchesAndCommitsTheRest(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		const records = 20_000
		e.CreateTopic(t, "t", 4)
		produceOrders(t, e.Client, "t", records)
		m := e.mapping("t")
		m.FilterCriteria = vip()
		p := e.run(t, m, nil)
		p.until("the matches", func() bool { return p.count() >= records/100 })
		e.committed(t, "t", e.EndOffsets(t, "t"), p)
		p.endClean()
		wantEachVIPOnce(t, p, records)
		if n := p.runner.Metrics().FilteredOutEventCount; n != records-records/100 {
			t.Errorf("FilteredOutEventCount %d, want %d", n, records-records/100)
		}
	})
}

// produceOrders writes n orders, one in a hundred of the VIP tier.
func produceOrders(t testing.TB, c *kafkatest.Client, topic string, n int) {
	c.ProduceN(t, topic, n, func(i int) *kgo.Record {
		tier := "plain"
		if i%100 == 0 {
			tier = "vip"
		}
		return &kgo.Record{Value: fmt.Appendf(nil, `{"id":%d,"tier":%q}`, i, tier)}
	})
}

func vip() *esm.FilterCriteria {
	return &esm.FilterCriteria{Filters: []esm.Filter{{Pattern: `{"value":{"tier":["vip"]}}`}}}
}

func wantEachVIPOnce(t testing.TB, p *process, n int) {
	t.Helper()
	seen := map[string]int{}
	for _, rs := range p.records {
		for _, r := range rs {
			seen[string(r.Value)]++
		}
	}
	for i := 0; i < n; i += 100 {
		if v := fmt.Sprintf(`{"id":%d,"tier":"vip"}`, i); seen[v] != 1 {
			t.Fatalf("%s was handled %d times", v, seen[v])
		}
	}
	if len(seen) != n/100 {
		t.Errorf("%d different records, want %d", len(seen), n/100)
	}
}

func TestAPoisonRecordIsDroppedAndThePartitionGoesOn(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		e.CreateTopic(t, "t", 2)
		e.fillAll(t, "t", 2, 100)
		m := e.mapping("t")
		m.MaximumRetryAttempts = new(int)
		*m.MaximumRetryAttempts = 2
		m.FunctionResponseTypes = []esm.FunctionResponseType{esm.ReportBatchItemFailures}
		p := e.run(t, m, func(_ context.Context, event esm.KafkaEvent) error {
			for _, r := range event.Records["t-1"] {
				if r.Offset == 42 {
					return esm.ItemFailures(r.ItemID())
				}
			}
			return nil
		})
		e.committed(t, "t", map[int32]int64{0: 100, 1: 100}, p)
		p.endClean()
		if len(p.drops) != 1 || len(p.drops[0].Records) != 1 || p.drops[0].Records[0].Offset != 42 ||
			p.drops[0].Reason != esm.DropRetriesExhausted || p.drops[0].Attempts != 3 {
			t.Errorf("drops %+v, want offset 42 after 3 attempts", p.drops)
		}
	})
}
