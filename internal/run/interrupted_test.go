package run

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/observe"
)

// interruptions are the ways in which the engine ends a handler's context. After each, the group's members are gone or
// another one is handling.
var interruptions = []struct {
	name string
	end  func(t *testing.T, r *rig, b *membroker.Broker)
}{
	{"a stop", func(t *testing.T, r *rig, _ *membroker.Broker) { r.mustStop() }},
	{"a revocation", func(t *testing.T, r *rig, b *membroker.Broker) { b.Revoke(); pass(30 * time.Second); r.mustStop() }},
	{"a loss", func(t *testing.T, r *rig, b *membroker.Broker) {
		b.Lose(b.Members("g")[0].ID)
		pass(30 * time.Second)
		r.mustStop()
	}},
}

// An error that a handler returns after the engine ended its context uses no attempt and drops nothing.
func TestInterruptedIsNoVerdict(t *testing.T) {
	answers := map[string]func(context.Context) error{
		"the context's error": func(ctx context.Context) error { return ctx.Err() },
		"its cause":           context.Cause,
		"another error":       func(context.Context) error { return errors.New("half done") },
		"Permanent":           func(context.Context) error { return verdict.Permanent(errors.New("never")) },
		"Throttled":           func(context.Context) error { return verdict.Throttled(errors.New("slow")) },
		"a panic":             func(context.Context) error { panic("cut off") },
	}
	for _, how := range interruptions {
		for name, answer := range answers {
			inBubble(t, how.name+": "+name, func(t *testing.T) {
				b := membroker.NewBroker(t)
				b.Produce("t", numbered(4)...)
				var ended atomic.Bool
				var told []string
				note := func(what string) { told = append(told, what) }
				s := defaults()
				s.Retry = verdict.Policy{MaximumRetryAttempts: 0, Bisect: name == "another error"}
				var interrupted int
				r := newRig(t, b, s, func(ctx context.Context, _ event.KafkaEvent) error {
					if ended.Load() {
						return nil
					}
					<-ctx.Done()
					ended.Store(true)
					return answer(ctx)
				}, WithStopTimeout(2*time.Second), WithRevokeTimeout(2*time.Second), WithCircuitBreaker(Breaker{Failures: 1, Cooldown: time.Hour}),
					WithHooks(observe.Hooks{
						Drop:  func(i observe.DropInfo) { note(fmt.Sprint("dropped ", i.Reason)) },
						Retry: func(i observe.RetryInfo) { note("retry") },
						BatchEnd: func(_ context.Context, i observe.BatchEndInfo) {
							if i.Interrupted {
								interrupted++
							}
						},
					})).start()
				pass(time.Second)
				if len(r.events()) != 1 {
					t.Fatalf("%d invocations", len(r.events()))
				}
				how.end(t, r, b)
				st := r.runner.Status()
				if len(told) != 0 || st.Metrics.InvokeErrorCount != 0 || st.Metrics.FailedInvokeEventCount != 0 || st.Metrics.DroppedEventCount != 0 || st.CircuitOpen {
					t.Errorf("told %v, status %+v", told, st)
				}
				if st.LastProcessingResult == condition.ResultFunctionFailed || interrupted != 1 {
					t.Errorf("last result %q after %d interruptions", st.LastProcessingResult, interrupted)
				}
				want := int64(4)
				if how.name == "a stop" { // no member handled them again
					want = 0
				}
				if k := b.Committed("g", "t", 0).Offset; max(k, 0) != want {
					t.Errorf("committed %d, want %d", k, want)
				}
			})
		}
	}
}

