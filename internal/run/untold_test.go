package run

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// A drop that a stop did not report is not committed: the next reader of the records reports it.
func TestUntoldDropsAreNotCommitted(t *testing.T) {
	for _, c := range []struct {
		name   string
		mend   func(m *mapping.Mapping)
		reason observe.DropReason
	}{
		{"retries exhausted", func(m *mapping.Mapping) { m.MaximumRetryAttempts = new(0) }, observe.DropRetriesExhausted},
		{"record age", func(m *mapping.Mapping) { m.MaximumRecordAgeInSeconds = new(60) }, observe.DropRecordAge},
	} {
		// The hook itself blocks; or another one does, and Drop is never called.
		for _, blocks := range []string{"Drop", "Error"} {
			inBubble(t, c.name+", "+blocks+" blocks", func(t *testing.T) {
				b := membroker.NewBroker(t)
				b.CreateTopic("t", 2)
				m := memoryMapping()
				m.BatchSize = 2
				c.mend(&m)
				release := make(chan struct{})
				var drops atomic.Int64
				var told []int64
				drop := func(i observe.DropInfo) {
					if drops.Add(1); i.Reason != c.reason {
						t.Errorf("dropped for %v", i.Reason)
					}
					for _, r := range i.Records {
						told = append(told, r.Offset)
					}
				}
				blocking := observe.Hooks{Drop: func(i observe.DropInfo) { <-release; drop(i) }}
				if blocks == "Error" {
					blocking = observe.Hooks{Error: func(observe.ErrorInfo) { <-release }, Drop: drop}
				}
				r := newMapped(t, b, m, func(context.Context, event.KafkaEvent) error { return errors.New("no") }, WithHooks(blocking)).start()
				produce := func() {
					old := time.Now().Add(-time.Hour)
					b.Produce("t", membroker.Record{Timestamp: old}, membroker.Record{Timestamp: old}, membroker.Record{Timestamp: old})
				}
				if blocks == "Error" { // an error of the poll, while the records are on their way
					b.Report("", unreadable("t", 1))
				}
				produce()
				pass(3 * time.Second)
				if n := len(b.Members("")); n != 1 {
					t.Fatalf("%d members", n)
				}
				err := r.stop()
				var stuck *observe.StuckError
				if !errors.As(err, &stuck) || len(stuck.Calls) != 1 || stuck.Calls[0].Op != observe.OpHook {
					t.Errorf("Run: %v", err)
				}
				if k := b.Committed("", "t", 0).Offset; k > 0 {
					t.Errorf("committed %d before Drop had returned, after %d calls", k, drops.Load())
				}
				close(release)
				pass(time.Minute)
				if k := b.Committed("", "t", 0).Offset; k > 0 {
					t.Errorf("committed %d after the end", k)
				}

				told = nil
				again := newMapped(t, b, m, func(context.Context, event.KafkaEvent) error { return errors.New("no") }, WithHooks(observe.Hooks{Drop: drop})).start()
				pass(time.Minute)
				again.mustStop()
				if len(told) != 3 || b.Committed("", "t", 0).Offset != 3 {
					t.Errorf("the next one told of %v, committed %d", told, b.Committed("", "t", 0).Offset)
				}
			})
		}
	}
}
