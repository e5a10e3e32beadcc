package operation

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// asked is an operation and what the test knows about it.
type asked struct {
	*Operation
	cancel  context.CancelFunc
	answers []error
	done    bool
	// assignment is the one in which the loop accepted it, 0 if it did not.
	assignment int64
}

// newAsked returns an operation that lasts as long as the test wants, and may begin at its first step.
func newAsked(t *rapid.T, begins bool) *asked {
	a := &asked{Operation: &Operation{Name: observe.OperationSkip, TP: tp, answer: make(chan error, 9)}}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.Step = func(_ time.Time, o *Operation) (bool, error) {
		switch {
		case len(a.answers) > 0 || a.ctx.Err() != nil:
			t.Fatal("carried on when it has ended")
		case !o.Of.Alive || o.Of.Phase == partition.Draining || o.Of.Assignment != a.assignment:
			t.Fatalf("carried on for %+v, taken in in assignment %d", o.Of, a.assignment)
		}
		if begins {
			o.Begin()
		}
		return a.done, nil
	}
	return a
}

// read receives the answers that an operation got.
func (a *asked) read() {
	for {
		select {
		case err := <-a.answer:
			a.answers = append(a.answers, err)
		default:
			return
		}
	}
}

// Whatever happens to the partition, the member and the caller: an operation is answered once, unless its caller has returned,
// and is advanced only in the assignment in which it was accepted.
func TestAnsweredOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w Waiting
		var all []*asked
		var p *partition.Partition
		defer func() {
			for _, a := range all {
				a.cancel()
			}
		}()
		assignment, stopping := int64(0), false
		turn := func() {
			w.Advance(time.Now(), held(p), stopping, func(time.Time) {})
			for _, a := range all {
				a.read()
			}
		}
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			switch step := rapid.SampledFrom([]string{"ask", "ask", "turn", "turn", "done", "cancel", "assign", "anew", "lose", "drain", "stop"}).Draw(t, "step"); step {
			case "ask":
				a := newAsked(t, rapid.Bool().Draw(t, "begins"))
				if p != nil && p.Alive {
					a.assignment = p.Assignment
					w.TakeIn(a.Operation, p, stopping)
				} else {
					w.TakeIn(a.Operation, nil, stopping)
				}
				all = append(all, a)
			case "done", "cancel":
				if len(all) == 0 {
					break
				}
				if a := all[rapid.IntRange(0, len(all)-1).Draw(t, "operation")]; step == "done" {
					a.done = true
				} else {
					a.cancel()
				}
			case "assign":
				if p == nil || !p.Alive {
					assignment++
					p = living(assignment)
				}
			case "anew":
				if p != nil && p.Alive && p.Phase == partition.Running {
					p.Alive = false
					p = living(assignment)
				}
			case "lose":
				if p != nil {
					p.Alive = false
				}
			case "drain":
				if p != nil {
					p.Phase = partition.Draining
				}
			case "stop":
				stopping = rapid.IntRange(0, 5).Draw(t, "stops") == 0
			default:
				turn()
			}
		}
		stopping = true
		turn()
		turn()
		if len(w.list) != 0 {
			t.Fatalf("%d operations wait at the end", len(w.list))
		}
		for i, a := range all {
			if len(a.answers) > 1 || len(a.answers) == 0 && a.ctx.Err() == nil {
				t.Fatalf("operation %d has %d answers", i, len(a.answers))
			}
			if slices.ContainsFunc(a.answers, func(err error) bool { return err == nil }) && !a.done {
				t.Fatalf("operation %d is answered as done, and is not", i)
			}
			for _, err := range a.answers {
				if here := !errors.Is(err, ErrNotHere); here != (a.assignment != 0) {
					t.Fatalf("operation %d, taken in in assignment %d, ends with %v", i, a.assignment, err)
				}
			}
		}
	})
}
