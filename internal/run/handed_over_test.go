package run

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// A partition that was given up in time has no invocation here any more, also none of records that its log has lost since:
// who gets it next would invoke beside it.
func TestRevocationWaitsForWhatWasCutOff(t *testing.T) {
	inBubble(t, "a log that is cut while a handler runs", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(10)...)
		var running, most, calls atomic.Int32
		handler := func(context.Context, event.KafkaEvent) error {
			n := running.Add(1)
			defer running.Add(-1)
			most.Store(max(most.Load(), n))
			if calls.Add(1) == 1 {
				time.Sleep(5 * time.Second)
			}
			return nil
		}
		first := newRig(t, b, defaults(), handler, WithRevokeTimeout(10*time.Second)).start()
		second := newRig(t, b, defaults(), handler, WithRevokeTimeout(10*time.Second)).launch()
		pass(time.Second)
		b.Truncate("t", 0, 2)
		b.Produce("t", numbered(20)...)
		pass(2 * time.Second)
		b.Revoke(event.TopicPartition{Topic: "t"})
		pass(time.Minute)
		if k := b.Committed("g", "t", 0).Offset; k != 22 {
			t.Errorf("committed %d of 22", k)
		}
		if most.Load() != 1 || calls.Load() < 2 || len(second.events()) == 0 {
			t.Errorf("%d invocations of one partition at a time, of %d; %d by the second", most.Load(), calls.Load(), len(second.events()))
		}
		for _, r := range []*rig{first, second} {
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}
