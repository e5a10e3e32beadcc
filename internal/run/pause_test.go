package run

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// However Pause, Resume and Update coincide, the mapping ends up as the last of them said, and its state says so.
func TestPauseAndResumeMeet(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 4)
		var mu sync.Mutex
		var states []observe.StateInfo
		m := memoryMapping()
		m.BatchSize = 1
		m.ProvisionedPollerConfig = &mapping.ProvisionedPollerConfig{MinimumPollers: new(2), MaximumPollers: new(2)}
		slow := func(context.Context, event.KafkaEvent) error { time.Sleep(time.Millisecond); return nil }
		r := newMapped(t, b, m, slow, WithHooks(observe.Hooks{StateChange: func(i observe.StateInfo) { mu.Lock(); states = append(states, i); mu.Unlock() }})).start()
		pass(2 * time.Minute)
		rng := rand.New(rand.NewPCG(1, 2))
		for round := range 300 {
			var wg sync.WaitGroup
			for range 2 + rng.IntN(3) {
				script := rng.Perm(6)
				wg.Go(func() {
					for _, what := range script {
						switch what {
						case 0, 1:
							r.runner.Pause()
						case 2, 3:
							r.runner.Resume()
						case 4:
							_ = r.runner.Status()
						case 5:
							if err := r.runner.Update(m); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
			wg.Wait()
			if rng.IntN(2) == 0 {
				last := m
				last.Enabled = new(rng.IntN(2) == 0)
				if err := r.runner.Update(last); err != nil {
					t.Fatal(err)
				}
			}
			b.Produce("t", membroker.Record{Partition: int32(round % 4)})
			synctest.Wait()
			pass(time.Duration(100+rng.IntN(2000)) * time.Millisecond)
			paused := r.runner.shared.Wish.IsPaused()
			st := r.runner.Status()
			if want := map[bool]observe.State{true: observe.Disabled, false: observe.Enabled}[paused]; st.State != want {
				t.Fatalf("round %d: the state is %s, want %s", round, st.State, want)
			}
			for _, p := range st.Partitions {
				if (p.Paused == "paused") != paused {
					t.Fatalf("round %d: %s is paused %q, wished: %v", round, p.TopicPartition, p.Paused, paused)
				}
			}
		}
		r.runner.Resume()
		pass(time.Minute)
		for p := range int32(4) {
			if k, end := b.Committed("", "t", p).Offset, b.End("t", p); k != end {
				t.Errorf("t-%d is committed at %d of %d", p, k, end)
			}
		}
		mu.Lock()
		for i := 1; i < len(states); i++ {
			if states[i].From != states[i-1].To {
				t.Errorf("the hooks were told of %v and then of %v", states[i-1], states[i])
			}
		}
		mu.Unlock()
		r.mustStop()
	})
}

// Hooks may pause and resume, including hooks that a loop waits for and StateChange.
func TestPauseFromHooks(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		m := memoryMapping()
		m.BatchSize = 1
		var r *rig
		var states []observe.State
		r = newMapped(t, b, m, nil, WithHooks(observe.Hooks{
			Commit: func(observe.CommitInfo) { r.runner.Pause() },
			StateChange: func(i observe.StateInfo) {
				states = append(states, i.To)
				if i.To == observe.Disabled && b.Committed("", "t", 0).Offset < 3 {
					r.runner.Resume()
				}
			},
		}))
		r.start()
		pass(time.Minute)
		if k := b.Committed("", "t", 0).Offset; k != 3 || r.runner.Status().State != observe.Disabled {
			t.Errorf("committed %d, state %s", k, r.runner.Status().State)
		}
		if !slices.Contains(states, observe.Enabling) {
			t.Errorf("states %v", states)
		}
		r.mustStop()
	})
}

// An Update without Enabled pauses and resumes nothing.
func TestUpdateWithoutEnabled(t *testing.T) {
	for _, paused := range []bool{true, false} {
		for _, says := range []*bool{nil, new(true), new(false)} {
			name := "unset"
			if says != nil {
				name = fmt.Sprint(*says)
			}
			inBubble(t, fmt.Sprintf("paused: %v, Enabled: %s", paused, name), func(t *testing.T) {
				b := membroker.NewBroker(t)
				b.CreateTopic("t", 1)
				m := memoryMapping()
				r := newMapped(t, b, m, nil).start()
				if paused {
					r.runner.Pause()
				}
				pass(time.Second)
				m.BatchSize, m.Enabled = 7, says
				if err := r.runner.Update(m); err != nil {
					t.Fatal(err)
				}
				pass(time.Second)
				want := map[bool]observe.State{true: observe.Disabled, false: observe.Enabled}[paused && says == nil || says != nil && !*says]
				if st := r.runner.Status(); st.State != want {
					t.Errorf("state %s, want %s", st.State, want)
				}
				r.mustStop()
			})
		}
	}
}
