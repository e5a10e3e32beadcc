package stream

import (
	"errors"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/observe"
)

// Other goroutines may call the methods below.

// ErrSurplus is the cause with which the context of a member ends that is no longer needed while others continue.
var ErrSurplus = errors.New("esm: there are more pollers than are needed")

// Adopt applies the current settings and the current wish to pause. It is called before Run.
func (m *Member) Adopt() {
	m.settings = m.shared.Current.Load()
	m.flow.obeyed = m.shared.Wish.Load()
	m.flow.paused = m.flow.obeyed%2 == 1
}

// OnQuiet sets a function that the loop calls when a pause has taken effect at this member, with nothing in flight any
// longer. It is called before Run.
func (m *Member) OnQuiet(f func()) { m.quiet = f }

// Rests reports whether a pause has taken effect at this member, or the member has ended.
func (m *Member) Rests(wish uint64) bool {
	select {
	case <-m.closed:
		return true
	default:
		return m.pauseReported.Load() == wish
	}
}

// Ready is closed when the first assignment has started.
func (m *Member) Ready() <-chan struct{} { return m.ready }

// ReplaceCredentials gives the client new credentials. It returns driver.ErrNotInPlace if the client cannot take them.
func (m *Member) ReplaceCredentials(next *auth.Credentials) (err error) {
	m.do(func() {
		if replacer, ok := m.consumer.(driver.CredentialsReplacer); ok {
			err = replacer.ReplaceCredentials(next)
		} else {
			err = driver.ErrNotInPlace
		}
	})
	return err
}

// do runs f on the loop and waits for it. It returns false if the loop has ended, or is busy while Run stops.
func (m *Member) do(f func()) bool {
	done := make(chan struct{})
	select {
	case m.control <- func() { defer close(done); f() }:
		<-done
		return true
	case <-m.closed:
		return false
	case <-m.shared.Stopping.Begun:
		return false
	}
}

// Nudge makes the loop look again at what the members share. It never waits.
func (m *Member) Nudge() {
	select {
	case m.nudges <- struct{}{}:
	default:
	}
}

// Sick reports what has taken too long at this member.
func (m *Member) Sick(now time.Time) (since time.Time, what string) {
	return m.signs.Sick(now, m.shared.Config.RevokeTimeout)
}

// Blocked returns what keeps the member's stop from ending.
func (m *Member) Blocked() []observe.StuckCall { return m.signs.Blocked(m.commits.Began()) }
