package esm

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/observe"
)

// What somebody may ask of one partition while the mapping runs. Status shows it when the method has returned. Each waits for the member that holds the partition,
// until ctx ends, and no longer than operationTimeout: called from a hook for which that member waits it ends in that error.
// None touches a partition that this process does not hold, or that is being taken from it: the error wraps ErrNotAssigned.
// All are logged, and told to Hooks.Operation. In a service of several processes ask the one that holds the partition:
// Status().Partitions lists a process's own.

// operationTimeout bounds an operation whose context has no earlier deadline. It is longer than a commit may take.
const operationTimeout = 30 * time.Second

// PausePartition stops the intake of one partition: what is in flight is finished, nothing of it is invoked or fetched then.
// The partition stays assigned. The pause is this process's and holds, through rebalances too, until ResumePartition or the
// end of Run; where another process is assigned the partition meanwhile, that one reads it. A partition that is paused is
// left as it is.
func (r *Runner) PausePartition(ctx context.Context, tp TopicPartition) error {
	return r.ask(ctx, tp, observe.OperationPausePartition, func(m *member, now time.Time, o *operation) (done bool, err error) {
		o.begun.Store(true)
		if m.pausedParts.add(tp) {
			m.obeyPartitions(now)
			m.operated(OperationInfo{TopicPartition: tp, Operation: observe.OperationPausePartition, From: -1, To: -1})
		}
		return true, nil
	})
}

// ResumePartition ends a PausePartition, of a partition that has gone to another process too. One that is not paused is left as it
// is.
func (r *Runner) ResumePartition(ctx context.Context, tp TopicPartition) error {
	was := r.pausedParts.remove(tp)
	if was {
		r.operated(OperationInfo{TopicPartition: tp, Operation: observe.OperationResumePartition, From: -1, To: -1})
	}
	err := r.ask(ctx, tp, observe.OperationResumePartition, func(m *member, now time.Time, _ *operation) (done bool, err error) {
		m.obeyPartitions(now)
		return true, nil
	})
	if was && errors.Is(err, ErrNotAssigned) {
		return nil
	}
	return err
}

// Seek moves one partition to a place in its log, and returns the offset there. What was received and not handled is
// forgotten; a handler that has records of this partition alone is interrupted, and nothing of the partition begins before it
// has returned. Going back delivers records again; going forward passes records over, with no handler, filter or on-failure
// destination having seen them: they are not counted, OperationInfo has the offsets. Seek returns when the group has committed
// the new position.
//
// Its errors: *PositionError for an offset outside the log; what the broker answered; ErrNotAssigned; ErrOperationPending,
// and the context's.
func (r *Runner) Seek(ctx context.Context, tp TopicPartition, to LogPosition) (offset int64, err error) {
	if n, ok := to.Offset(); to == (LogPosition{}) || ok && n < 0 {
		return -1, fmt.Errorf("esm: Seek(%s, %v): the position names no place: use ToEarliest, ToLatest, ToTime, or ToOffset of 0 or more", tp, to)
	}
	s := &seek{at: to}
	if err := r.ask(ctx, tp, observe.OperationSeek, s.step); err != nil {
		return -1, err
	}
	return s.to.offset, nil
}

// Skip gives up one record, on which a partition stands: offset is the one that Status shows as its Position, and where it
// stands at another by then, nothing is given up. It waits for the end of an invocation that has the record. The record is
// counted in DroppedEventCount and SkippedEventCount, logged, and given to Hooks.Drop with DropSkipped; it does not go to an
// on-failure destination, and one that was on its way there is recalled. The records behind it are tried at once. Skip
// returns when the group has committed the position behind the record.
//
// Its errors: *PositionError where the partition stands elsewhere, or no record has come; ErrNotAssigned; ErrOperationPending,
// and the context's.
func (r *Runner) Skip(ctx context.Context, tp TopicPartition, offset int64) error {
	s := &skip{offset: offset}
	return r.ask(ctx, tp, observe.OperationSkip, s.step)
}

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

var (
	errNotHere = errors.New("esm: not this member's")
	errLeaves  = errors.New("it is being taken away, or the mapping stops")
)

// ask has the member that holds a partition carry an operation out, and waits for it.
func (r *Runner) ask(ctx context.Context, tp TopicPartition, name observe.Operation, step func(*member, time.Time, *operation) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	for _, m := range r.roster.list() {
		o := &operation{ctx: ctx, name: name, tp: tp, step: step, answer: make(chan error, 1)}
		if err := m.carryOut(o); !errors.Is(err, errNotHere) {
			return err
		}
	}
	return notAssigned(name, tp, "")
}

func notAssigned(name observe.Operation, tp TopicPartition, why string) error {
	if why != "" {
		why = ": " + why
	}
	return fmt.Errorf("esm: %s(%s): %w%s", name, tp, observe.ErrNotAssigned, why)
}

// carryOut gives an operation to the loop and waits for its answer. It runs on the caller's goroutine.
func (m *member) carryOut(o *operation) error {
	select {
	case m.control <- func() { m.takeIn(o) }:
	case <-m.closed:
		return errNotHere
	case <-m.stopping.begun:
		return notAssigned(o.name, o.tp, errLeaves.Error())
	case <-o.ctx.Done():
		return o.outOfTime(o.ctx.Err())
	}
	select {
	case err := <-o.answer:
		return err
	case <-m.closed:
		return o.outOfTime(notAssigned(o.name, o.tp, errLeaves.Error()))
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
		o.answer <- notAssigned(o.name, o.tp, errLeaves.Error())
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
			o.answer <- o.outOfTime(notAssigned(o.name, o.tp, errLeaves.Error()))
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
	c.log.Warn("asked for: "+string(i.Operation), "partition", i.TopicPartition.String(), "from", i.From, "to", i.To)
	c.hooks.operation(i)
}

// operation never waits.
func (l *hookList) operation(i OperationInfo) {
	later(l, "Operation", func(h *Hooks) func(OperationInfo) { return h.Operation }, i)
}
