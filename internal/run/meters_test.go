package run

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// Each histogram has values after its events have happened, and the values are correct.
func TestHistograms(t *testing.T) {
	inBubble(t, "of a mapping with a window, retries, a destination and a rebalance", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Delay(membroker.OpCommit, 30*time.Millisecond)
		m := memoryMapping()
		m.BatchSize, m.MaximumBatchingWindowInSeconds, m.MaximumRetryAttempts = 10, new(3), new(1)
		takes := []time.Duration{200 * time.Millisecond, 300 * time.Millisecond, 400 * time.Millisecond}
		calls, commits := 0, 0
		var took time.Duration // of the commits
		r := newMapped(t, b, m, func(ctx context.Context, _ event.KafkaEvent) error {
			d := takes[min(calls, 2)]
			calls++
			_ = obedient(ctx, d)
			if calls <= 2 {
				return errors.New("no")
			}
			return nil
		}, WithRetryBackoff(2*time.Second, 2*time.Second), WithHooks(observe.Hooks{Commit: func(i observe.CommitInfo) { commits++; took += i.Duration }}),
			WithDestination(slowDestination{50 * time.Millisecond})).start()
		b.Produce("t", numbered(4)...) // 3 s of window, 0.2 s, 1 to 2 s of backoff, 0.3 s, 50 ms
		pass(10 * time.Second)
		b.Produce("t", numbered(10)...) // full: 0.4 s
		pass(10 * time.Second)
		h := r.runner.Histograms()
		sum := func(name string, h observe.Histogram, n uint64, want, within float64) {
			t.Helper()
			if h.Count() != n || math.Abs(h.Sum-want) > within || len(h.Counts) != len(h.Bounds)+1 || !slices.IsSorted(h.Bounds) {
				t.Errorf("%s: %d values, sum %v, want %d and %v", name, h.Count(), h.Sum, n, want)
			}
		}
		sum("InvocationDuration", h.InvocationDuration, 3, 0.9, 1e-6)
		sum("BatchRecords", h.BatchRecords, 3, 18, 0)
		sum("BatchFill", h.BatchFill, 3, 1.8, 1e-6)
		sum("WindowWait", h.WindowWait, 2, 3, 0.01)
		sum("CommitDuration", h.CommitDuration, uint64(commits), took.Seconds(), 1e-6)
		sum("DestinationDuration", h.DestinationDuration, 1, 0.05, 1e-6)
		sum("Latency", h.Latency, 14, 4*(3+0.2+1.5+0.3+0.05)+10*0.4, 4*0.6)
		sum("RebalanceDuration", h.RebalanceDuration, 1, 0.03, 0.01) // the start is committed
		if commits == 0 || h.InvocationDuration.Counts[6] != 1 || h.InvocationDuration.Bounds[6] != 0.1 && h.InvocationDuration.Counts[5] != 0 {
			t.Logf("%d commits, %+v", commits, h.InvocationDuration)
		}
		b.Delay(membroker.OpCommitted, 5*time.Second)
		b.Revoke()
		pass(time.Minute)
		sum("RebalanceDuration", r.runner.Histograms().RebalanceDuration, 2, 5.06, 0.1)
		r.mustStop()
	})
}

// slowDestination takes some time for each Send.
type slowDestination struct{ takes time.Duration }

func (d slowDestination) Send(context.Context, *destination.Failure) error {
	time.Sleep(d.takes)
	return nil
}

func TestRetriesByReason(t *testing.T) {
	inBubble(t, "each once", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := memoryMapping()
		m.FunctionResponseTypes = []mapping.FunctionResponseType{"ReportBatchItemFailures"}
		calls := 0
		r := newMapped(t, b, m, func(ctx context.Context, e event.KafkaEvent) error {
			switch calls++; calls {
			case 1:
				return errors.New("no")
			case 2:
				return verdict.Throttled(errors.New("slow down"))
			case 3:
				panic("boo")
			case 4:
				<-ctx.Done()
				return ctx.Err()
			case 5:
				return itemFailures(e.Records["t-0"][1].ItemID())
			}
			return nil
		}, WithInvocationTimeout(time.Second)).start()
		b.Produce("t", numbered(3)...)
		pass(time.Minute)
		want := observe.RetryCounts{Failed: 1, Throttled: 1, Panic: 1, Timeout: 1, Partial: 1}
		if got := r.runner.Metrics().Retries; got != want || calls != 6 {
			t.Errorf("%+v in %d calls, want %+v", got, calls, want)
		}
		r.mustStop()
	})
}
