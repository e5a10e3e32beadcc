package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

var t0 = event.TopicPartition{Topic: "t"}

// failing fails batches that contain any of the given offsets of t-0.
func failing(offsets ...int64) shared.Handler {
	return func(_ context.Context, e event.KafkaEvent) error {
		for _, r := range e.Records["t-0"] {
			for _, n := range offsets {
				if r.Offset == n {
					return fmt.Errorf("poison at %d", n)
				}
			}
		}
		return nil
	}
}

// canceled returns a context that has ended.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// asks collects what the hooks receive.
type asks struct {
	mu    sync.Mutex
	did   []string
	drops []observe.DropInfo
}

func (a *asks) hooks() Option {
	return WithHooks(observe.Hooks{
		Operation: func(i observe.OperationInfo) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.did = append(a.did, fmt.Sprintf("%s %s %d-%d", i.Operation, i.TopicPartition, i.From, i.To))
		},
		Drop: func(i observe.DropInfo) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.drops = append(a.drops, i)
		},
	})
}

func (a *asks) list() []string {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.did)
}

func (a *asks) want(t *testing.T, lines ...string) {
	t.Helper()
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	wantLines(t, "operations", a.did, lines...)
}

func one() mapping.Mapping {
	m := memoryMapping()
	m.BatchSize = 1
	return m
}

func TestPausePartition(t *testing.T) {
	ctx := context.Background()
	inBubble(t, "what is in flight is finished, the partition stays, others go on", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		b.Produce("t", spread(6, 2)...)
		var told asks
		r := newMapped(t, b, one(), func(context.Context, event.KafkaEvent) error { time.Sleep(10 * time.Second); return nil }, told.hooks()).start()
		pass(5 * time.Second)
		for range 2 { // twice has the effect of once
			if err := r.runner.PausePartition(ctx, t0); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Hour)
		if got := r.seen(0) + r.seen(1); got != "[0][0 1 2]" {
			t.Errorf("handled %s", got)
		}
		s := r.runner.Status()
		if p := s.Partitions[0]; p.Paused != "partition paused" || p.Committed != 1 || s.Partitions[1].Paused != "" || s.State != observe.Enabled {
			t.Errorf("%+v, %s", s.Partitions, s.State)
		}
		b.Revoke() // the pause outlives the assignment
		pass(time.Minute)
		if got := r.seen(0); got != "[0]" {
			t.Errorf("handled %s of a paused partition after a rebalance", got)
		}
		for range 2 {
			if err := r.runner.ResumePartition(ctx, t0); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Minute)
		if got := r.seen(0); got != "[0 1 2]" || r.runner.Status().Partitions[0].Paused != "" {
			t.Errorf("resumed, handled %s", got)
		}
		told.want(t, "PausePartition t-0 -1--1", "ResumePartition t-0 -1--1")
		r.mustStop()
	})
	inBubble(t, "it goes with the partition to another member of the process", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		m := one()
		m.ProvisionedPollerConfig = &mapping.ProvisionedPollerConfig{MinimumPollers: new(2), MaximumPollers: new(2)}
		r := newMapped(t, b, m, nil).start()
		pass(time.Minute)
		if n := len(b.Members("")); n != 2 {
			t.Fatalf("%d members", n)
		}
		if err := r.runner.PausePartition(ctx, t0); err != nil {
			t.Fatal(err)
		}
		owner := func() string {
			for _, x := range b.Members("") {
				if len(x.Owned) > 0 && x.Owned[0] == t0 {
					return x.ID
				}
			}
			return ""
		}
		was := owner()
		b.Revoke(t0)
		pass(time.Minute)
		if owner() == was {
			t.Fatal("the partition has not moved")
		}
		b.Produce("t", numbered(2)...)
		pass(time.Minute)
		if got := r.seen(0); got != "[]" {
			t.Errorf("handled %s of a paused partition", got)
		}
		if err := r.runner.ResumePartition(ctx, t0); err != nil {
			t.Error(err)
		}
		pass(time.Minute)
		if got := r.seen(0); got != "[0 1]" {
			t.Errorf("resumed, handled %s", got)
		}
		r.mustStop()
	})
	inBubble(t, "what failed is not tried again before, and at once then", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		var mended atomic.Bool
		r := newMapped(t, b, one(), func(context.Context, event.KafkaEvent) error {
			if mended.Load() {
				return nil
			}
			time.Sleep(5 * time.Second)
			return errors.New("not yet")
		}).start()
		pass(3 * time.Second)
		if err := r.runner.PausePartition(ctx, t0); err != nil { // while a batch is in flight
			t.Fatal(err)
		}
		pass(time.Hour)
		if n := len(r.events()); n != 1 {
			t.Errorf("%d invocations of a paused partition", n)
		}
		mended.Store(true)
		if err := r.runner.ResumePartition(ctx, t0); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(r.events()); n != 2 {
			t.Errorf("%d invocations at the moment of the resume, want the second try", n)
		}
		r.mustStop()
	})
	inBubble(t, "a resume that is not waited for", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(1)...)
		hold, holding := make(chan struct{}), make(chan struct{})
		r := newMapped(t, b, one(), nil, WithHooks(observe.Hooks{Commit: func(observe.CommitInfo) {
			select {
			case holding <- struct{}{}:
				<-hold // the loop waits for the hook
			default:
			}
		}})).start()
		pass(3 * time.Second)
		if err := r.runner.PausePartition(ctx, t0); err != nil {
			t.Fatal(err)
		}
		b.Produce("t", numbered(1)...)
		if err := r.runner.ResumePartition(ctx, t0); err != nil {
			t.Fatal(err)
		}
		<-holding
		if err := r.runner.PausePartition(canceled(), t0); !errors.Is(err, context.Canceled) || errors.Is(err, observe.ErrOperationPending) {
			t.Errorf("PausePartition: %v", err)
		}
		r.runner.shared.PausedParts.Add(t0) // as if it had been paused before
		if err := r.runner.ResumePartition(canceled(), t0); !errors.Is(err, observe.ErrOperationPending) || !errors.Is(err, context.Canceled) {
			t.Errorf("ResumePartition: %v", err)
		}
		close(hold)
		b.Produce("t", numbered(1)...)
		pass(time.Minute)
		if got := r.seen(0); got != "[0 1 2]" {
			t.Errorf("handled %s", got)
		}
		r.mustStop()
	})
	inBubble(t, "a partition that is not here", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, one(), nil)
		far := event.TopicPartition{Topic: "t", Partition: 7}
		for _, err := range []error{r.runner.PausePartition(ctx, t0), r.runner.ResumePartition(ctx, t0)} {
			if !errors.Is(err, observe.ErrNotAssigned) {
				t.Errorf("before Run: %v", err)
			}
		}
		r.start()
		for _, err := range []error{r.runner.PausePartition(ctx, far), r.runner.ResumePartition(ctx, far), r.runner.Skip(ctx, far, 0)} {
			if !errors.Is(err, observe.ErrNotAssigned) {
				t.Errorf("of another process: %v", err)
			}
		}
		r.mustStop()
		if err := r.runner.PausePartition(ctx, t0); !errors.Is(err, observe.ErrNotAssigned) {
			t.Errorf("after Run: %v", err)
		}
	})
}
