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

// errRestarted is why an operation that has begun ends early although its partition is still assigned.
var errRestarted = errors.New("the partition has restarted: its log was truncated, or its topic recreated")

// leaves is why an accepted operation ends early.
const leaves = "it is being taken away, or the mapping stops"

// Operation is an operation that a user asked for on a partition. It belongs to the assignment in which the loop accepted
// it, and ends with it.
type Operation struct {
	Name observe.Operation
	TP   event.TopicPartition
	// Of is the partition. The loop owns it.
	Of *partition.Partition
	// Step advances the operation, on the loop, until it is done.
	Step func(now time.Time, o *Operation) (done bool, err error)

	ctx   context.Context
	state atomic.Int32
	// answer is buffered for one error.
	answer chan error
}

// The states of an operation. It leaves waiting once: either the loop begins it, or its caller takes it back.
const (
	waiting   int32 = iota
	begun           // it can no longer be undone
	takenBack       // the caller has returned, and was told that nothing was done
)

// Loop has the channels of a member's loop.
type Loop struct {
	Control          chan<- func()
	Closed, Stopping <-chan struct{}
}

// NotAssigned returns the error of an operation on a partition that this process does not hold.
func NotAssigned(name observe.Operation, tp event.TopicPartition, why string) error {
	if why != "" {
		why = ": " + why
	}
	return fmt.Errorf("esm: %s(%s): %w%s", name, tp, observe.ErrNotAssigned, why)
}

// Leaves returns the error of an operation whose partition is being revoked, or whose mapping stops.
func (o *Operation) Leaves() error { return NotAssigned(o.Name, o.TP, leaves) }

// Begin marks the operation as no longer undoable. It returns false if the caller has given up: then nothing may be done.
func (o *Operation) Begin() bool { return o.state.CompareAndSwap(waiting, begun) || o.Begun() }

// Begun reports whether the operation can no longer be undone.
func (o *Operation) Begun() bool { return o.state.Load() == begun }

// CarryOut passes takeIn to a loop, which runs it, and waits for the operation's answer. It returns ErrNotHere if the
// partition is not that member's. It runs on the caller's goroutine.
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

// Pending returns the error of an operation that has begun and did not complete.
func Pending(name observe.Operation, tp event.TopicPartition, cause error) error {
	return fmt.Errorf("esm: %s(%s): %w: %w", name, tp, observe.ErrOperationPending, cause)
}

// outOfTime returns the error of an operation that did not finish. An operation that has not begun cannot begin after it.
func (o *Operation) outOfTime(cause error) error {
	if !o.state.CompareAndSwap(waiting, takenBack) && o.Begun() {
		return Pending(o.Name, o.TP, cause)
	}
	if errors.Is(cause, observe.ErrNotAssigned) {
		return cause
	}
	return fmt.Errorf("esm: %s(%s): nothing was done: %w", o.Name, o.TP, cause)
}

// Waiting has the operations that a loop has accepted. Only the loop uses it.
type Waiting struct{ list []*Operation }

// TakeIn accepts an operation for the current life of a partition. p is nil if the member does not hold it.
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

// Advance carries out the operations that can be carried out now. held are the partitions that the member holds. Those
// that wait are tried again whenever the loop runs. publish is called before an operation is answered, so that Status
// shows it.
func (w *Waiting) Advance(now time.Time, held map[event.TopicPartition]*partition.Partition, stopping bool, publish func(time.Time)) {
	if len(w.list) == 0 {
		return
	}
	var waiting []*Operation
	for _, o := range w.list {
		if q := held[o.TP]; q != nil && q != o.Of && q.Assignment == o.Of.Assignment { // the partition has restarted
			if o.Begun() {
				o.answer <- o.outOfTime(errRestarted)
				continue
			}
			o.Of = q
		}
		if !o.Of.Alive || o.Of.Phase == partition.Draining || stopping {
			o.answer <- o.outOfTime(o.Leaves())
			continue
		}
		if o.ctx.Err() != nil {
			continue // the caller has returned already, with the error
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
