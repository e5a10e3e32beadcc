package run

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/scaling"
)

// wish is a policy that asks for a given number of pollers and for all workers.
type wish struct{ pollers atomic.Int64 }

func (w *wish) Decide(s scaling.Sample) scaling.Decision {
	return scaling.Decision{Workers: s.Bounds.MaximumWorkers, Pollers: int(w.pollers.Load()), Next: time.Second}
}

func wishing(n int) *wish {
	w := new(wish)
	w.pollers.Store(int64(n))
	return w
}

// polling are settings with a range of pollers.
func polling(minimum, maximum int) *shared.Settings {
	s := small()
	s.MinimumPollers, s.MaximumPollers = minimum, maximum
	return s
}

// journal is a handler that records what it got of each partition, in order, and whether two invocations ever had the
// same partition at a time.
type journal struct {
	mu    sync.Mutex
	takes func() time.Duration
	held  map[string]bool
	next  map[string]int64 // the offset after the last one handled
	again int              // records repeated
	wrong []string
}

func newJournal(takes func() time.Duration) *journal {
	return &journal{takes: takes, held: map[string]bool{}, next: map[string]int64{}}
}

func (j *journal) handle(ctx context.Context, e event.KafkaEvent) error {
	j.mu.Lock()
	for key, records := range e.Records {
		if j.held[key] {
			j.wrong = append(j.wrong, key+": two invocations at a time")
		}
		j.held[key] = true
		first := records[0].Offset
		switch {
		case first > j.next[key]:
			j.wrong = append(j.wrong, fmt.Sprintf("%s: offset %d where %d was due", key, first, j.next[key]))
		case first < j.next[key]:
			j.again += int(j.next[key] - first)
		}
	}
	d := j.takes()
	j.mu.Unlock()
	time.Sleep(d)
	j.mu.Lock()
	defer j.mu.Unlock()
	for key, records := range e.Records {
		j.held[key] = false
		j.next[key] = max(j.next[key], records[len(records)-1].Offset+1)
	}
	return nil
}

// check compares each partition's records with what the handler saw and what the broker has committed.
func (j *journal) check(t *testing.T, b *membroker.Broker, partitions int, each int64) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.wrong) > 0 {
		t.Errorf("%d faults, first %s", len(j.wrong), j.wrong[0])
	}
	for p := range partitions {
		if n := j.next[fmt.Sprint("t-", p)]; n != each {
			t.Errorf("partition %d was handled up to %d, want %d", p, n, each)
		}
		if c := b.Committed("g", "t", int32(p)); c.Offset != each {
			t.Errorf("partition %d is committed at %d, want %d", p, c.Offset, each)
		}
	}
}

func taking(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

func wantMembers(t *testing.T, b *membroker.Broker, r *rig, n int) {
	t.Helper()
	if got := len(b.Members("g")); got != n {
		t.Errorf("the group has %d members, want %d: %v", got, n, r.runner.Status().Scaling.Reason)
	}
	if got := r.runner.Status().Pollers; got != n {
		t.Errorf("Status has %d pollers, want %d", got, n)
	}
}
