package esm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/kafkatest"
)

// A partition that fails keeps its own records, copied, and goes on with them as they were.
func TestWaitingRecordsAreDetached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(250)...)
		var mended atomic.Bool
		var got []string
		r := newRig(t, b, defaults(), func(_ context.Context, e KafkaEvent) error {
			if !mended.Load() {
				return errors.New("not yet")
			}
			for _, rec := range e.Records["t-0"] {
				got = append(got, string(rec.Value))
			}
			return nil
		}).start()
		pass(5 * time.Second)
		if !r.runner.roster.list()[0].member.do(func() {
			p := r.runner.roster.list()[0].member.parts[TopicPartition{Topic: "t"}]
			if copied, _ := p.Buf.Detach(time.Now(), 1<<30); !p.Work[0].Own || copied > 0 {
				t.Errorf("after 5 s the failed unit is detached: %v; of the buffer %d bytes were not", p.Work[0].Own, copied)
			}
			if used := int(r.runner.shared.Budget.Used.Load()); used != p.Held() || used > 250*(batch.RecordWeight+8) {
				t.Errorf("the budget has %d, the partition holds %d", used, p.Held())
			}
		}) {
			t.Fatal("the loop has ended")
		}
		mended.Store(true)
		pass(time.Minute * 2)
		for i, v := range got {
			if v != fmt.Sprint("v", i) {
				t.Fatalf("record %d is %q", i, v)
			}
		}
		if used := r.runner.shared.Budget.Used.Load(); len(got) != 250 || used != 0 {
			t.Errorf("%d records came, want 250; %d bytes are still charged", len(got), used)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// What a filter leaves of many fetches is small, and so is the memory that it keeps while a handler blocks.
func TestFewSurvivorsKeepLittleMemory(t *testing.T) {
	const partitions, each, size = 8, 1500, 2000 // 24 MB
	fake := kafkatest.Fake(t)
	fake.CreateTopic(t, "t", partitions)
	value := func(i int) []byte {
		kind := "no"
		if i/partitions%100 == 0 {
			kind = "yes"
		}
		return fmt.Appendf(nil, `{"kind":%q,"pad":"%s"}`, kind, bytes.Repeat([]byte("x"), size))
	}
	fake.ProduceN(t, "t", partitions*each, func(i int) *kgo.Record { return kafkatest.At(int32(i%partitions), &kgo.Record{Value: value(i)}) })

	heap := func() int {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	var out atomic.Int64
	all := make(chan struct{})
	release := make(chan struct{})
	m := Mapping{FunctionName: "f", Topics: []string{"t"}, StartingPosition: TrimHorizon, BatchSize: 10_000,
		SelfManagedEventSource: SelfManagedEventSource{Endpoints: Endpoints{KafkaBootstrapServers: fake.Bootstrap()}},
		FilterCriteria:         &FilterCriteria{Filters: []Filter{{Pattern: `{"value":{"kind":["yes"]}}`}}}}
	r, err := New(m, func(context.Context, KafkaEvent) error { <-release; return nil },
		WithDriver(franz.Driver()), WithLogger(slog.New(slog.DiscardHandler)),
		WithHooks(Hooks{Filtered: func(i FilteredInfo) {
			if out.Add(int64(i.Records)) == partitions*each*99/100 {
				close(all)
			}
		}}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	<-all
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("%d bytes are in memory for %d records of %d", grown, partitions*each/100, size)
	}
	close(release)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
