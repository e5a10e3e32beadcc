package operation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// never is the step of an operation that must not be advanced.
func never(t *testing.T) func(time.Time, *Operation) (bool, error) {
	t.Helper()
	return func(time.Time, *Operation) (bool, error) {
		t.Error("the operation is carried on")
		return true, nil
	}
}

// skip returns an operation whose step is f.
func skip(f func(now time.Time, o *Operation) (bool, error)) *Operation {
	return &Operation{Name: observe.OperationSkip, TP: tp, Step: f}
}

// An operation goes to the loop, is advanced on each of its turns until it is done, and returns its step's error.
// Status shows it by then.
func TestCarriedOn(t *testing.T) {
	errStep := errors.New("the position is another one")
	for _, want := range []error{nil, errStep} {
		synctest.Test(t, func(t *testing.T) {
			m, turns := newMember(living(1)), 0
			o := skip(func(_ time.Time, o *Operation) (bool, error) {
				m.turns = append(m.turns, "carried on")
				if o.Of != m.p {
					t.Error("carried on for another partition")
				}
				turns++
				return turns == 3, want
			})
			ended := m.ask(t.Context(), o)
			m.onPublish = func() { unanswered(t, ended) }
			unanswered(t, ended) // the loop has not reached it
			for range 2 {
				m.turn()
				unanswered(t, ended)
			}
			m.turn()
			if err := answered(t, ended); !errors.Is(err, want) {
				t.Errorf("the answer is %v, want %v", err, want)
			}
			m.turn()
			m.turn()
			if want := []string{"carried on", "carried on", "carried on", "published"}; !slices.Equal(m.turns, want) {
				t.Errorf("the loop has %v, want %v", m.turns, want)
			}
		})
	}
}

// Several operations are advanced in order, and none waits for another.
func TestSeveralOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMember(living(1))
		var done [3]bool
		var order []int
		var all [3]<-chan error
		for i := range all {
			all[i] = m.ask(t.Context(), skip(func(time.Time, *Operation) (bool, error) {
				order = append(order, i)
				return done[i], nil
			}))
			m.turn()
		}
		done[1] = true
		m.turn()
		if err := answered(t, all[1]); err != nil {
			t.Error(err)
		}
		unanswered(t, all[0])
		unanswered(t, all[2])
		done[0], done[2] = true, true
		m.turn()
		if err := errors.Join(answered(t, all[0]), answered(t, all[2])); err != nil {
			t.Error(err)
		}
		if want := []int{0, 0, 1, 0, 1, 2, 0, 1, 2, 0, 2}; !slices.Equal(order, want) {
			t.Errorf("carried on in the order %v, want %v", order, want)
		}
	})
}

// An operation that the loop has not accepted ends with its context, a stop, or the loop, and nothing was done.
func TestTheLoopIsNotReached(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(m *member, cancel context.CancelFunc)
		kinds []error
	}{
		"the context ends": {func(_ *member, cancel context.CancelFunc) { cancel() }, []error{context.Canceled}},
		"a stop begins":    {func(m *member, _ context.CancelFunc) { close(m.stopping) }, []error{observe.ErrNotAssigned}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMember(living(1)) // the loop is busy
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := m.ask(ctx, skip(never(t)))
				unanswered(t, ended)
				c.end(m, cancel)
				err := answered(t, ended)
				wantError(t, err, c.kinds...)
				if errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "nothing was done") {
					t.Errorf("the error is %v, and nothing was done", err)
				}
				m.turn()
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		m := newMember(living(1))
		ended := m.ask(t.Context(), skip(never(t)))
		unanswered(t, ended)
		close(m.closed) // another member may hold the partition by now
		if err := answered(t, ended); !errors.Is(err, ErrNotHere) {
			t.Errorf("the error is %v, want %v", err, ErrNotHere)
		}
	})
}

// An operation that the loop has accepted ends with its context, the loop, a stop or the assignment. The error says whether it
// may have been done.
func TestEndsWhileItWaits(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(m *member, cancel context.CancelFunc)
		kind error
	}{
		"the context ends":      {func(_ *member, cancel context.CancelFunc) { cancel() }, context.Canceled},
		"the loop ends":         {func(m *member, _ context.CancelFunc) { close(m.closed) }, observe.ErrNotAssigned},
		"a stop begins":         {func(m *member, _ context.CancelFunc) { m.isStopping = true }, observe.ErrNotAssigned},
		"the partition is lost": {func(m *member, _ context.CancelFunc) { m.p.Alive = false }, observe.ErrNotAssigned},
		"the partition goes":    {func(m *member, _ context.CancelFunc) { m.p.Phase = partition.Draining }, observe.ErrNotAssigned},
		"the partition comes back": {func(m *member, _ context.CancelFunc) {
			m.p.Alive = false
			m.p = living(2)
		}, observe.ErrNotAssigned},
	} {
		for _, begun := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { endsWhileItWaits(t, begun, c.end, c.kind) })
			})
		}
	}
}

