package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

func TestPartitionStatus(t *testing.T) {
	inBubble(t, "in flight, buffered, waiting for the next try, at rest", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 3)
		b.Produce("t", numbered(5)...) // t-0: one at a time, each takes a minute
		for range 4 {
			b.Produce("t", membroker.Record{Partition: 1}) // t-1: fails
		}
		s := defaults()
		s.BatchSize = 2
		bad := errors.New("bad")
		r := newRig(t, b, s, func(ctx context.Context, e event.KafkaEvent) error {
			if e.Records["t-0"] != nil {
				return obedient(ctx, time.Minute)
			}
			return bad
		}, WithRetryBackoff(20*time.Second, 20*time.Second), WithBufferBytes(2<<20))
		begin := time.Now()
		r.start()
		pass(5 * time.Second)
		st := r.runner.Status()
		if st.UUID != "u" || st.FunctionName != "f" || st.ConsumerGroupId != "g" || st.Driver != "memory" || st.State != observe.Enabled ||
			st.StateTransitionReason != observe.ReasonUserInitiated || st.LastModified.Before(begin) || st.LastModified.After(begin.Add(time.Second)) {
			t.Errorf("status %+v", st)
		}
		if st.Workers != 3 || st.InFlight != 1 || st.BufferLimit != 2<<20 || st.BufferedBytes <= 0 || st.CircuitOpen {
			t.Errorf("%d workers, %d in flight, %d bytes of %d, circuit %t", st.Workers, st.InFlight, st.BufferedBytes, st.BufferLimit, st.CircuitOpen)
		}
		if st.OffsetLag["t"] != 9 || st.SumOffsetLag != 9 || st.MaxOffsetLag != 5 || len(st.OffsetLag) != 1 || len(st.Partitions) != 3 {
			t.Fatalf("lags %v, %d, %d; partitions %+v", st.OffsetLag, st.SumOffsetLag, st.MaxOffsetLag, st.Partitions)
		}
		r.mu.Lock()
		at := slices.Clone(r.at)
		r.mu.Unlock()
		busy, failing, idle := st.Partitions[0], st.Partitions[1], st.Partitions[2]
		for _, p := range st.Partitions[:2] {
			if p.OldestAge != 5*time.Second || p.EndSeen.Before(begin) || p.EndSeen.After(begin.Add(time.Second)) {
				t.Errorf("%v: the oldest record is %s old, the end seen at %s", p, p.OldestAge, p.EndSeen)
			}
		}
		want := observe.PartitionStatus{TopicPartition: event.TopicPartition{Topic: "t"}, Received: 5, End: 5, Lag: 5, Buffered: 5, InFlightSince: at[0],
			EndSeen: busy.EndSeen, OldestAge: busy.OldestAge, Head: observe.Head{KeyHash: busy.Head.KeyHash, Bytes: busy.Head.Bytes, WaitsFor: observe.WaitHandler, Since: at[0]}}
		if busy != want {
			t.Errorf("the busy partition:\n%v, want\n%v", busy, want)
		}
		failed := at[1] // the invocation started and failed at this time
		want = observe.PartitionStatus{TopicPartition: event.TopicPartition{Topic: "t", Partition: 1}, Received: 4, End: 4, Lag: 4, Buffered: 4, Attempts: 1,
			FirstFailure: failed, NextTry: failing.NextTry, LastError: bad, EndSeen: failing.EndSeen, OldestAge: failing.OldestAge,
			Head: observe.Head{Tries: 1, FirstError: bad, WaitsFor: observe.WaitRetry, Since: failed}}
		if failing != want || failing.NextTry.Before(failed.Add(10*time.Second)) || failing.NextTry.After(failed.Add(20*time.Second)) {
			t.Errorf("the failing partition:\n%+v, want\n%+v", failing, want)
		}
		// The end of a log that is not fetched was looked up.
		want = observe.PartitionStatus{TopicPartition: event.TopicPartition{Topic: "t", Partition: 2}, EndSeen: idle.EndSeen}
		if idle != want || idle.EndSeen.Before(begin) {
			t.Errorf("the idle partition:\n%+v, want\n%+v", idle, want)
		}
		if got, want := fmt.Sprintf("%v", failing), "t-1 position 0 committed 0 end 4 lag 4 buffered 4, 1 failure since "+
			failed.Format(time.RFC3339)+": bad"; got != want {
			t.Errorf("it prints as %q, want %q", got, want)
		}
		pass(25 * time.Second)
		if p := r.runner.Status().Partitions[1]; p.Attempts < 2 || !p.FirstFailure.Equal(failed) || !p.NextTry.After(failing.NextTry) {
			t.Errorf("after the second try: %+v", p)
		}
		pass(40 * time.Second) // the first batch of t-0 is done, its second in flight; the ends were looked up
		st = r.runner.Status()
		if p := st.Partitions[0]; p.Position != 2 || p.Committed != 2 || p.Lag != 3 || p.Buffered != 3 || !p.InFlightSince.After(r.at[0]) {
			t.Errorf("after the first batch: %+v", p)
		}
		if p := st.Partitions[2]; p.End != 0 || p.Lag != 0 {
			t.Errorf("the idle partition after a minute: %+v", p)
		}
		r.mustStop()
		if st = r.runner.Status(); st.State != observe.Disabled || st.InFlight != 0 {
			t.Errorf("after the end: %+v", st)
		}
	})
	inBubble(t, "starting and draining", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		release := b.Hang(membroker.OpCommitted)
		r := newMapped(t, b, memoryMapping(), func(ctx context.Context, _ event.KafkaEvent) error { return obedient(ctx, 8*time.Second) }).launch()
		pass(3 * time.Second)
		st := r.runner.Status()
		if len(st.Partitions) != 1 || !st.Partitions[0].Starting || st.Partitions[0].Position != -1 || st.Partitions[0].Committed != -1 || st.State != observe.Creating {
			t.Errorf("while the start is looked up: %s, %+v", st.State, st.Partitions)
		}
		release()
		pass(2 * time.Second)
		b.Revoke()
		pass(3 * time.Second)
		if st = r.runner.Status(); len(st.Partitions) != 1 || st.Partitions[0].Starting || !st.Partitions[0].Draining {
			t.Errorf("while it is given away: %+v", st.Partitions)
		}
		pass(time.Minute)
		if st = r.runner.Status(); len(st.Partitions) != 1 || st.Partitions[0].Draining || st.Partitions[0].Committed != 1 {
			t.Errorf("when it is back: %+v", st.Partitions)
		}
		r.mustStop()
	})
}

