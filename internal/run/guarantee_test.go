package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/size"
)

// The tests here and TestGuarantee4Stop test the guarantees of doc.go. TestModel tests 1 and 2 with random scripts.

// Guarantee 1: no committed offset ever passes an unresolved record.
func TestGuarantee1AtLeastOnce(t *testing.T) {
	inBubble(t, "whatever fails in between", func(t *testing.T) {
		var mu sync.Mutex
		resolved := make(map[int64]bool)
		var past []string
		b := membroker.NewBroker(t, membroker.FetchRecords(3), membroker.OnCommit(func(i membroker.CommitInfo) {
			mu.Lock()
			defer mu.Unlock()
			for o := range i.Offset {
				if !resolved[o] {
					past = append(past, fmt.Sprintf("%d passes %d", i.Offset, o))
				}
			}
		}))
		b.Produce("t", numbered(40)...)
		s := defaults()
		s.BatchSize, s.Retry.Partial = 7, true
		tries := make(map[int64]int)
		r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
			mu.Lock()
			defer mu.Unlock()
			var bad []event.ItemID
			for i := range e.Records["t-0"] {
				rec := &e.Records["t-0"][i]
				if tries[rec.Offset]++; rec.Offset%5 == 2 && tries[rec.Offset] <= 2 {
					bad = append(bad, rec.ItemID())
				} else {
					resolved[rec.Offset] = true
				}
			}
			return itemFailures(bad...)
		})
		r.start()
		b.Fail(membroker.OpCommit, 2, errors.New("not now"))
		pass(time.Minute)
		r.mustStop()
		wantLines(t, "commits", past)
		if k := b.Committed("g", "t", 0).Offset; k != 40 {
			t.Errorf("committed %d, want 40", k)
		}
	})
}

// Guarantee 2: in order per partition, with one batch of it in flight.
func TestGuarantee2Order(t *testing.T) {
	inBubble(t, "many workers, slow and failing handlers", func(t *testing.T) {
		b := membroker.NewBroker(t, membroker.FetchRecords(4))
		b.CreateTopic("t", 3)
		for p := range int32(3) {
			records := numbered(30)
			for i := range records {
				records[i].Partition = p
			}
			b.Produce("t", records...)
		}
		s := defaults()
		s.BatchSize = 5
		var mu sync.Mutex
		busy := make(map[string]bool)
		next := make(map[string]int64)
		calls := 0
		r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
			mu.Lock()
			calls++
			fail := calls%3 == 0
			for key, records := range e.Records {
				if busy[key] {
					t.Errorf("%s is in two invocations", key)
				}
				busy[key] = true
				for i, rec := range records {
					if rec.Offset != next[key]+int64(i) {
						t.Errorf("%s: %d came where %d was due", key, rec.Offset, next[key]+int64(i))
					}
				}
			}
			pause := time.Duration(calls%7) * 100 * time.Millisecond
			mu.Unlock()
			time.Sleep(pause)
			mu.Lock()
			defer mu.Unlock()
			for key, records := range e.Records {
				busy[key] = false
				if !fail {
					next[key] += int64(len(records))
				}
			}
			if fail {
				return errors.New("again")
			}
			return nil
		}, WithWorkers(8)).start()
		pass(10 * time.Minute)
		r.mustStop()
		if b.Lag("g") != 0 {
			t.Errorf("lag %d in the end", b.Lag("g"))
		}
	})
}

// Guarantee 3: a partition's failure stops only that partition; neither its backlog nor its memory stops the others.
func TestGuarantee3FailureStaysInItsPartition(t *testing.T) {
	inBubble(t, "a stuck partition with a backlog over the whole budget", func(t *testing.T) {
		b := membroker.NewBroker(t, membroker.FetchRecords(20))
		b.CreateTopic("t", 4)
		for p := range int32(4) {
			for range 400 {
				b.Produce("t", membroker.Record{Partition: p, Value: make([]byte, 8<<10)})
			}
		}
		r := newRig(t, b, defaults(), func(_ context.Context, e event.KafkaEvent) error {
			if e.Records["t-0"] != nil {
				return errors.New("poison")
			}
			return nil
		}, WithBufferBytes(1<<20))
		r.start()
		pass(10 * time.Minute)
		for p, want := range []int64{0, 400, 400, 400} {
			if k := b.Committed("g", "t", int32(p)).Offset; k != want {
				t.Errorf("partition %d is committed at %d, want %d", p, k, want)
			}
		}
		if p := r.runner.Status().Partitions[0]; p.Paused != "buffer full" || p.Buffered == 0 || p.Attempts < 3 {
			t.Errorf("the stuck partition: %+v", p)
		}
		r.mustStop()
		if used := r.runner.shared.Budget.Used.Load(); used < 0 {
			t.Errorf("the budget says %d in use", used)
		}
	})
	inBubble(t, "memory given back lets a paused partition go on", func(t *testing.T) {
		b := membroker.NewBroker(t, membroker.FetchRecords(20))
		for range 1000 {
			b.Produce("t", membroker.Record{Value: make([]byte, 8<<10)})
		}
		paused := false
		var r *rig
		calls := 0
		r = newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error {
			if calls++; calls < 10 {
				time.Sleep(3 * time.Second)
				paused = paused || r.runner.Status().Partitions[0].Paused == "buffer full"
			}
			return nil
		}, WithBufferBytes(1<<20))
		r.start()
		pass(5 * time.Minute)
		if k := b.Committed("g", "t", 0).Offset; k != 1000 || !paused {
			t.Errorf("committed %d, want 1000; was paused: %t", k, paused)
		}
		r.mustStop()
		if used := r.runner.shared.Budget.Used.Load(); used != 0 {
			t.Errorf("the budget says %d in use of an empty buffer", used)
		}
	})
}

