package esm

import (
	"context"
	"math"
	"time"

	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/observe"
)

// skip is one Skip.
type skip struct{ offset int64 }

// Skip is Runner.Skip.
func (m *member) Skip(ctx context.Context, tp TopicPartition, offset int64) error {
	return m.carryOut(&operation{ctx: ctx, name: observe.OperationSkip, tp: tp, step: (&skip{offset}).step})
}

// step runs on the loop.
func (s *skip) step(m *member, now time.Time, o *operation) (done bool, err error) {
	p := o.p
	if o.begun.Load() {
		return p.committed > s.offset, nil
	}
	if p.phase != running || p.moving {
		return false, nil // where it begins, or goes on, is being looked for
	}
	if at := p.position(); at != s.offset || p.Head() == nil {
		return true, &observe.PositionError{TopicPartition: o.tp, Operation: o.name, Offset: s.offset, Position: at, Earliest: -1, End: -1}
	}
	if p.inflight != nil {
		return false, nil // its end brings the loop back here
	}
	if !m.dropHead(now, p) {
		return true, notAssigned(o.name, o.tp, errLeaves)
	}
	o.begun.Store(true)
	m.shared.operated(OperationInfo{TopicPartition: o.tp, Operation: o.name, From: s.offset, To: p.position()})
	return false, nil
}

// dropHead gives up the first unresolved record of a partition that is not in flight, since somebody asked for it; false where
// a stop did not wait for the hook that is told of it.
func (m *member) dropHead(now time.Time, p *partition) (told bool) {
	sent := p.sending
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
	if !m.drop(p, head.Records[:1:1], DropSkipped, head.Attempts) {
		m.settle(p, now)
		return false
	}
	m.shared.Counters.Skipped.Add(1)
	p.PopWork(rest...)
	m.release(p, head.Held)
	p.leaderEpoch = u.LeaderEpoch
	p.failures, p.firstFailure, p.lastErr = 0, time.Time{}, nil
	m.commits.mark(p)
	if sent != nil && len(rest) > 0 {
		m.handOver(now, p, sent.why, sent.answer)
		return true
	}
	m.settle(p, now)
	return true
}
