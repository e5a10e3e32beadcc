package run

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// ids returns the ids of the failures that the destination has, in order.
func (d *scriptedDestination) ids() (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.got {
		all = append(all, d.got[i].ID())
	}
	return all
}

// conditionOf returns the text of the mapping's condition of a kind, or "".
func conditionOf(r *Process, kind string) string {
	for _, c := range r.Status().Conditions {
		if c.Op == observe.OpDestination && c.Kind == kind {
			return c.Err.Error()
		}
	}
	return ""
}

func TestDestinationFaults(t *testing.T) {
	inBubble(t, "slow: its partition waits, others go on", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		d := &scriptedDestination{answer: func(context.Context, *destination.Failure) error { time.Sleep(10 * time.Second); return nil }}
		m := poisonMapping(1)
		m.MaximumRetryAttempts = new(0)
		r := newMapped(t, b, m, poison, WithDestination(d)).start()
		group := r.runner.Status().ConsumerGroupId
		b.Produce("t", membroker.Record{Partition: 0}, membroker.Record{Partition: 0}, membroker.Record{Partition: 1})
		pass(9 * time.Second)
		if at0, at1 := b.Committed(group, "t", 0).Offset, b.Committed(group, "t", 1).Offset; at0 != 0 || at1 != 1 || r.seen(0) != "[0]" {
			t.Errorf("while it takes long: committed %d and %d, partition 0 invoked with %s", at0, at1, r.seen(0))
		}
		pass(5 * time.Second)
		if at := b.Committed(group, "t", 0).Offset; at != 1 || r.seen(0) != "[0 1]" {
			t.Errorf("after the first: committed %d, invoked with %s", at, r.seen(0))
		}
		pass(10 * time.Second)
		if at := b.Committed(group, "t", 0).Offset; at != 2 || !slices.Equal(d.offsets(), []int64{0, 1}) {
			t.Errorf("after the second: committed %d, the destination has %v", at, d.offsets())
		}
		r.mustStop()
	})
	inBubble(t, "the answer is lost: a repeat has the same id", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &losing{lost: 2}
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
		b.Produce("t", numbered(3)...)
		pass(time.Minute)
		if ids := d.ids(); len(ids) != 3 || ids[0] != ids[1] || ids[1] != ids[2] {
			t.Errorf("ids %v", ids)
		}
		if at := b.Committed(r.runner.Status().ConsumerGroupId, "t", 0).Offset; at != 3 {
			t.Errorf("committed %d", at)
		}
		if m := r.runner.Metrics(); m.OnFailureDestinationDeliveredEventCount != 3 || m.OnFailureDestinationDeliveryErrorCount != 2 {
			t.Errorf("%+v", m)
		}
		r.mustStop()
	})
	inBubble(t, "a crash between the acknowledgement and the commit: a repeat with the same id", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &scriptedDestination{}
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d), WithStopTimeout(0)).start()
		group := r.runner.Status().ConsumerGroupId
		b.Fail(membroker.OpCommit, 1e6, errors.New("not now"))
		b.Produce("t", numbered(3)...)
		pass(time.Minute)
		if len(d.ids()) != 1 || b.Committed(group, "t", 0).Offset != 0 {
			t.Fatalf("committed %d, the destination has %v", b.Committed(group, "t", 0).Offset, d.ids())
		}
		var stuck *observe.StuckError
		if err := r.stop(); !errors.As(err, &stuck) || stuck.Calls[0].Op != observe.OpCommit {
			t.Errorf("Run: %v", err)
		}
		b.Heal()
		again := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
		pass(time.Minute)
		if ids := d.ids(); len(ids) != 2 || ids[0] != ids[1] || b.Committed(group, "t", 0).Offset != 3 {
			t.Errorf("committed %d, ids %v", b.Committed(group, "t", 0).Offset, ids)
		}
		again.mustStop()
	})
	for _, why := range []destination.Reason{destination.ReasonThrottled, destination.ReasonAccessDenied, destination.ReasonNotFound, destination.ReasonTooLarge, "a panic"} {
		inBubble(t, "refused: "+string(why), func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 2)
			var mended atomic.Bool
			d := &scriptedDestination{answer: func(context.Context, *destination.Failure) error {
				switch {
				case mended.Load():
					return nil
				case why == "a panic":
					panic("a panic")
				}
				return &destination.Error{Destination: "arn:aws:sqs:eu-west-1:123456789012:failed", Reason: why, Hint: "mend it", Err: errors.New("refused")}
			}}
			var told []observe.ErrorInfo
			r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d), WithHooks(observe.Hooks{Error: func(i observe.ErrorInfo) { told = append(told, i) }})).start()
			group := r.runner.Status().ConsumerGroupId
			b.Produce("t", membroker.Record{Partition: 0}, membroker.Record{Partition: 1})
			pass(time.Minute)
			s := r.runner.Status()
			if !strings.HasPrefix(s.LastProcessingResult, "PROBLEM: ") || conditionOf(r.runner, condition.KindDelivery) == "" || s.Destination.Failing != 1 || s.Destination.LastError == nil || s.Destination.Since.IsZero() {
				t.Errorf("%q, %+v", s.LastProcessingResult, s.Destination)
			}
			if len(told) == 0 || told[0].Op != observe.OpDestination {
				t.Errorf("hooks: %v", told)
			}
			if at0, at1 := b.Committed(group, "t", 0).Offset, b.Committed(group, "t", 1).Offset; at0 != 0 || at1 != 1 {
				t.Errorf("committed %d and %d", at0, at1)
			}
			mended.Store(true)
			pass(time.Minute)
			if at := b.Committed(group, "t", 0).Offset; at != 1 || len(d.ids()) != 1 || len(r.runner.Status().Conditions) != 0 {
				t.Errorf("mended: committed %d, %v, %v", at, d.ids(), r.runner.Status().Conditions)
			}
			r.mustStop()
		})
	}
	inBubble(t, "down while much comes: what waits is bounded, and all arrives in the end", func(t *testing.T) {
		b := membroker.NewBroker(t, membroker.FetchRecords(10))
		b.CreateTopic("t", 1)
		var mended atomic.Bool
		d := &scriptedDestination{answer: func(context.Context, *destination.Failure) error {
			if mended.Load() {
				return nil
			}
			return errors.New("down")
		}}
		const n, limit = 1000, 1 << 20
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d), WithBufferBytes(limit)).start()
		records := make([]membroker.Record, n)
		for i := range records {
			records[i].Value = bytes.Repeat([]byte("v"), 10_000)
		}
		b.Produce("t", records...)
		for range 10 {
			pass(time.Minute)
			if s := r.runner.Status(); s.BufferedBytes > limit+limit/4 || s.BufferedBytes == 0 || s.Destination.Pending != 1 {
				t.Errorf("%d bytes wait, %d failures", s.BufferedBytes, s.Destination.Pending)
			}
		}
		mended.Store(true)
		pass(time.Hour)
		if got := d.offsets(); len(got) != n || !slices.IsSorted(got) || r.runner.Status().BufferedBytes != 0 {
			t.Errorf("%d records, %d bytes", len(got), r.runner.Status().BufferedBytes)
		}
		r.mustStop()
	})
	inBubble(t, "what a function names in batchItemFailures has no functionError", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &scriptedDestination{}
		m := poisonMapping(10)
		m.FunctionResponseTypes = []mapping.FunctionResponseType{mapping.ReportBatchItemFailures}
		r := newMapped(t, b, m, func(_ context.Context, e event.KafkaEvent) error {
			for _, record := range e.Records["t-0"] {
				if record.Offset == 1 {
					return itemFailures(record.ItemID())
				}
			}
			return nil
		}, WithDestination(d)).start()
		b.Produce("t", numbered(3)...)
		pass(time.Minute)
		if !slices.Equal(d.offsets(), []int64{1}) || d.got[0].Invocations != 2 || *d.got[0].Response != (destination.Response{StatusCode: 200, ExecutedVersion: "$LATEST"}) {
			t.Errorf("%v %+v", d.offsets(), d.got)
		}
		if !strings.Contains(string(d.got[0].Document()), `"functionError":null`) {
			t.Errorf("%s", d.got[0].Document())
		}
		if at := b.Committed(r.runner.Status().ConsumerGroupId, "t", 0).Offset; at != 3 {
			t.Errorf("committed %d", at)
		}
		r.mustStop()
	})
	inBubble(t, "what a handler does to records that it kept is not in the destination", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		release := make(chan struct{})
		var kept event.KafkaEvent
		d := &scriptedDestination{answer: func(context.Context, *destination.Failure) error { <-release; return nil }}
		r := newMapped(t, b, poisonMapping(10), func(_ context.Context, e event.KafkaEvent) error {
			kept = e
			e.Records["t-0"][0].Offset = 9
			return errors.New("no")
		}, WithDestination(d)).start()
		b.Produce("t", numbered(1)...)
		pass(20 * time.Second)
		copy(kept.Records["t-0"][0].Value, "yy") // while it is being sent
		kept.Records["t-0"][0].Offset = 7
		close(release)
		pass(20 * time.Second)
		if len(d.got) != 1 || string(d.got[0].Event.Records["t-0"][0].Value) != "v0" || d.got[0].Event.Records["t-0"][0].Offset != 0 {
			t.Errorf("%+v", d.got)
		}
		r.mustStop()
	})
	inBubble(t, "a batch over partitions is a failure of each", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		d := &scriptedDestination{}
		m := poisonMapping(10)
		m.MaximumRetryAttempts = new(0)
		b.Produce("t", membroker.Record{Partition: 0}, membroker.Record{Partition: 1}, membroker.Record{Partition: 0})
		r := newMapped(t, b, m, func(context.Context, event.KafkaEvent) error { return errors.New("all") }, WithDestination(d)).start()
		pass(time.Minute)
		if n := r.events()[0].Len(); n != 3 || len(d.got) != 2 {
			t.Fatalf("a batch of %d records, %d failures", n, len(d.got))
		}
		for _, f := range d.got {
			if len(f.Partitions()) != 1 || f.Invocations != 1 {
				t.Errorf("%+v", f)
			}
		}
		r.mustStop()
	})
}
