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
	"github.com/esm-go/esm/internal/verdict"
)

// An open circuit also closes when nothing in memory could be tried.
func TestOpenCircuitFetchesAgain(t *testing.T) {
	for _, pollers := range []int{1, 3} {
		for _, c := range []struct {
			name  string
			retry verdict.Policy
			empty func(b *membroker.Broker) // makes the members lose what they hold
		}{
			{"the failed records were dropped", verdict.Policy{MaximumRetryAttempts: 0}, nil},
			{"a rebalance", verdict.Policy{MaximumRetryAttempts: -1}, func(b *membroker.Broker) { b.Revoke() }},
			{"a loss", verdict.Policy{MaximumRetryAttempts: -1}, func(b *membroker.Broker) {
				for _, m := range b.Members("g") {
					b.Lose(m.ID)
				}
			}},
		} {
			inBubble(t, fmt.Sprintf("%s, pollers: %d", c.name, pollers), func(t *testing.T) {
				b := membroker.NewBroker(t)
				b.CreateTopic("t", 3)
				var well atomic.Bool
				s := defaults()
				s.BatchSize, s.Retry = 1, c.retry
				s.MinimumPollers, s.MaximumPollers = pollers, pollers
				r := newRig(t, b, s, func(context.Context, event.KafkaEvent) error {
					if well.Load() {
						return nil
					}
					return errors.New("down")
				}, WithCircuitBreaker(Breaker{Failures: 3, Cooldown: 10 * time.Second})).start()
				pass(time.Minute)
				produce := func(n int) {
					for i := range n {
						b.Produce("t", membroker.Record{Partition: int32(i % 3)})
					}
				}
				produce(3)
				pass(2 * time.Second)
				if !r.runner.Status().CircuitOpen {
					t.Fatalf("the circuit did not open: %+v", r.runner.Status())
				}
				if c.empty != nil {
					c.empty(b)
				}
				pass(5 * time.Second)
				n := len(r.events())
				produce(3)
				pass(time.Second)
				if len(r.events()) != n {
					t.Errorf("%d invocations within the cooldown", len(r.events())-n)
				}
				for _, p := range r.runner.Status().Partitions {
					if p.Paused != "circuit open" {
						t.Errorf("%s within the cooldown: paused %q", p.TopicPartition, p.Paused)
					}
				}
				// One batch is tried, and its failure opens the circuit for another cooldown.
				pass(8 * time.Second)
				if tried := len(r.events()) - n; tried != 1 || !r.runner.Status().CircuitOpen {
					t.Errorf("%d were tried after the cooldown, want 1; status %+v", tried, r.runner.Status())
				}
				well.Store(true)
				pass(2 * time.Minute)
				if st := r.runner.Status(); st.CircuitOpen || st.SumOffsetLag != 0 {
					t.Errorf("the circuit is open for good: %+v", st)
				}
				for p := range int32(3) {
					if k, end := b.Committed("g", "t", p).Offset, b.End("t", p); k != end {
						t.Errorf("t-%d is committed at %d of %d", p, k, end)
					}
				}
				r.mustStop()
			})
		}
	}
}

// A handler that succeeds with most of its records does not count as failing.
func TestPartialFailuresAndCircuit(t *testing.T) {
	for _, c := range []struct {
		bad  int
		open bool
	}{{1, false}, {4, false}, {5, true}, {10, true}} {
		inBubble(t, fmt.Sprintf("%d of 10", c.bad), func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 1)
			s := defaults()
			s.BatchSize, s.Window, s.Retry = 10, 3*time.Second, verdict.Policy{MaximumRetryAttempts: 0, Partial: true}
			r := newRig(t, b, s, func(_ context.Context, e event.KafkaEvent) error {
				var items []event.ItemID
				for _, rec := range e.Records["t-0"][:c.bad] {
					items = append(items, rec.ItemID())
				}
				return itemFailures(items...)
			}, WithCircuitBreaker(Breaker{Failures: 3, Cooldown: time.Hour})).start()
			for range 10 {
				b.Produce("t", numbered(10)...)
				pass(5 * time.Second)
			}
			if st := r.runner.Status(); st.CircuitOpen != c.open {
				t.Errorf("open: %v", st.CircuitOpen)
			}
			r.mustStop()
		})
	}
}

// A process without partitions has nothing to try an open circuit with: the circuit closes when its cooldown ends, and
// its condition ends.
func TestCircuitWithoutPartitions(t *testing.T) {
	inBubble(t, "one process of two", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		s := defaults()
		s.BatchSize = 1
		failing := func(context.Context, event.KafkaEvent) error { return errors.New("down") }
		breaker := WithCircuitBreaker(Breaker{Failures: 3, Cooldown: 10 * time.Second})
		first, second := newRig(t, b, s, failing, breaker).start(), newRig(t, b, s, failing, breaker).start()
		pass(30 * time.Second)
		b.Produce("t", membroker.Record{})
		pass(5 * time.Second)
		with, without := first, second
		if !with.runner.Status().CircuitOpen {
			with, without = second, first
		}
		if st := with.runner.Status(); !st.CircuitOpen || len(st.Conditions) == 0 {
			t.Fatalf("the circuit did not open: %+v", st)
		}
		b.Revoke(event.TopicPartition{Topic: "t"})
		pass(time.Minute)
		if n := len(without.runner.Status().Partitions); n != 1 {
			t.Fatalf("the other process holds %d partitions", n)
		}
		if st := with.runner.Status(); st.CircuitOpen || len(st.Conditions) > 0 {
			t.Errorf("it stands without a partition: %+v", st)
		}
		with.mustStop()
		without.mustStop()
	})
}

// All members learn at once that one of them has closed the circuit.
func TestCircuitClosesForAllMembers(t *testing.T) {
	inBubble(t, "two members, a try that takes a while", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		well := false
		s := polling(2, 2)
		s.BatchSize = 1
		r := newRig(t, b, s, func(context.Context, event.KafkaEvent) error {
			if !well {
				return errors.New("no")
			}
			time.Sleep(1234567 * time.Microsecond) // at a time when nothing else wakes a loop
			return nil
		}, WithCircuitBreaker(Breaker{Failures: 2, Cooldown: time.Minute})).start()
		pass(time.Minute)
		wantMembers(t, b, r, 2)
		b.Produce("t", spread(2, 2)...)
		pass(10 * time.Second)
		if !r.runner.Status().CircuitOpen {
			t.Fatal("the circuit is not open")
		}
		well = true
		n := len(r.events())
		for len(r.events()) == n {
			pass(time.Millisecond)
		}
		pass(1300 * time.Millisecond) // the first attempt has ended, and the other member's has begun
		if more := len(r.events()) - n; more != 2 {
			t.Errorf("%d invocations, want the try and the other member's at once", more)
		}
		r.mustStop()
	})
}
