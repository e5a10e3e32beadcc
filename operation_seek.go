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
	at                    event.LogPosition
	asked, answered       bool
	earliest, end, offset int64 // the answer, written before answered is set
	err                   error
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
	info := OperationInfo{TopicPartition: o.tp, Operation: o.name, From: p.position(), To: s.offset}
	o.p = m.renew(p)
	// As if nothing had been committed: the new position is, though it is the old one, and no step is counted.
	m.launch(now, o.p, &startAnswer{offset: s.offset, leaderEpoch: -1, committed: -1})
	m.operated(info)
	return false, nil
}

// resolveSeek finds the offset of a seek. The end of the log is asked for first, as by findStarts.
func (m *member) resolveSeek(ctx context.Context, l *lookup) {
	s, tp := l.seek, l.names[0]
	ask := func(at ...driver.OffsetAt) (offsets []int64) {
		if s.err != nil {
			return make([]int64, len(at))
		}
		queries := make([]driver.OffsetQuery, len(at))
		for i := range at {
			queries[i] = driver.OffsetQuery{TopicPartition: tp, At: at[i]}
		}
		var answers []driver.OffsetAnswer
		if answers, s.err = m.consumer.ListOffsets(ctx, queries); s.err != nil {
			return make([]int64, len(at))
		}
		for _, a := range answers {
			if offsets = append(offsets, a.Offset); a.Err != nil {
				s.err = a.Err
			}
		}
		return offsets
	}
	bounds := ask(driver.AtEarliest, driver.AtEnd)
	s.earliest, s.end = bounds[0], bounds[1]
	switch t, timed := s.at.Time(); {
	case s.at.IsEarliest():
		s.offset = s.earliest
	case s.at.IsLatest():
		s.offset = s.end
	case timed:
		s.offset = min(ask(driver.OffsetAt(max(t.UnixMilli(), 0)))[0], s.end)
	default:
		s.offset, _ = s.at.Offset()
	}
}

// ToEarliest is the first record that a log still has, for Runner.Seek.
func ToEarliest() LogPosition { return event.ToEarliest() }

// ToLatest is the end of a log: the next record to be written.
func ToLatest() LogPosition { return event.ToLatest() }

// ToTime is the first record whose timestamp is t or later; the end of the log where there is none.
func ToTime(t time.Time) LogPosition { return event.ToTime(t) }

// ToOffset is the record with an offset, or the next one that the log has.
func ToOffset(n int64) LogPosition { return event.ToOffset(n) }
