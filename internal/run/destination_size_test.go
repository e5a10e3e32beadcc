package run

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// sized returns a record for which measure is want: the bytes of JSON of its event, alone in its batch, or what it adds
// to a batch. The name of a header makes up the bytes that base64 cannot.
func sized(t *testing.T, measure func(membroker.Record) int, want int) membroker.Record {
	t.Helper()
	r := membroker.Record{Value: bytes.Repeat([]byte("v"), want/4*3-3000), Headers: []event.Header{{Key: "h", Value: []byte{}}}}
	r.Headers[0].Key = strings.Repeat("h", 1+want-measure(r))
	if got := measure(r); got != want {
		t.Fatalf("the record measures %d, want %d", got, want)
	}
	return r
}

// An event of exactly 6 MB is invoked, and one of one byte more is not: it goes to the destination, or is split into
// batches. The size is that of the encoded JSON, not the engine's count.
func TestSizeLimitToTheByte(t *testing.T) {
	t.Parallel()
	const limit = 6_291_456
	// alone measures the event of a record as this test's mapping builds it.
	alone := func(r membroker.Record) int {
		e := event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: "b:9092", Records: map[string][]event.KafkaRecord{"t-0": {r.KafkaRecord("t")}}}
		return len(e.AppendJSON(nil))
	}
	for _, over := range []int{-1, 0, 1} {
		inBubble(t, "a record", func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			d := &scriptedDestination{}
			r := newMapped(t, b, memoryMapping(), nil, WithDestination(d)).start()
			b.Produce("t", sized(t, alone, limit+over))
			pass(time.Minute)
			if over <= 0 {
				if len(r.events()) != 1 || len(d.got) != 0 || len(r.events()[0].AppendJSON(nil)) != limit+over {
					t.Errorf("%+d: %d invocations, %d failures", over, len(r.events()), len(d.got))
				}
			} else if len(r.events()) != 0 || len(d.got) != 1 || d.got[0].Condition != destination.MaximumPayloadSizeExceeded || d.got[0].Event.Size() != limit+over {
				t.Errorf("%+d: %d invocations, %d failures", over, len(r.events()), len(d.got))
			}
			if at := b.Committed(r.runner.Status().ConsumerGroupId, "t", 0).Offset; at != 1 {
				t.Errorf("committed %d", at)
			}
			r.mustStop()
		})
		inBubble(t, "a record without a destination is invoked alone", func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			r := newMapped(t, b, memoryMapping(), nil).start()
			b.Produce("t", sized(t, alone, limit+over), membroker.Record{Value: []byte("small")})
			pass(time.Minute)
			if got := r.briefs(); !slices.Equal(got, []string{"t-0[0]", "t-0[1]"}) {
				t.Errorf("%+d: %v", over, got)
			}
			r.mustStop()
		})
		inBubble(t, "a batch", func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			first := membroker.Record{Value: bytes.Repeat([]byte("v"), 1<<20)}
			both := func(second membroker.Record) int {
				x, y := first.KafkaRecord("t"), second.KafkaRecord("t")
				y.Offset = 1
				e := event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: "b:9092", Records: map[string][]event.KafkaRecord{"t-0": {x, y}}}
				return len(e.AppendJSON(nil))
			}
			second := membroker.Record{Value: bytes.Repeat([]byte("v"), 3<<20), Headers: []event.Header{{Key: "h", Value: []byte{}}}}
			second.Value = append(second.Value, make([]byte, (limit-both(second)-2000)/4*3)...)
			second.Headers[0].Key = strings.Repeat("h", 1+limit+over-both(second))
			if got := both(second); got != limit+over {
				t.Fatalf("the batch measures %d, want %d", got, limit+over)
			}
			d := &scriptedDestination{}
			m := poisonMapping(100)
			m.MaximumRetryAttempts = new(0)
			r := newMapped(t, b, m, func(context.Context, event.KafkaEvent) error { return errors.New("no") }, WithDestination(d))
			b.Produce("t", first, second)
			r.start()
			pass(time.Minute)
			want := []string{"t-0[0 1]"}
			if over > 0 {
				want = []string{"t-0[0]", "t-0[1]"}
			}
			if got := r.briefs(); !slices.Equal(got, want) || len(d.got) != len(want) {
				t.Errorf("%+d: %v, %d failures", over, got, len(d.got))
			}
			for _, f := range d.got {
				if f.Condition != destination.RetryAttemptsExhausted {
					t.Errorf("%+d: %s", over, f.Condition)
				}
			}
			r.mustStop()
		})
	}
}
