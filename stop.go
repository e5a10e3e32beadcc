package esm

import (
	"context"
	"errors"
	"time"
)

const (
	// stopGrace is how long handlers have to heed the end of their context before they are left behind.
	stopGrace = 5 * time.Second
	// closeTimeout bounds leaving the group.
	closeTimeout = 10 * time.Second
)

// stopState is how far a stop has come. The phases are in order; each ends by itself or by its deadline.
type stopState struct {
	phase       stopPhase
	deadline    time.Time
	stopPolling context.CancelFunc
	fatal       error
	stuck       StuckError
}

type stopPhase uint8

const (
	working    stopPhase = iota
	finishing            // handlers run to their end, nothing new begins
	cancelling           // their contexts have ended
	settling             // the last commit
	closing              // the client leaves the group
	stopped
)

// fail begins a stop with the client's last word.
func (m *member) fail(err error) {
	if m.stop.fatal == nil {
		m.stop.fatal = &SourceError{Op: "poll", Err: err}
	}
	m.log.Error("the client failed for good", "err", err)
	m.problem("poll", err)
	m.beginStop(time.Now(), m.opts.stopTimeout)
}

// patience is how long handlers may go on when the member has to end. One that others take the place of is as a rebalance
// that takes away all that it has.
func (m *member) patience(ctx context.Context) time.Duration {
	if errors.Is(context.Cause(ctx), errSurplus) {
		return m.opts.revokeTimeout
	}
	return m.opts.stopTimeout
}

// beginStop ends the intake. Handlers may go on for as long as patience says.
func (m *member) beginStop(now time.Time, patience time.Duration) {
	if m.stop.phase != working {
		return
	}
	m.stop.phase = finishing
	m.stop.deadline = now.Add(patience)
	m.log.Info("stopping", "inFlight", len(m.flying))
	for _, p := range m.parts {
		m.pause(p, pausedByUser)
	}
}

// advanceStop moves a stop on as far as it goes.
func (m *member) advanceStop(now time.Time) {
	s := &m.stop
	for {
		due := !now.Before(s.deadline)
		switch s.phase {
		case finishing:
			if len(m.flying) > 0 {
				if !due {
					m.at(s.deadline)
					return
				}
				m.cancelHandlers(ErrStopping)
				s.phase, s.deadline = cancelling, now.Add(stopGrace)
				continue
			}
			s.phase, s.deadline = settling, now.Add(finalCommitTimeout)
		case cancelling:
			if len(m.flying) > 0 {
				if !due {
					m.at(s.deadline)
					return
				}
				for inv := range m.flying {
					m.abandon(inv)
				}
			}
			s.phase, s.deadline = settling, now.Add(finalCommitTimeout)
		case settling:
			if (m.committing != nil || m.anyDirty()) && !due {
				m.at(s.deadline)
				return
			}
			if m.committing != nil {
				m.counters.abandonedCommits.Add(1)
			}
			s.phase, s.deadline = closing, now.Add(closeTimeout+time.Second)
			s.stopPolling()
		case closing:
			if !due {
				m.at(s.deadline)
				return
			}
			s.stuck.Calls = append(s.stuck.Calls, StuckCall{Op: "close", Since: now.Add(-closeTimeout)})
			s.phase = stopped
		default:
			return
		}
	}
}

// abandon leaves an invocation behind: what it does later means nothing.
func (m *member) abandon(inv *invocation) {
	h := StuckHandler{Partitions: ranges(inv.parts), Since: inv.started}
	m.stop.stuck.Handlers = append(m.stop.stuck.Handlers, h)
	m.log.Error("a handler ignores the end of its context and is left behind", "partitions", h.Partitions, "since", h.Since)
	delete(m.flying, inv)
	m.workers.release()
	if m.circuit.leave() {
		m.crew.nudge()
	}
}

// pollEnded takes in the end of the poll goroutine: the client is closed.
func (m *member) pollEnded(err error) {
	if err != nil {
		m.stop.stuck.Calls = append(m.stop.stuck.Calls, StuckCall{Op: "close", Since: m.stop.deadline.Add(-closeTimeout), Err: err})
	}
	m.stop.phase = stopped
}

// anyDirty reports whether a partition has something to commit.
func (m *member) anyDirty() bool {
	for _, p := range m.parts {
		if p.dirty() {
			return true
		}
	}
	return false
}