// Guarantee 5: a crash repeats at most the batches in flight or not yet committed. The crash is simulated by ending the
// membership without the member's knowledge and ignoring the Runner from then on.
func TestGuarantee5CrashRepeatsWhatWasInFlight(t *testing.T) {
	inBubble(t, "a member that is gone", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(100)...)
		s := defaults()
		s.BatchSize = 10
		hang := make(chan struct{})
		x := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
			if has(e, 50) {
				<-hang
			}
			return nil
		}, WithStopTimeout(0)).start()
		pass(10 * time.Second)
		committed := b.Committed("g", "t", 0).Offset
		b.Lose()
		y := newRig(t, b, s, nil).start()
		pass(time.Minute)
		_ = x.stop()
		pass(time.Minute)
		first := x.seen(0)
		if committed != 50 || first != briefRecords(offsetsFrom(0, 60)) {
			t.Errorf("before the crash: committed %d, handled %s", committed, first)
		}
		if got := y.seen(0); got != briefRecords(offsetsFrom(50, 100)) {
			t.Errorf("after the crash: %s, want 50 to 99", got)
		}
		close(hang)
		synctest.Wait()
		y.mustStop()
		if k := b.Committed("g", "t", 0).Offset; k != 100 {
			t.Errorf("committed %d", k)
		}
	})
}

func offsetsFrom(from, to int64) []event.KafkaRecord {
	var records []event.KafkaRecord
	for o := from; o < to; o++ {
		records = append(records, event.KafkaRecord{Offset: o})
	}
	return records
}

// With P backlogged partitions and W ≤ P workers, W invocations run; each is full and of one partition.
func TestWorkersRunAtOnce(t *testing.T) {
	for _, workers := range []int{0, 1, 3, 6, 9} {
		inBubble(t, fmt.Sprint(workers, " workers"), func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 6)
			for p := range int32(6) {
				records := numbered(300)
				for i := range records {
					records[i].Partition = p
				}
				b.Produce("t", records...)
			}
			release := make(chan struct{})
			r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error {
				<-release
				return nil
			}, WithWorkers(workers)).start()
			pass(10 * time.Second)
			want := min(workers, 6)
			if workers == 0 {
				want = 6
			}
			if s := r.runner.Status(); s.InFlight != want || len(r.events()) != want {
				t.Errorf("%d in flight, want %d", s.InFlight, want)
			}
			for _, e := range r.events() {
				if len(e.Records) != 1 || e.Len() != 100 {
					t.Errorf("a batch of %d records of %d partitions", e.Len(), len(e.Records))
				}
			}
			close(release)
			pass(10 * time.Second)
			if b.Lag("g") != 0 {
				t.Errorf("lag %d", b.Lag("g"))
			}
			r.mustStop()
		})
	}
}

// The size that an invocation reports is that of its JSON, and never over the payload limit.
func TestPayloadLimit(t *testing.T) {
	inBubble(t, "batches end before it, a larger record goes alone", func(t *testing.T) {
		b := membroker.NewBroker(t)
		for i := range 60 {
			n := 300
			if i == 30 {
				n = 9000
			}
			b.Produce("t", membroker.Record{Value: make([]byte, n), Headers: []event.Header{{Key: "h", Value: []byte{1, 200}}}})
		}
		s := defaults()
		e := event.KafkaEvent{EventSource: "SelfManagedKafka", BootstrapServers: "b:9092"}
		s.Envelope, s.Payload = size.Envelope(e), 5000
		r := newRig(t, b, s, nil).start()
		pass(time.Minute)
		r.mustStop()
		var all []int64
		for i, e := range r.events() {
			n := len(e.AppendJSON(nil))
			if r.infos[i].Bytes != n || n > 5000 && e.Len() > 1 {
				t.Errorf("%d records say %d bytes and measure %d", e.Len(), r.infos[i].Bytes, n)
			}
			for _, rec := range e.Records["t-0"] {
				all = append(all, rec.Offset)
			}
		}
		if len(all) != 60 || !slices.IsSorted(all) {
			t.Errorf("delivered %v", all)
		}
	})
}
