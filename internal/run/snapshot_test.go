package run

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/snapshot"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// Every hook, the handler and any goroutine may call any method of the Runner without blocking. The same as in
// internal/stream.
const (
	snapshotInterval = 100 * time.Millisecond
	snapshotPatience = 100 * time.Millisecond
)

func TestStatusFromAnywhere(t *testing.T) {
	inBubble(t, "from every hook, its goroutines, the handler and its middleware", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(6)...)
		var mu sync.Mutex
		called := make(map[string]int)
		var r *rig
		m := memoryMapping()
		ask := func(name string) {
			begin := time.Now()
			var all sync.WaitGroup
			all.Go(func() { _ = r.runner.Status() }) // the hook waits for another goroutine's call
			s := r.runner.Status()
			_ = r.runner.Healthy()
			_ = r.runner.Metrics()
			if name != "StateChange" { // these methods call StateChange
				r.runner.Pause()
				r.runner.Resume()
				if err := r.runner.Update(m); err != nil {
					t.Errorf("Update from %s: %v", name, err)
				}
			}
			all.Wait()
			mu.Lock()
			defer mu.Unlock()
			called[name]++
			if took := time.Since(begin); took > snapshotPatience {
				t.Errorf("%s waited %v", name, took)
			}
			unborn := s.Time.IsZero() && s.State == observe.Creating || name == "StateChange" // before a loop has published anything
			if s.UUID == "" || time.Since(s.Time) > 2*time.Minute && !unborn && called[name] > 1 {
				t.Errorf("%s: status of %v at %v", name, s.Time, time.Now())
			}
		}
		m.MaximumRetryAttempts = new(1)
		m.FilterCriteria = &mapping.FilterCriteria{Filters: []mapping.Filter{{Pattern: `{"value":[{"anything-but":["v1"]}]}`}}}
		r = newMapped(t, b, m, func(context.Context, event.KafkaEvent) error {
			ask("handler")
			return errors.New("no")
		}, WithHooks(observe.Hooks{
			BatchBegin:  func(context.Context, observe.BatchInfo) { ask("BatchBegin") },
			BatchEnd:    func(context.Context, observe.BatchEndInfo) { ask("BatchEnd") },
			Retry:       func(observe.RetryInfo) { ask("Retry") },
			Drop:        func(observe.DropInfo) { ask("Drop") },
			Filtered:    func(observe.FilteredInfo) { ask("Filtered") },
			Commit:      func(observe.CommitInfo) { ask("Commit") },
			Assigned:    func(observe.AssignmentInfo) { ask("Assigned") },
			Revoked:     func(observe.AssignmentInfo) { ask("Revoked") },
			Lost:        func(observe.AssignmentInfo) { ask("Lost") },
			OffsetsLost: func(observe.OffsetsLostInfo) { ask("OffsetsLost") },
			StateChange: func(observe.StateInfo) { ask("StateChange") },
			Scaled:      func(observe.ScaledInfo) { ask("Scaled") },
			Error:       func(observe.ErrorInfo) { ask("Error") },
		}))
		r.start()
		pass(time.Minute)
		b.Truncate("t", 0, 2)
		pass(time.Minute)
		b.Report("", &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("gone")})
		pass(time.Minute)
		b.Lose()
		pass(time.Minute)
		r.mustStop()
		for _, hook := range []string{"handler", "BatchBegin", "BatchEnd", "Retry", "Drop", "Filtered", "Commit", "Assigned", "Revoked", "Lost",
			"OffsetsLost", "StateChange", "Scaled", "Error"} {
			if called[hook] == 0 {
				t.Errorf("%s was not called", hook)
			}
		}
	})
	inBubble(t, "while a hook blocks: the last one there is, with its time", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		release := make(chan struct{})
		r := newMapped(t, b, memoryMapping(), nil, WithHooks(observe.Hooks{Commit: untilReleased(release)})).start()
		pass(time.Second)
		before := r.runner.Status()
		if len(before.Partitions) != 1 || time.Since(before.Time) > snapshotInterval {
			t.Errorf("%+v", before)
		}
		b.Produce("t", numbered(1)...)
		pass(time.Minute)
		begin := time.Now()
		s := r.runner.Status()
		if time.Since(begin) > snapshotPatience || len(s.Partitions) != 1 || time.Since(s.Time) < 50*time.Second {
			t.Errorf("after %v: %+v", time.Since(begin), s)
		}
		close(release)
		pass(time.Second)
		if s := r.runner.Status(); time.Since(s.Time) > snapshotInterval || s.Partitions[0].Position != 1 {
			t.Errorf("%+v", s)
		}
		r.mustStop()
		if s := r.runner.Status(); s.State != observe.Disabled || len(s.Partitions) != 0 {
			t.Errorf("in the end %+v", s)
		}
	})
	inBubble(t, "a loop publishes ten a second at most, and none while nobody asks", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, memoryMapping(), nil).start()
		m := r.runner.roster.list()[0].member
		seen := make(map[*snapshot.Snapshot]bool)
		var stop atomic.Bool
		count := func(while func()) int {
			clear(seen)
			stop.Store(false)
			var done sync.WaitGroup
			done.Go(func() {
				for !stop.Load() {
					seen[m.Published()] = true
					time.Sleep(time.Millisecond)
				}
			})
			while()
			stop.Store(true)
			done.Wait()
			return len(seen)
		}
		busy := func() {
			for range 100 {
				b.Produce("t", numbered(1)...)
				pass(100 * time.Millisecond)
			}
		}
		pass(time.Second)
		if n := count(busy); n != 1 {
			t.Errorf("%d snapshots while nobody asked", n)
		}
		n := count(func() {
			for range 10_000 {
				_ = r.runner.Status()
				time.Sleep(time.Millisecond)
			}
		})
		if n < 50 || n > 101 {
			t.Errorf("%d snapshots in ten seconds of asking", n)
		}
		r.mustStop()
	})
	inBubble(t, "hooks come one at a time, in order, though many things happen at once", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 6)
		b.Produce("t", spread(600, 6)...)
		var in, most atomic.Int32
		var states []observe.State
		one := func() {
			most.Store(max(most.Load(), in.Add(1)))
			time.Sleep(time.Millisecond)
			in.Add(-1)
		}
		r := newRig(t, b, polling(3, 3), nil, WithHooks(observe.Hooks{
			Commit:      func(observe.CommitInfo) { one() },
			Assigned:    func(observe.AssignmentInfo) { one() },
			Revoked:     func(observe.AssignmentInfo) { one() },
			Scaled:      func(observe.ScaledInfo) { one() },
			StateChange: func(i observe.StateInfo) { one(); states = append(states, i.From, i.To) },
		})).start()
		pass(20 * time.Second)
		for range 10 {
			go r.runner.Pause()
			go r.runner.Resume()
		}
		pass(20 * time.Second)
		r.runner.Resume()
		r.mustStop()
		synctest.Wait()
		if most.Load() != 1 {
			t.Errorf("%d at a time", most.Load())
		}
		for i := 2; i < len(states); i += 2 {
			if states[i] != states[i-1] {
				t.Errorf("states out of order: %v", states)
			}
		}
		if !slices.Contains(states, observe.Disabling) || states[len(states)-1] != observe.Disabled {
			t.Errorf("states %v", states)
		}
	})
	inBubble(t, "a hook that ends its goroutine ends no other", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		var commits atomic.Int32
		r := newMapped(t, b, memoryMapping(), nil, WithHooks(observe.Hooks{Commit: func(observe.CommitInfo) {
			if commits.Add(1) == 1 {
				runtime.Goexit()
			}
		}})).start()
		pass(5 * time.Second)
		b.Produce("t", numbered(3)...)
		pass(5 * time.Second)
		if commits.Load() < 2 || b.Committed("", "t", 0).Offset != 6 {
			t.Errorf("%d commits, at %d", commits.Load(), b.Committed("", "t", 0).Offset)
		}
		r.mustStop()
	})
}
