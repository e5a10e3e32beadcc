package esm

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/observe"
)

// errNotHere is the error of an operation on a partition that another member may hold.
var errNotHere = errors.New("esm: not this member's")

// errLeaves is why an operation ends that was taken in.
const errLeaves = "it is being taken away, or the mapping stops"

// operation is what somebody asked of a partition. It belongs to the life of the partition in which it was taken in: with
// that it ends.
type operation struct {
	ctx   context.Context
	name  observe.Operation
	tp    TopicPartition
	p     *partition // owned by the loop, like what step does
	step  func(m *member, now time.Time, o *operation) (done bool, err error)
	begun atomic.Bool // it cannot be taken back
	// answer holds one.
	answer chan error
}

func notAssigned(name observe.Operation, tp TopicPartition, why string) error {
	if why != "" {
		why = ": " + why
	}
	return fmt.Errorf("esm: %s(%s): %w%s", name, tp, observe.ErrNotAssigned, why)
}

// carryOut gives an operation to the loop and waits for its answer; errNotHere where the partition is not this member's. It runs
// on the caller's goroutine.
func (m *member) carryOut(o *operation) error {
	o.answer = make(chan error, 1)
	select {
	case m.control <- func() { m.takeIn(o) }:
	case <-m.closed:
		return errNotHere
	case <-m.shared.Stopping.Begun:
		return notAssigned(o.name, o.tp, errLeaves)
	case <-o.ctx.Done():
		return o.outOfTime(o.ctx.Err())
	}
	select {
	case err := <-o.answer:
		return err
	case <-m.closed:
		return o.outOfTime(notAssigned(o.name, o.tp, errLeaves))
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
func (m *member) takeIn(o *operation) {
	switch p := m.parts[o.tp]; {
	case p == nil:
		o.answer <- errNotHere
	case p.phase == draining || m.stop.phase != working:
		o.answer <- notAssigned(o.name, o.tp, errLeaves)
	default:
		o.p = p
		m.operations = append(m.operations, o)
	}
}

// advanceOperations carries out what may be carried out by now. Those that wait look again whenever the loop does.
func (m *member) advanceOperations(now time.Time) {
	if len(m.operations) == 0 {
		return
	}
	var waiting []*operation
	for _, o := range m.operations {
		if !o.p.alive || o.p.phase == draining || m.stop.phase != working {
			o.answer <- o.outOfTime(notAssigned(o.name, o.tp, errLeaves))
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

// operated tells of what was done.
func (c *core) operated(i OperationInfo) {
	c.Log.Warn("asked for: "+string(i.Operation), "partition", i.String(), "from", i.From, "to", i.To)
	c.Hooks.Operation(i)
}