func endsWhileItWaits(t *testing.T, begun bool, end func(m *member, cancel context.CancelFunc), kind error) {
	t.Helper()
	m, turns := newMember(living(1)), 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := skip(func(_ time.Time, o *Operation) (bool, error) {
		if turns++; begun {
			o.Begin()
		}
		return false, nil
	})
	ended := m.ask(ctx, o)
	m.turn()
	unanswered(t, ended)
	if o.Begun() != begun {
		t.Fatalf("begun is %t", o.Begun())
	}
	end(m, cancel)
	synctest.Wait()
	select {
	case <-m.closed: // the loop has no more turns
	default:
		m.turn()
		m.turn()
		if len(m.list) != 0 {
			t.Errorf("%d operations wait", len(m.list))
		}
	}
	if turns != 1 || len(m.turns) != 0 {
		t.Errorf("carried on %d times, published %d times", turns, len(m.turns))
	}
	err := answered(t, ended)
	if begun {
		wantError(t, err, observe.ErrOperationPending, kind)
		return
	}
	wantError(t, err, kind)
	if nothing := strings.Contains(err.Error(), "nothing was done"); nothing != errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// Once the loop has accepted an operation, only the loop decides what a stop means for it: an operation that its last turns
// complete succeeds.
func TestAStopIsForTheLoopToHeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, done := newMember(living(1)), false
		ended := m.ask(t.Context(), skip(func(time.Time, *Operation) (bool, error) { return done, nil }))
		m.turn()
		close(m.stopping)
		unanswered(t, ended)
		done = true
		m.turn()
		if err := answered(t, ended); err != nil {
			t.Error(err)
		}
	})
}

// An operation is refused for a partition that the member does not hold, or that is being revoked.
func TestTakeIn(t *testing.T) {
	going := living(1)
	going.Phase = partition.Draining
	starting := living(1)
	starting.Phase = partition.Starting
	for name, c := range map[string]struct {
		p        *partition.Partition
		stopping bool
		kind     error
	}{
		"another member's":           {nil, false, ErrNotHere},
		"another member's in a stop": {nil, true, ErrNotHere},
		"goes":                       {going, false, observe.ErrNotAssigned},
		"in a stop":                  {living(1), true, observe.ErrNotAssigned},
		"has not begun":              {starting, false, nil},
		"runs":                       {living(1), false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMember(c.p)
				m.isStopping = c.stopping
				ended := m.ask(t.Context(), skip(never(t)))
				synctest.Wait()
				(<-m.control)()
				if c.kind == nil {
					unanswered(t, ended)
					if len(m.list) != 1 || m.list[0].Of != c.p {
						t.Errorf("%d operations wait", len(m.list))
					}
					close(m.closed)
					wantError(t, answered(t, ended), observe.ErrNotAssigned)
					return
				}
				if err := answered(t, ended); !errors.Is(err, c.kind) || len(m.list) != 0 {
					t.Errorf("the error is %v, want %v; %d operations wait", err, c.kind, len(m.list))
				}
			})
		})
	}
}

// An operation belongs to the assignment: if its partition restarts within it before the operation has begun, the operation
// continues with the restarted partition.
func TestOutlivesABeginningAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMember(living(1))
		var seen []*partition.Partition
		ended := m.ask(t.Context(), skip(func(_ time.Time, o *Operation) (bool, error) {
			seen = append(seen, o.Of)
			return len(seen) == 3, nil
		}))
		m.turn()
		lives := []*partition.Partition{m.p}
		for range 2 {
			m.p.Alive = false
			m.p = living(1)
			lives = append(lives, m.p)
			unanswered(t, ended)
			m.turn()
		}
		if err := answered(t, ended); err != nil || !slices.Equal(seen, lives) {
			t.Errorf("carried on for %d lives of the partition, of %d: %v", len(seen), len(lives), err)
		}
	})
}

// An operation that has begun follows a restart that its own step caused, and ends at any other.
func TestHasBegunInALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMember(living(1))
		ended := m.ask(t.Context(), skip(func(_ time.Time, o *Operation) (bool, error) {
			if o.Begun() {
				return o.Of.Committed == 7, nil
			}
			o.Begin()
			m.p.Alive = false
			m.p = living(1)
			o.Of = m.p
			return false, nil
		}))
		m.turn()
		m.turn()
		unanswered(t, ended)
		m.p.Committed = 7
		m.turn()
		if err := answered(t, ended); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		m := newMember(living(1))
		ended := m.ask(t.Context(), skip(func(_ time.Time, o *Operation) (bool, error) {
			o.Begin()
			return false, nil
		}))
		m.turn()
		m.p.Alive = false
		m.p = living(1)
		m.turn()
		err := answered(t, ended)
		if wantError(t, err, observe.ErrOperationPending); !strings.Contains(err.Error(), "restarted") {
			t.Errorf("the error does not say why: %v", err)
		}
	})
}

// The error for a partition that this process does not hold has the reason, if there is one.
func TestNotAssigned(t *testing.T) {
	for why, want := range map[string]string{
		"":            "esm: Skip(t-3): esm: this process does not hold the partition",
		"it is going": "esm: Skip(t-3): esm: this process does not hold the partition: it is going",
	} {
		if err := NotAssigned(observe.OperationSkip, tp, why); err.Error() != want || !errors.Is(err, observe.ErrNotAssigned) {
			t.Errorf("the error is %q, want %q", err, want)
		}
	}
}