func TestInterruptedHandlerMayBeDone(t *testing.T) {
	inBubble(t, "nil after the context ended is done", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(4)...)
		r := newRig(t, b, defaults(), func(ctx context.Context, _ event.KafkaEvent) error { <-ctx.Done(); return nil }, WithStopTimeout(time.Second)).start()
		pass(time.Second)
		r.mustStop()
		if k := b.Committed("g", "t", 0).Offset; k != 4 {
			t.Errorf("committed %d, want 4", k)
		}
	})
	inBubble(t, "of a partial answer, what it does not name is done", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(4)...)
		s := defaults()
		s.Retry = verdict.Policy{MaximumRetryAttempts: 0, Partial: true}
		r := newRig(t, b, s, func(ctx context.Context, e event.KafkaEvent) error {
			<-ctx.Done()
			return itemFailures(e.Records["t-0"][2].ItemID(), e.Records["t-0"][3].ItemID())
		}, WithStopTimeout(time.Second)).start()
		pass(time.Second)
		r.mustStop()
		if k := b.Committed("g", "t", 0).Offset; k != 2 {
			t.Errorf("committed %d, want 2", k)
		}
	})
	inBubble(t, "a handler that goes by the context of Run is interrupted by a stop", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(4)...)
		run, cancel := context.WithCancel(context.Background())
		s := defaults()
		s.Retry = verdict.Policy{MaximumRetryAttempts: 0}
		r := newRig(t, b, s, func(context.Context, event.KafkaEvent) error { <-run.Done(); return fmt.Errorf("query: %w", run.Err()) })
		r.cancel = cancel
		go func() { r.done <- r.runner.Run(run) }()
		pass(time.Second)
		r.mustStop()
		if k := b.Committed("g", "t", 0).Offset; k > 0 || r.runner.Metrics().DroppedEventCount != 0 {
			t.Errorf("committed %d, dropped %d", k, r.runner.Metrics().DroppedEventCount)
		}
	})
	inBubble(t, "the end by WithInvocationTimeout is a failure", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(4)...)
		s := defaults()
		s.Retry = verdict.Policy{MaximumRetryAttempts: 0}
		r := newRig(t, b, s, func(ctx context.Context, _ event.KafkaEvent) error {
			<-ctx.Done()
			time.Sleep(2 * time.Second)
			return ctx.Err()
		},
			WithInvocationTimeout(3*time.Second), WithStopTimeout(0)).start()
		time.Sleep(4 * time.Second) // timed out; the stop then ends the same context again
		r.mustStop()
		if m := r.runner.Metrics(); m.DroppedEventCount != 4 || m.InvokeErrorCount != 1 {
			t.Errorf("%+v", m)
		}
	})
}

// A member that leaves because fewer are needed also interrupts its handlers.
func TestScaleInInterrupts(t *testing.T) {
	inBubble(t, "one poller too many", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		b.Produce("t", membroker.Record{Partition: 0}, membroker.Record{Partition: 1})
		var cut atomic.Int64
		s := defaults()
		s.BatchSize, s.Retry = 1, verdict.Policy{MaximumRetryAttempts: 0}
		s.MinimumPollers, s.MaximumPollers = 2, 2
		r := newRig(t, b, s, func(ctx context.Context, _ event.KafkaEvent) error {
			if cut.Load() > 0 {
				return nil
			}
			select {
			case <-ctx.Done():
				cut.Add(1)
				return ctx.Err()
			case <-time.After(10 * time.Minute):
				return nil
			}
		}, WithRevokeTimeout(2*time.Second)).start()
		pass(2 * time.Minute)
		fewer := *s
		fewer.MinimumPollers, fewer.MaximumPollers = 1, 1
		r.runner.shared.Current.Store(&fewer)
		r.runner.updated <- struct{}{}
		pass(time.Hour)
		if m := r.runner.Metrics(); cut.Load() == 0 || m.DroppedEventCount != 0 || m.InvokeErrorCount != 0 {
			t.Errorf("%d interrupted; %+v", cut.Load(), m)
		}
		for p := range int32(2) {
			if k := b.Committed("g", "t", p).Offset; k != 1 {
				t.Errorf("t-%d is committed at %d, want 1", p, k)
			}
		}
		r.mustStop()
	})
}

// A handler that was left behind and returns while its member is still closing changes nothing.
func TestAbandonedHandlerReturns(t *testing.T) {
	for _, answer := range []error{nil, errors.New("late")} {
		inBubble(t, fmt.Sprint(answer), func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			b.Produce("t", numbered(3)...)
			back := make(chan struct{})
			r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error { <-back; return answer },
				WithStopTimeout(10*time.Second), WithCircuitBreaker(Breaker{Failures: 1, Cooldown: time.Minute})).start()
			pass(time.Second)
			release := b.Hang(membroker.OpClose)
			r.cancel()
			pass(8500 * time.Millisecond) // the handler was left behind a moment ago, the client is closing
			if r.runner.roster.list()[0].ended {
				t.Fatal("the member has ended already")
			}
			close(back)
			pass(100 * time.Millisecond)
			release()
			err := <-r.done
			var stuck *observe.StuckError
			if !errors.As(err, &stuck) || len(stuck.Handlers) != 1 {
				t.Fatalf("Run: %v", err)
			}
			if k := b.Committed("g", "t", 0).Offset; k > 0 {
				t.Errorf("committed %d", k)
			}
			c := r.runner.shared
			if busy, _, _ := c.Workers.Counts(); busy != 0 || c.Circuit.Busy() != 0 || c.Circuit.IsOpen() || c.Orphans.Count() != 0 {
				t.Errorf("%d workers, %d invocations in the circuit (open: %v), orphans %v", busy, c.Circuit.Busy(), c.Circuit.IsOpen(), c.Orphans.Count())
			}
			if m := r.runner.Metrics(); m.InvokeCount != 0 || m.InvokeErrorCount != 0 {
				t.Errorf("%+v", m)
			}
		})
	}
}
