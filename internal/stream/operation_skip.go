package stream

import (
	"context"
	"math"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/operation"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// skip is one Skip.
type skip struct {
	m      *Member
	offset int64
}

// Skip implements Runner.Skip.
func (m *Member) Skip(ctx context.Context, tp event.TopicPartition, offset int64) error {
	return m.carryOut(ctx, &operation.Operation{Name: observe.OperationSkip, TP: tp, Step: (&skip{m, offset}).step})
}

// step runs on the loop.
func (s *skip) step(now time.Time, o *operation.Operation) (done bool, err error) {
	m, p := s.m, o.Of
	if o.Begun() {
		return p.Committed > s.offset, nil
	}
	if p.Phase != partition.Running || p.Moving {
		return false, nil // its position is being looked up
	}
	if at := p.Position(); at != s.offset || p.Head() == nil {
		return true, &observe.PositionError{TopicPartition: o.TP, Operation: o.Name, Offset: s.offset, Position: at, Earliest: -1, End: -1}
	}
	if p.Inflight != nil {
		return false, nil // its end brings the loop back here
	}
	if !o.Begin() {
		return true, nil
	}
	if !m.dropHead(now, p) {
		return true, o.Leaves()
	}
	m.shared.Operated(observe.OperationInfo{TopicPartition: o.TP, Operation: o.Name, From: s.offset, To: p.Position()})
	return false, nil
}

// dropHead gives up the first unresolved record of a partition that is not in flight, for a Skip. It returns false if a
// stop did not wait for the hook.
func (m *Member) dropHead(now time.Time, p *partition.Partition) (told bool) {
	sent := p.Sending
	m.forsake(p)
	m.unqueue(p)
	if len(p.Work) == 0 {
		p.Work = append(p.Work, p.Buf.Take(1, math.MaxInt, true))
	}
	u := p.Work[0]
	head, rest := u, []batch.Unit(nil)
	if len(u.Records) > 1 {
		a, b := u.Split(1)
		head, rest = a, []batch.Unit{b}
	}
	if !m.drop(p, head.Records[:1:1], observe.DropSkipped, head.Attempts) {
		m.settle(p, now)
		return false
	}
	m.shared.Counters.Skipped.Add(1)
	p.PopWork(rest...)
	m.release(p, head.Held)
	p.LeaderEpoch = u.LeaderEpoch
	p.Failures, p.FirstFailure, p.LastErr = 0, time.Time{}, nil
	m.commits.Mark(p)
	if sent != nil && len(rest) > 0 {
		m.handOver(now, p, sent.Why, sent.Answer)
		return true
	}
	m.settle(p, now)
	return true
}
