package stream

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

// errLeaves is why an operation ends that was taken in.
const errLeaves = "it is being taken away, or the mapping stops"

// operation is what somebody asked of a partition. It belongs to the assignment in which it was taken in, and ends with it.
type operation struct {
	ctx   context.Context
	name  observe.Operation
	tp    event.TopicPartition
	p     *partition.Partition // owned by the loop, like what step does
	step  func(m *Member, now time.Time, o *operation) (done bool, err error)
	begun atomic.Bool // it cannot be taken back
	// answer holds one.
	answer chan error
}

// NotAssigned is the error of an operation on a partition that this process does not hold.
func NotAssigned(name observe.Operation, tp event.TopicPartition, why string) error {
	if why != "" {
		why = ": " + why
	}
	return fmt.Errorf("esm: %s(%s): %w%s", name, tp, observe.ErrNotAssigned, why)
}

// carryOut gives an operation to the loop and waits for its answer; ErrNotHere where the partition is not this member's. It runs
// on the caller's goroutine.
func (m *Member) carryOut(o *operation) error {
	o.answer = make(chan error, 1)
	select {
	case m.control <- func() { m.takeIn(o) }:
	case <-m.closed:
		return ErrNotHere
	case <-m.shared.Stopping.Begun:
		return NotAssigned(o.name, o.tp, errLeaves)
	case <-o.ctx.Done():
		return o.outOfTime(o.ctx.Err())
	}
	select {
	case err := <-o.answer:
		return err
	case <-m.closed:
		return o.outOfTime(NotAssigned(o.name, o.tp, errLeaves))
	case <-o.ctx.Done():
		return o.outOfTime(o.ctx.Err())
	}
}

// outOfTime is the error of an operation that did not come to its end.
func (o *operation) outOfTime(cause error) error {
	if o.begun.Load() {
		return fmt.Errorf("esm: %s(%s): %w: %w", o.name, o.tp, observe.ErrOperationPending, cause)
	}
	if errors.Is(cause, observe.ErrNotAssigned) {
		return cause
	}
	return fmt.Errorf("esm: %s(%s): nothing was done: %w", o.name, o.tp, cause)
}

// takeIn takes an operation in for the partition's life of this moment. It runs on the loop.
func (m *Member) takeIn(o *operation) {
	switch p := m.parts[o.tp]; {
	case p == nil:
		o.answer <- ErrNotHere
	case p.Phase == partition.Draining || m.stop.phase != working:
		o.answer <- NotAssigned(o.name, o.tp, errLeaves)
	default:
		o.p = p
		m.operations = append(m.operations, o)
	}
}

// advanceOperations carries out what may be carried out by now. Those that wait look again whenever the loop does.
func (m *Member) advanceOperations(now time.Time) {
	if len(m.operations) == 0 {
		return
	}
	var waiting []*operation
	for _, o := range m.operations {
		if q := m.parts[o.tp]; q != nil && q.Assignment == o.p.Assignment && !o.begun.Load() {
			o.p = q // the partition began anew: its log was cut, or its topic made again
		}
		if !o.p.Alive || o.p.Phase == partition.Draining || m.stop.phase != working {
			o.answer <- o.outOfTime(NotAssigned(o.name, o.tp, errLeaves))
			continue
		}
		if o.ctx.Err() != nil {
			continue // nobody waits any more, and says so
		}
		if done, err := o.step(m, now, o); done {
			m.publish(now) // Status is to show it
			o.answer <- err
		} else {
			waiting = append(waiting, o)
		}
	}
	m.operations = waiting
}
