package run

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

func TestPauseResume(t *testing.T) {
	inBubble(t, "what is in flight is finished, nothing begins, the membership stays", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(2)...)
		var states []string
		m := memoryMapping()
		m.BatchSize = 1
		r := newMapped(t, b, m, func(context.Context, event.KafkaEvent) error { time.Sleep(10 * time.Second); return nil }, statesInto(&states)).start()
		pass(5 * time.Second)
		r.runner.Pause()
		r.runner.Pause() // twice has the effect of once
		if s := r.runner.Status(); s.State != observe.Disabling || s.StateTransitionReason != observe.ReasonUserInitiated {
			t.Errorf("state %s, %s", s.State, s.StateTransitionReason)
		}
		pass(time.Hour)
		s := r.runner.Status()
		if s.State != observe.Disabled || s.InFlight != 0 || len(r.events()) != 1 || s.Partitions[0].Paused != "paused" || s.Partitions[0].Committed != 1 {
			t.Errorf("paused: %+v after %d invocations", s, len(r.events()))
		}
		r.runner.Resume()
		pass(time.Minute)
		if s := r.runner.Status(); s.State != observe.Enabled || b.Committed("", "t", 0).Offset != 2 || s.Metrics.RebalanceCount > 2 {
			t.Errorf("resumed: %+v", s)
		}
		r.mustStop()
		wantLines(t, "states", states, "Creating", "Enabled", "Disabling", "Disabled", "Enabling", "Enabled", "Disabling", "Disabled")
	})
	inBubble(t, "a partition assigned while paused is paused", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		r := newMapped(t, b, memoryMapping(), nil).start()
		pass(2 * time.Second)
		r.runner.Pause()
		b.Revoke()
		b.Produce("t", numbered(1)...)
		pass(time.Minute)
		if n := len(r.events()); n != 1 {
			t.Errorf("%d invocations while paused, want the one before", n)
		}
		r.runner.Resume()
		pass(time.Minute)
		if got := r.seen(0); got != "[0 1]" {
			t.Errorf("handled %s", got)
		}
		r.mustStop()
	})
	inBubble(t, "Enabled false polls nothing until Resume", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		m := memoryMapping()
		m.Enabled = new(false)
		r := newMapped(t, b, m, nil).launch()
		pass(time.Hour)
		if s := r.runner.Status(); s.State != observe.Disabled || b.Calls(membroker.OpPoll) != 0 {
			t.Errorf("state %s after %d polls", s.State, b.Calls(membroker.OpPoll))
		}
		if err := r.runner.Healthy(); err != nil {
			t.Errorf("a disabled mapping: %v", err)
		}
		r.runner.Resume()
		<-r.runner.Ready()
		pass(2 * time.Second)
		if got := r.seen(0); got != "[0]" {
			t.Errorf("handled %s", got)
		}
		r.mustStop()
	})
	inBubble(t, "a stop while disabled ends Run", func(t *testing.T) {
		b := membroker.NewBroker(t)
		m := memoryMapping()
		m.Enabled = new(false)
		r := newMapped(t, b, m, nil).launch()
		r.mustStop()
	})
}

func TestUpdate(t *testing.T) {
	inBubble(t, "limits and retries hold from the next batch on", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := memoryMapping()
		r := newMapped(t, b, m, func(_ context.Context, e event.KafkaEvent) error {
			if has(e, 9) {
				return errors.New("poison")
			}
			return nil
		}).start()
		b.Produce("t", numbered(4)...)
		pass(2 * time.Second)
		m.BatchSize, m.MaximumRetryAttempts = 2, new(1)
		if err := r.runner.Update(m); err != nil {
			t.Fatal(err)
		}
		b.Produce("t", numbered(6)...)
		pass(time.Minute)
		wantLines(t, "invocations", r.briefs(), "t-0[0 1 2 3]", "t-0[4 5]", "t-0[6 7]", "t-0[8 9]", "t-0[8 9]")
		m.Enabled = new(false)
		if err := r.runner.Update(m); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if s := r.runner.Status(); s.State != observe.Disabled {
			t.Errorf("after Enabled false: %s", s.State)
		}
		m.Enabled = nil
		if err := r.runner.Update(m); err != nil {
			t.Fatal(err)
		}
		if s := r.runner.Status(); s.State != observe.Disabled {
			t.Errorf("after Enabled was left out: %s", s.State)
		}
		r.mustStop()
	})
	inBubble(t, "what cannot change, and what is not valid, changes nothing", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, memoryMapping(), nil).start()
		for field, change := range map[string]func(*mapping.Mapping){
			"Topics":           func(m *mapping.Mapping) { m.Topics = []string{"other"} },
			"StartingPosition": func(m *mapping.Mapping) { m.StartingPosition = mapping.Latest },
			"BatchSize":        func(m *mapping.Mapping) { m.BatchSize = 10_001 },
		} {
			m := memoryMapping()
			m.MaximumRetryAttempts = new(0)
			change(&m)
			if err := r.runner.Update(m); err == nil || !strings.Contains(err.Error(), field) {
				t.Errorf("Update of %s: %v", field, err)
			}
			if n := r.runner.shared.Current.Load().Retry.MaximumRetryAttempts; n != -1 {
				t.Errorf("a refused Update of %s changed the retries to %d", field, n)
			}
		}
		r.mustStop()
	})
}

func TestCircuitBreaker(t *testing.T) {
	inBubble(t, "it opens when everything fails, tries one batch, and closes with a success", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 3)
		for p := range int32(3) {
			b.Produce("t", membroker.Record{Partition: p})
		}
		var broken atomic.Bool
		broken.Store(true)
		s := defaults()
		s.BatchSize = 1
		r := newRig(t, b, s, func(context.Context, event.KafkaEvent) error {
			if broken.Load() {
				return errors.New("down")
			}
			return nil
		}, WithCircuitBreaker(Breaker{Failures: 6, Cooldown: time.Minute}), WithRetryBackoff(time.Second, time.Second)).start()
		pass(30 * time.Second)
		opened := len(r.events())
		st := r.runner.Status()
		if !st.CircuitOpen || opened < 6 || opened > 8 || st.Partitions[0].Paused != "circuit open" {
			t.Errorf("after %d failures: open %t, %+v", opened, st.CircuitOpen, st.Partitions)
		}
		pass(time.Minute)
		if n := len(r.events()) - opened; n != 1 {
			t.Errorf("%d invocations after one cooldown, want 1", n)
		}
		broken.Store(false)
		pass(2 * time.Minute)
		st = r.runner.Status()
		if st.CircuitOpen || b.Lag("g") != 0 || st.Partitions[0].Paused != "" {
			t.Errorf("healed: open %t, lag %d", st.CircuitOpen, b.Lag("g"))
		}
		r.mustStop()
	})
	inBubble(t, "one poison partition of several does not open it", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		b.Produce("t", numbered(1)...)
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error { return errors.New("poison") },
			WithCircuitBreaker(Breaker{Failures: 2, Cooldown: time.Minute}), WithRetryBackoff(time.Second, time.Second)).start()
		pass(time.Minute)
		if s := r.runner.Status(); s.CircuitOpen || len(r.events()) < 30 {
			t.Errorf("open %t after %d failures of one partition", s.CircuitOpen, len(r.events()))
		}
		r.mustStop()
	})
}
