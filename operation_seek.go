package esm

import (
	"context"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// seek is one Seek: it asks for offsets, begins the partition anew at one, and waits for the group to have that.
type seek struct {
	at              event.LogPosition
	asked, answered bool
	// The answer, written before answered is set. As if nothing had been committed: the new position is to be, though it is the
	// old one, and the way to it is not counted.
	earliest, end int64
	to            startAnswer
	err           error
}

// step runs on the loop.
func (s *seek) step(m *member, now time.Time, o *operation) (done bool, err error) {
	p := o.p
	switch {
	case o.begun.Load():
		return p.committed >= 0, nil // of a life that began without one
	case p.phase != running || p.moving:
		return false, nil // where it begins, or goes on, is being looked for
	case !s.asked:
		s.asked = true
		m.lookUp(lookup{kind: lookupSeek, parts: []*partition{p}, seek: s})
		return false, nil
	case !s.answered:
		return false, nil
	case s.err != nil:
		return true, s.err
	}
	if n, ok := s.at.Offset(); ok && (n < s.earliest || n > s.end) {
		return true, &observe.PositionError{TopicPartition: o.tp, Operation: o.name, Offset: n, Position: p.position(), Earliest: s.earliest, End: s.end}
	}
	o.begun.Store(true)
	info := OperationInfo{TopicPartition: o.tp, Operation: o.name, From: p.position(), To: s.to.offset}
	o.p = m.renew(p)
	m.launch(now, o.p, &s.to)
	m.operated(info)
	return false, nil
}

// resolveSeek finds the offset of a seek. The end of the log is asked for first, as by findStarts.
func (m *member) resolveSeek(ctx context.Context, l *lookup) {
	s, tp := l.seek, l.names[0]
	ask := func(at ...driver.OffsetAt) []driver.OffsetAnswer {
		none := make([]driver.OffsetAnswer, len(at))
		if s.err != nil {
			return none
		}
		queries := make([]driver.OffsetQuery, len(at))
		for i := range at {
			queries[i] = driver.OffsetQuery{TopicPartition: tp, At: at[i]}
		}
		answers, err := m.consumer.ListOffsets(ctx, queries)
		for i := range answers {
			if err == nil {
				err = answers[i].Err
			}
		}
		if s.err = err; err != nil {
			return none
		}
		return answers
	}
	bounds := ask(driver.AtEarliest, driver.AtEnd)
	first, end := bounds[0], bounds[1]
	s.earliest, s.end, s.to.leaderEpoch, s.to.committed = first.Offset, end.Offset, -1, -1
	found := end
	switch t, timed := s.at.Time(); {
	case s.at.IsEarliest():
		found = first
	case s.at.IsLatest():
	case timed:
		if at := ask(driver.OffsetAt(max(t.UnixMilli(), 0)))[0]; at.Offset < end.Offset {
			found = at
		}
	default:
		s.to.offset, _ = s.at.Offset()
		return
	}
	s.to.offset, s.to.leaderEpoch = found.Offset, found.LeaderEpoch
}

// ToEarliest is the first record that a log still has, for Runner.Seek.
func ToEarliest() LogPosition { return event.ToEarliest() }

// ToLatest is the end of a log: the next record to be written.
func ToLatest() LogPosition { return event.ToLatest() }

// ToTime is the first record whose timestamp is t or later; the end of the log where there is none.
func ToTime(t time.Time) LogPosition { return event.ToTime(t) }

// ToOffset is the record with an offset, or the next one that the log has.
func ToOffset(n int64) LogPosition { return event.ToOffset(n) }
