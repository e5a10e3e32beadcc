package esm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/kafkatest"
)

// pieces makes records that are pieces of one fetched buffer.
func pieces(fetch []byte, n int) []event.KafkaRecord {
	records := make([]event.KafkaRecord, n)
	each := len(fetch) / n
	for i := range records {
		part := fetch[i*each : (i+1)*each]
		records[i] = event.KafkaRecord{Topic: "t", Offset: int64(i), Key: part[:1], Value: part[1 : each-1],
			Headers: []event.Header{{Key: "h", Value: part[each-1:]}, {Key: "none"}}}
	}
	return records
}

func TestDetach(t *testing.T) {
	records := pieces(bytes.Repeat([]byte("0123456789"), 100), 10)
	records[3].Key, records[4].Value, records[5].Headers = nil, []byte{}, nil
	records[6].Value = bytes.Repeat([]byte("long"), slabBytes)
	own, bytes := detach(records)
	if !reflect.DeepEqual(own, records) {
		t.Errorf("the copies differ:\n%v\n%v", own, records)
	}
	want := 0
	for i := range own {
		want += weight(&own[i])
	}
	if bytes != want {
		t.Errorf("they weigh %d, want %d", bytes, want)
	}
	_ = append(own[0].Value, "over the end"...)
	if string(own[1].Key) != string(records[1].Key) {
		t.Error("an append to one copy writes into the next")
	}
}

func TestDetachLetsTheFetchGo(t *testing.T) {
	freed := make(chan struct{})
	b := buffer{}
	now := time.Now()
	func() {
		fetch := make([]byte, 1<<20)
		runtime.AddCleanup(&fetch[0], func(struct{}) { close(freed) }, struct{}{})
		b.add(chunk{records: pieces(fetch, 64), arrived: now, held: len(fetch), size: 64, largest: 1})
	}()
	b.take(63, 1<<30, false) // the handler is done with these; the last one waits
	if copied, _ := b.detach(now.Add(-time.Nanosecond), 1<<20); copied != 0 {
		t.Fatal("copied what has not waited long enough")
	}
	copied, more := b.detach(now, 1<<20)
	if want := weight(b.first()); copied != want || b.held != want || more != want-1<<20/64 {
		t.Errorf("copied %d, %d more, %d held; want %d", copied, more, b.held, want)
	}
	if again, _ := b.detach(now, 1<<20); again != 0 {
		t.Error("copied twice")
	}
	for range 10 {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(time.Second):
		}
	}
	t.Error("the fetch is still in memory")
}

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
		if !r.runner.crew.list()[0].do(func() {
			p := r.runner.crew.list()[0].parts[TopicPartition{Topic: "t"}]
			if !p.work[0].own || !p.buf.chunks[p.buf.head].own {
				t.Errorf("after 5 s the failed unit is detached: %v, the buffer: %v", p.work[0].own, p.buf.chunks[p.buf.head].own)
			}
			if used := int(r.runner.budget.used.Load()); used != p.held() || used > 250*(recordWeight+8) {
				t.Errorf("the budget has %d, the partition holds %d", used, p.held())
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
		if used := r.runner.budget.used.Load(); len(got) != 250 || used != 0 {
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