func TestLastProcessingResult(t *testing.T) {
	inBubble(t, "in Lambda's words", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		tries := 0
		r := newMapped(t, b, memoryMapping(), func(context.Context, event.KafkaEvent) error {
			if tries++; tries == 1 {
				return errors.New("no")
			}
			return nil
		}, WithRetryBackoff(10*time.Second, 10*time.Second)).start()
		want := func(when, text string) {
			t.Helper()
			if got := r.runner.Status().LastProcessingResult; got != text {
				t.Errorf("%s: %q, want %q", when, got, text)
			}
		}
		want("before the first record", "No records processed")
		b.Produce("t", numbered(1)...)
		pass(2 * time.Second)
		want("after a failure", "PROBLEM: Function call failed")
		pass(10 * time.Second)
		want("after a success", "OK")
		b.Stop()
		pass(2 * time.Second)
		want("without a broker", "PROBLEM: Connection error. Please check your event source connection configuration.")
		b.Start()
		pass(10 * time.Second)
		want("the last invocation's again", "OK")
		r.mustStop()
		want("after the end", "OK")
	})
}

func TestMetrics(t *testing.T) {
	inBubble(t, "under Lambda's names", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := memoryMapping()
		m.MaximumRetryAttempts = new(1)
		m.FilterCriteria = &mapping.FilterCriteria{Filters: []mapping.Filter{{Pattern: `{"value":{"keep":[true]}}`}}}
		calls := 0
		var filtered []observe.FilteredInfo
		r := newMapped(t, b, m, func(context.Context, event.KafkaEvent) error {
			switch calls++; calls {
			case 1:
				return verdict.Throttled(errors.New("slow down"))
			case 2, 3:
				return errors.New("no")
			}
			return nil
		}, WithHooks(observe.Hooks{Filtered: func(i observe.FilteredInfo) { filtered = append(filtered, i) }})).start()
		b.Produce("t", membroker.Values(`{"keep":true}`, `{"keep":false}`, "text", `{"keep":true}`)...)
		pass(10 * time.Second) // throttled, failed, failed and dropped
		b.Fail(membroker.OpCommit, 2, errors.New("not now"))
		b.Produce("t", membroker.Values(`{"keep":true}`)...)
		pass(10 * time.Second)
		b.Report("", &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("gone")})
		pass(2 * time.Second)
		want := observe.Metrics{
			PolledEventCount: 5, FilteredOutEventCount: 2, WrongKindEventCount: 1, InvokedEventCount: 7, FailedInvokeEventCount: 6,
			DroppedEventCount: 2, CommittedEventCount: 5, PollingErrorCount: 1, CommitErrorCount: 2, InvokeErrorCount: 3, InvokeCount: 4,
			ThrottleCount: 1, RebalanceCount: 1, ProvisionedPollers: 1, Workers: 1, Retries: observe.RetryCounts{Throttled: 1, Failed: 1},
		}
		if got := r.runner.Metrics(); got != want || r.runner.Status().Metrics != want {
			t.Errorf("metrics\n%+v, want\n%+v", got, want)
		}
		wantFiltered := observe.FilteredInfo{TopicPartition: event.TopicPartition{Topic: "t"}, Records: 2, WrongKind: 1}
		if len(filtered) != 1 || filtered[0] != wantFiltered {
			t.Errorf("Hooks.Filtered: %+v, want once %+v", filtered, wantFiltered)
		}
		r.mustStop()
		if got := r.runner.Metrics(); got.RebalanceCount != 2 {
			t.Errorf("%d changes of the assignment after the end, want the revocation too", got.RebalanceCount)
		}
	})
}

