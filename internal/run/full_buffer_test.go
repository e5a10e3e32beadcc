package run

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// A batch that cannot grow because memory is full does not wait for its window.
func TestFullBufferIsSent(t *testing.T) {
	for _, partitions := range []int{1, 4} {
		inBubble(t, "", func(t *testing.T) {
			b := membroker.NewBroker(t, membroker.FetchRecords(100))
			b.CreateTopic("t", 4) // some of them are idle
			const each = 8000
			for p := range partitions {
				for range each {
					b.Produce("t", membroker.Record{Partition: int32(p), Value: make([]byte, 1000)})
				}
			}
			m := memoryMapping()
			m.BatchSize, m.MaximumBatchingWindowInSeconds = 10000, new(300)
			r := newMapped(t, b, m, nil, WithBufferBytes(1<<20)).start()
			pass(time.Second)
			// The rest at the end of the log is less than the budget and waits for its window.
			left := int64(0)
			for p := range partitions {
				left += each - max(b.Committed("", "t", int32(p)).Offset, 0)
			}
			if len(r.events()) < 8 || left*1000 > 1<<20 {
				t.Errorf("after a second: %d invocations, %d records left", len(r.events()), left)
			}
			pass(6 * time.Minute)
			for p := range partitions {
				if k := b.Committed("", "t", int32(p)).Offset; k != each {
					t.Errorf("t-%d is committed at %d", p, k)
				}
			}
			r.mustStop()
		})
	}
}

// Records that arrive when there is memory again wait for their window.
func TestWindowAfterAFullBuffer(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		b := membroker.NewBroker(t, membroker.FetchRecords(100))
		b.CreateTopic("t", 2)
		for range 4000 {
			b.Produce("t", membroker.Record{Value: make([]byte, 1000)})
		}
		m := memoryMapping()
		m.BatchSize, m.MaximumBatchingWindowInSeconds = 10000, new(300)
		r := newMapped(t, b, m, nil, WithBufferBytes(1<<20)).start()
		pass(10 * time.Minute) // full, and empty again
		n := len(r.events())
		if k := b.Committed("", "t", 0).Offset; n < 4 || k != 4000 {
			t.Fatalf("%d invocations, committed %d", n, k)
		}
		for range 3 {
			b.Produce("t", membroker.Record{Value: []byte("v")})
			pass(90 * time.Second)
		}
		if more := len(r.events()) - n; more != 0 {
			t.Errorf("%d invocations within the window of 300s", more)
		}
		pass(2 * time.Minute)
		if more := r.events()[n:]; len(more) != 1 || more[0].Len() != 3 {
			t.Errorf("%d invocations when it had ended, want one of three records", len(more))
		}
		r.mustStop()
	})
}

// A partition that was paused because memory was full is fetched again after its topic was recreated.
func TestRecreatedWhileMemoryIsFull(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		b := membroker.NewBroker(t, membroker.FetchRecords(100))
		b.CreateTopic("t", 1)
		b.CreateTopic("u", 3) // these continue to hold memory
		for i := range 4000 {
			b.Produce("t", membroker.Record{Value: make([]byte, 1000)})
			b.Produce("u", membroker.Record{Partition: int32(i % 3), Value: make([]byte, 1000)})
		}
		release := make(chan struct{})
		var newer atomic.Int64
		m := memoryMapping()
		m.Topics = []string{"t", "u"}
		r := newMapped(t, b, m, func(_ context.Context, e event.KafkaEvent) error {
			for _, records := range e.Records {
				if len(records[0].Value) == 1 {
					newer.Add(int64(len(records)))
					return nil
				}
			}
			<-release
			return nil
		}, WithBufferBytes(1<<20)).start()
		pass(time.Minute)
		// Partitions are paused from half of the budget on. Which of them holds how much depends on the order of the fetches.
		if s := r.runner.Status(); s.BufferedBytes < 1<<19 || s.Partitions[0].Paused != "buffer full" {
			t.Fatalf("memory is not full: %d bytes, %+v", s.BufferedBytes, s.Partitions[0])
		}
		b.RecreateTopic("t")
		for range 10 {
			b.Produce("t", membroker.Record{Value: []byte("v")})
		}
		pass(time.Minute)
		close(release)
		pass(10 * time.Minute)
		if n := newer.Load(); n != 10 {
			t.Errorf("%d records of the new topic were handled, want 10", n)
		}
		r.mustStop()
	})
}

func TestLimitsThatCannotMeet(t *testing.T) {
	for size, warns := range map[int]bool{10000: true, 1000: false} {
		b := membroker.NewBroker(t)
		m := memoryMapping()
		m.BatchSize, m.MaximumBatchingWindowInSeconds = size, new(1)
		var log bytes.Buffer
		opts := []Option{WithBufferBytes(1 << 20), WithLogger(slog.New(slog.NewTextHandler(&log, nil)))}
		r := newMapped(t, b, m, nil, opts...)
		if got := strings.Contains(log.String(), "no room for BatchSize"); got != warns {
			t.Errorf("BatchSize %d: %s", size, log.String())
		}
		log.Reset()
		if err := r.runner.Update(m); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "no room for BatchSize"); got != warns {
			t.Errorf("Update to BatchSize %d: %s", size, log.String())
		}
	}
}
