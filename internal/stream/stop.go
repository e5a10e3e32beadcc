package stream

import (
	"context"
	"errors"
	"time"

	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/stop"
	"github.com/esm-go/esm/observe"
)

// stopState is how far a stop has come. The phases run in order. Each ends by itself or at its deadline, and takes its
// share of the time that is left until by.
type stopState struct {
	phase    stopPhase
	deadline time.Time
	// by is the end of the whole stop, less the time it takes to return.
	by time.Time
	// closeBy is the deadline of the client's Close. The poll goroutine reads it.
	closeBy     time.Time
	stopPolling context.CancelFunc
	fatal       error
}

type stopPhase uint8

const (
	working    stopPhase = iota
	finishing            // handlers run to their end, nothing new starts
	cancelling           // the handlers' contexts have ended
	settling             // the last commit
	closing              // the client leaves the group
	stopped
)

// fail starts a stop with the client's final error.
func (m *Member) fail(err error) {
	if m.stop.fatal == nil {
		m.stop.fatal = &observe.SourceError{Op: string(observe.OpPoll), Err: err}
	}
	m.shared.Log.Error("the client failed permanently", "err", err)
	m.shared.Conditions.Hold(m.shared.Conditions.Problem(observe.OpPoll, err)) // held by the Runner: it outlives the member
	m.beginStop(time.Now(), false)
}

// beginStop ends the intake. For a surplus member, whose partitions others take over, the stop is bounded like a
// revocation of all its partitions.
func (m *Member) beginStop(now time.Time, surplus bool) {
	if m.stop.phase != working {
		return
	}
	all, handlers := stop.Bound(m.shared.Config.StopTimeout)
	if surplus {
		handlers = m.shared.Config.RevokeTimeout
		all = handlers + stop.Reserve
	}
	s := &m.stop
	s.phase = finishing
	s.by = now.Add(all - all/50) // the rest is the time it takes to return
	s.deadline = now.Add(handlers)
	m.shared.Log.Info("stopping", "inFlight", len(m.flying), "bound", all)
	for _, p := range m.parts {
		p.Recall(observe.ErrStopping)
		m.pause(p, partition.ByUser)
	}
}

// share returns the end of a part of the time that is left of the stop.
func (s *stopState) share(now time.Time, part, of int) time.Time {
	return now.Add(max(0, s.by.Sub(now)) * time.Duration(part) / time.Duration(of))
}

// hasten shortens a stop that has begun, such as that of a surplus member, to end with Run's.
func (s *stopState) hasten(now, by time.Time) {
	if by.IsZero() || !by.Before(s.by) {
		return
	}
	s.by = by
	if at := s.share(now, 1, 3); at.Before(s.deadline) {
		s.deadline = at
	}
}

// advanceStop takes a stop as far as it can go now.
func (m *Member) advanceStop(now time.Time) {
	s := &m.stop
	if s.phase != working {
		s.hasten(now, m.shared.Stopping.MemberBy())
	}
	for {
		due := !now.Before(s.deadline)
		switch s.phase {
		case finishing:
			if len(m.flying)+m.sending > 0 {
				if !due {
					m.at(s.deadline)
					return
				}
				m.cancelHandlers(observe.ErrStopping)
				s.phase, s.deadline = cancelling, s.share(now, 3, 7)
				continue
			}
			s.phase, s.deadline = settling, s.share(now, 1, 2)
		case cancelling:
			if len(m.flying)+m.sending > 0 {
				if !due {
					m.at(s.deadline)
					return
				}
				for inv := range m.flying {
					m.abandon(inv)
				}
			}
			s.phase, s.deadline = settling, s.share(now, 1, 2)
		case settling:
			if (m.commits.UnderWay() != nil || m.anyDirty()) && !due {
				m.at(s.deadline)
				return
			}
			if m.commits.UnderWay() != nil {
				m.shared.Counters.AbandonedCommits.Add(1)
			}
			if m.anyDirty() {
				m.uncommitted(now)
			}
			s.closeBy = now.Add(min(stop.Goodbye, max(0, s.by.Sub(now))))
			s.phase, s.deadline = closing, s.closeBy.Add(m.closeSlack())
			s.stopPolling()
		case closing:
			if !due {
				m.at(s.deadline)
				return
			}
			m.clientStuck()
			s.phase = stopped
		default:
			return
		}
	}
}

// closeSlack is how far past its deadline the client's Close may run: it returns after its context has ended.
func (m *Member) closeSlack() time.Duration {
	all, _ := stop.Bound(m.shared.Config.StopTimeout)
	return all / 100
}

// abandon leaves an invocation behind: whatever it does later has no effect.
func (m *Member) abandon(inv *partition.Invocation) {
	h := observe.StuckHandler{Partitions: partition.Ranges(inv.Parts), Since: inv.Started}
	m.shared.Left.Handler(inv, h)
	m.shared.Log.Error("a handler ignores the end of its context and is left behind", "batch", h.Partitions, "since", h.Since)
	delete(m.flying, inv)
	m.shared.Workers.Release()
	if m.shared.Circuit.Leave() {
		m.shared.Nudge()
	}
}

// uncommitted records that a stop continues without a commit of handled records.
func (m *Member) uncommitted(now time.Time) {
	call := observe.StuckCall{Op: observe.OpCommit, Since: now, Err: errors.New("records that were handled are not committed: they will be delivered again")}
	if m.commits.UnderWay() != nil {
		call.Since = m.commits.UnderWay().Began
	}
	m.troubles.Has(func(c *observe.Condition) bool {
		if c.Op == observe.OpCommit {
			call.Since, call.Err = c.Since, errors.Join(call.Err, c.Err)
		}
		return c.Op == observe.OpCommit
	})
	m.shared.Left.Call(nil, call)
	m.shared.Log.Error("the stop continues without a commit", "since", call.Since, "err", call.Err)
}

// clientStuck records that a client's call on the poll goroutine does not return.
func (m *Member) clientStuck() {
	call := m.signs.Client()
	m.shared.Left.Call(m, call)
	m.shared.Log.Error("the Kafka client does not return and is left behind", "op", string(call.Op), "since", call.Since)
}

// pollEnded handles the end of the poll goroutine: the client is closed, and no goroutine of the engine's is left behind.
// If the client did not leave the group in order, nothing is lost: the group notices by itself.
func (m *Member) pollEnded(err error) {
	if err != nil {
		m.shared.Log.Warn("the group was not left in order; it notices after the session timeout", "err", err)
	}
	m.stop.phase = stopped
}

// anyDirty reports whether a partition has something to commit.
func (m *Member) anyDirty() bool {
	for _, p := range m.parts {
		if p.Dirty() {
			return true
		}
	}
	return false
}