func TestInvocationFacts(t *testing.T) {
	inBubble(t, "a handler learns what its batch is", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		m := memoryMapping()
		var got []string
		var ids []uint64
		r := newMapped(t, b, m, func(ctx context.Context, e event.KafkaEvent) error {
			inv, ok := event.InvocationFromContext(ctx)
			deadline, bounded := ctx.Deadline()
			ids = append(ids, inv.ID)
			got = append(got, fmt.Sprintf("%t %s %s attempt %d, failed first %t, %d records, size %t, deadline %t", ok, inv.FunctionName,
				inv.UUID, inv.Attempt, !inv.FirstFailure.IsZero(), inv.Records, inv.Bytes == e.Size(), bounded && deadline.Equal(inv.Deadline)))
			if len(got) == 1 {
				return errors.New("again")
			}
			return nil
		}, WithInvocationTimeout(time.Minute)).start()
		pass(10 * time.Second)
		uuid := m.WithDefaults().UUID
		wantLines(t, "facts", got,
			"true f "+uuid+" attempt 1, failed first false, 3 records, size true, deadline true",
			"true f "+uuid+" attempt 2, failed first true, 3 records, size true, deadline true")
		if len(ids) != 2 || ids[0] == ids[1] {
			t.Errorf("ids %v", ids)
		}
		if _, ok := event.InvocationFromContext(t.Context()); ok {
			t.Error("a context that is of no handler has facts")
		}
		r.mustStop()
	})
}
