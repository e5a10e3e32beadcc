package stream

import (
	"context"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/lookup"
	"github.com/esm-go/esm/internal/operation"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/observe"
)

// seek is one Seek: it looks up the offset, restarts the partition there, and waits until that position is committed.
type seek struct {
	m  *Member
	to event.LogPosition
	p  *partition.Partition // the assignment that the lookup was for
	// question is the lookup with its answer. Its Kind is zero until there is an answer.
	question start.Question
}

// Seek implements Runner.Seek.
func (m *Member) Seek(ctx context.Context, tp event.TopicPartition, to event.LogPosition) (offset int64, err error) {
	s := &seek{m: m, to: to}
	if err := m.carryOut(ctx, &operation.Operation{Name: observe.OperationSeek, TP: tp, Step: s.step}); err != nil {
		return -1, err
	}
	return s.question.Found[0].Offset, nil
}

// step runs on the loop.
func (s *seek) step(now time.Time, o *operation.Operation) (done bool, err error) {
	m, p, q := s.m, o.Of, &s.question
	switch {
	case o.Begun():
		return p.Committed >= 0, nil // the new life began without a commit, so any commit is its own
	case p.Phase != partition.Running || p.Moving:
		return false, nil // its position is being looked up
	case s.p != p:
		s.p, s.question = p, start.Question{}
		m.lookups.Add(lookup.Lookup{Question: start.Question{Kind: start.Seek, Place: s.to}, Parts: []*partition.Partition{p}, Then: func(l *lookup.Lookup) {
			if s.p == p {
				s.question = l.Question // the operation continues, or returns the error
			}
		}})
		return false, nil
	case q.Kind != start.Seek:
		return false, nil
	case q.Err != nil:
		return true, q.Err
	}
	if n, ok := s.to.Offset(); ok && (n < q.Earliest || n > q.End) {
		return true, &observe.PositionError{TopicPartition: o.TP, Operation: o.Name, Offset: n, Position: p.Position(), Earliest: q.Earliest, End: q.End}
	}
	if !o.Begin() {
		return true, nil
	}
	info := observe.OperationInfo{TopicPartition: o.TP, Operation: o.Name, From: p.Position(), To: q.Found[0].Offset}
	o.Of = m.renew(p)
	m.launch(now, o.Of, &q.Found[0])
	m.shared.Operated(info)
	return false, nil
}
