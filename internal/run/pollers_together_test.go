package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

func TestStopStopsAllPollers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 6)
		b.Produce("t", spread(6000, 6)...)
		j := newJournal(taking(3 * time.Second))
		r := newRig(t, b, polling(3, 3), j.handle).start()
		pass(20 * time.Second)
		wantMembers(t, b, r, 3)
		begun := time.Now()
		r.mustStop()
		if d := time.Since(begun); d > 4*time.Second {
			t.Errorf("the stop took %v, want what the handlers take", d)
		}
		j.mu.Lock()
		defer j.mu.Unlock()
		for p := range 6 {
			if c, n := b.Committed("g", "t", int32(p)), j.next[fmt.Sprint("t-", p)]; c.Offset != n {
				t.Errorf("partition %d is committed at %d and handled up to %d", p, c.Offset, n)
			}
		}
		if len(j.wrong) > 0 || j.again > 0 {
			t.Errorf("%v; %d again", j.wrong, j.again)
		}
	})
}

func TestPauseUpdateAndResumeReachAllPollers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 6)
		m := memoryMapping()
		m.BatchSize = 10
		m.ProvisionedPollerConfig = &mapping.ProvisionedPollerConfig{MinimumPollers: new(3), MaximumPollers: new(3)}
		j := newJournal(taking(2 * time.Second))
		var states []string
		x := newMapped(t, b, m, j.handle, WithHooks(observe.Hooks{StateChange: func(i observe.StateInfo) { states = append(states, string(i.To)) }})).start()
		pass(20 * time.Second)
		group := b.Members("")
		if len(group) != 3 {
			t.Fatalf("%d members, want 3", len(group))
		}
		b.Produce(m.Topics[0], spread(600, 6)...)
		pass(time.Second)
		states = nil
		x.runner.Pause()
		pass(500 * time.Millisecond)
		if s := x.runner.Status().State; s != observe.Disabling {
			t.Errorf("%s while handlers run, want Disabling", s)
		}
		pass(3 * time.Second)
		before := x.runner.Metrics().InvokeCount
		pass(time.Minute)
		if s := x.runner.Status(); s.State != observe.Disabled || s.Metrics.InvokeCount != before || s.InFlight != 0 {
			t.Errorf("%s with %d in flight, %d invocations while paused", s.State, s.InFlight, s.Metrics.InvokeCount-before)
		}
		x.runner.Resume()
		pass(10 * time.Second)
		if got := strings.Join(states, " "); got != "Disabling Disabled Enabling Enabled" {
			t.Errorf("states %s", got)
		}
		m.BatchSize = 5
		m.ProvisionedPollerConfig.MinimumPollers, m.ProvisionedPollerConfig.MaximumPollers = new(2), new(2)
		if err := x.runner.Update(m); err != nil {
			t.Fatal(err)
		}
		pass(4 * time.Second)
		from := len(x.events())
		pass(20 * time.Second)
		for _, e := range x.events()[from:] {
			if e.Len() > 5 {
				t.Errorf("a batch of %d after the update", e.Len())
				break
			}
		}
		if n := len(b.Members("")); n != 2 {
			t.Errorf("%d members after the update, want 2", n)
		}
		pass(3 * time.Minute)
		if len(j.wrong) > 0 || b.Lag("") != 0 {
			t.Errorf("%v, lag %d", j.wrong, b.Lag(""))
		}
		x.mustStop()
	})
}

// The circuit belongs to the mapping: failures on any member open it for all, and a single batch is tried.
func TestCircuitHoldsForAllPollers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 6)
		var calls, running, most atomic.Int64
		var mended atomic.Bool
		h := func(context.Context, event.KafkaEvent) error {
			calls.Add(1)
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			time.Sleep(time.Second)
			if mended.Load() {
				return nil
			}
			return errors.New("down")
		}
		r := newRig(t, b, polling(3, 3), h, WithCircuitBreaker(Breaker{Failures: 6, Cooldown: 30 * time.Second})).start()
		pass(20 * time.Second)
		wantMembers(t, b, r, 3)
		b.Produce("t", spread(600, 6)...)
		pass(10 * time.Second)
		s := r.runner.Status()
		if !s.CircuitOpen {
			t.Fatalf("the circuit is closed after %d failures", calls.Load())
		}
		for _, p := range s.Partitions {
			if !strings.Contains(p.Paused, "circuit open") {
				t.Errorf("%v", p)
			}
		}
		calls.Store(0)
		most.Store(0)
		pass(60 * time.Second)
		if c, n := calls.Load(), most.Load(); c < 1 || c > 2 || n != 1 {
			t.Errorf("%d tries in a minute, %d at a time; want one after each pause of 30 s", c, n)
		}
		mended.Store(true)
		pass(3 * time.Minute)
		if s := r.runner.Status(); s.CircuitOpen || s.SumOffsetLag != 0 {
			t.Errorf("open %t, lag %d", s.CircuitOpen, s.SumOffsetLag)
		}
		r.mustStop()
	})
}
