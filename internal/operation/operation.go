package operation

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// ErrNotHere is the error of an operation on a partition that another member may hold.
var ErrNotHere = errors.New("esm: not this member's")

// leaves is why an operation ends that was taken in.
const leaves = "it is being taken away, or the mapping stops"

// Operation is what somebody asked of a partition. It belongs to the assignment in which it was taken in, and ends with it.
type Operation struct {
	Name observe.Operation
	TP   event.TopicPartition
	// Of is the partition. The loop owns it.
	Of *partition.Partition
	// Step carries it on, on the loop, until it is done.
	Step func(now time.Time, o *Operation) (done bool, err error)

	ctx   context.Context
	begun atomic.Bool // it cannot be taken back
	// answer holds one.
	answer chan error
}

// Loop is where a member's loop is reached.
type Loop struct {
	Control          chan<- func()
	Closed, Stopping <-chan struct{}
}

// NotAssigned is the error of an operation on a partition that this process does not hold.
func NotAssigned(name observe.Operation, tp event.TopicPartition, why string) error {
	if why != "" {
		why = ": " + why
	}
	return fmt.Errorf("esm: %s(%s): %w%s", name, tp, observe.ErrNotAssigned, why)
}

// Leaves is the error of an operation whose partition goes.
func (o *Operation) Leaves() error { return NotAssigned(o.Name, o.TP, leaves) }

// Begin notes that it cannot be taken back any more.
func (o *Operation) Begin() { o.begun.Store(true) }

// Begun reports whether it cannot be taken back any more.
func (o *Operation) Begun() bool { return o.begun.Load() }

// CarryOut gives the operation to a loop, which runs takeIn, and waits for its answer; ErrNotHere where the partition is not that
// member's. It runs on the caller's goroutine.
func (o *Operation) CarryOut(ctx context.Context, loop Loop, takeIn func()) error {
	o.ctx, o.answer = ctx, make(chan error, 1)
	select {
	case loop.Control <- takeIn:
	case <-loop.Closed:
		return ErrNotHere
	case <-loop.Stopping:
		return o.Leaves()
	case <-ctx.Done():
		return o.outOfTime(ctx.Err())
	}
	select {
	case err := <-o.answer:
		return err
	case <-loop.Closed:
		return o.outOfTime(o.Leaves())
	case <-ctx.Done():
		return o.outOfTime(ctx.Err())
	}
}

// outOfTime is the error of an operation that did not come to its end.
func (o *Operation) outOfTime(cause error) error {
	if o.Begun() {
		return fmt.Errorf("esm: %s(%s): %w: %w", o.Name, o.TP, observe.ErrOperationPending, cause)
	}
	if errors.Is(cause, observe.ErrNotAssigned) {
		return cause
	}
	return fmt.Errorf("esm: %s(%s): nothing was done: %w", o.Name, o.TP, cause)
}

// Waiting are the operations that a loop has taken in. They are the loop's alone.
type Waiting struct{ list []*Operation }

// TakeIn takes an operation in for a partition's life of this moment; p is nil where the member does not hold it.
func (w *Waiting) TakeIn(o *Operation, p *partition.Partition, stopping bool) {
	switch {
	case p == nil:
		o.answer <- ErrNotHere
	case p.Phase == partition.Draining || stopping:
		o.answer <- o.Leaves()
	default:
		o.Of = p
		w.list = append(w.list, o)
	}
}

// Advance carries out what may be carried out by now, of the partitions that the member holds. Those that wait look again whenever
// the loop does. publish is called before an operation is answered: Status is to show it.
func (w *Waiting) Advance(now time.Time, held map[event.TopicPartition]*partition.Partition, stopping bool, publish func(time.Time)) {
	if len(w.list) == 0 {
		return
	}
	var waiting []*Operation
	for _, o := range w.list {
		if q := held[o.TP]; q != nil && q.Assignment == o.Of.Assignment && !o.Begun() {
			o.Of = q // the partition began anew: its log was cut, or its topic made again
		}
		if !o.Of.Alive || o.Of.Phase == partition.Draining || stopping {
			o.answer <- o.outOfTime(o.Leaves())
			continue
		}
		if o.ctx.Err() != nil {
			continue // nobody waits any more, and says so
		}
		if done, err := o.Step(now, o); done {
			publish(now)
			o.answer <- err
		} else {
			waiting = append(waiting, o)
		}
	}
	w.list = waiting
}
