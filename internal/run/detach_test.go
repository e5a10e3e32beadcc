package run

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
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// A failing partition keeps copies of its own records, and continues with them unchanged.
func TestWaitingRecordsAreDetached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(250)...)
		var mended atomic.Bool
		var got []string
		r := newRig(t, b, defaults(), func(_ context.Context, e event.KafkaEvent) error {
			if !mended.Load() {
				return errors.New("not yet")
			}
			for _, rec := range e.Records["t-0"] {
				got = append(got, string(rec.Value))
			}
			return nil
		}).start()
		pass(5 * time.Second)
		if used := int(r.runner.shared.Budget.Used.Load()); used == 0 || used > 250*(batch.RecordWeight+8) {
			t.Errorf("after 5 s the budget has %d: more than the records alone", used)
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
		r.mustStop()
	})
}

// If a filter keeps little of many fetches, the memory held while a handler blocks is small too.
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
	m := mapping.Mapping{FunctionName: "f", Topics: []string{"t"}, StartingPosition: mapping.TrimHorizon, BatchSize: 10_000,
		SelfManagedEventSource: mapping.SelfManagedEventSource{Endpoints: mapping.Endpoints{KafkaBootstrapServers: fake.Bootstrap()}},
		FilterCriteria:         &mapping.FilterCriteria{Filters: []mapping.Filter{{Pattern: `{"value":{"kind":["yes"]}}`}}}}
	r, err := New(m, func(context.Context, event.KafkaEvent) error { <-release; return nil }, options([]Option{
		WithDriver(franz.Driver()), WithLogger(slog.New(slog.DiscardHandler)),
		WithHooks(observe.Hooks{Filtered: func(i observe.FilteredInfo) {
			if out.Add(int64(i.Records)) == partitions*each*99/100 {
				close(all)
			}
		}})}))
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
