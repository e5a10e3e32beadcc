package stream

import (
	"errors"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/observe"
)

// What follows other goroutines may call.

// ErrSurplus ends the context of a member that is not needed any more, while others go on.
var ErrSurplus = errors.New("esm: there are more pollers than are needed")

// Adopt takes over what is wished of members by now. It is called before Run.
func (m *Member) Adopt() {
	m.settings = m.shared.Current.Load()
	m.flow.obeyed = m.shared.Wish.Load()
	m.flow.paused = m.flow.obeyed%2 == 1
}

// OnQuiet sets what is called on the loop when a pause has taken effect here: nothing is in flight any more. It is called before
// Run.
func (m *Member) OnQuiet(f func()) { m.quiet = f }

// Rests reports whether a pause has taken effect here, or the member has ended.
func (m *Member) Rests(wish uint64) bool {
	select {
	case <-m.closed:
		return true
	default:
		return m.pauseReported.Load() == wish
	}
}

// Ready is closed when the first assignment is started.
func (m *Member) Ready() <-chan struct{} { return m.ready }

// ReplaceCredentials has the client use others; driver.ErrNotInPlace where it cannot.
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

// do runs f on the loop and waits for it; false when the loop has ended, or Run stops and the loop is busy.
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

// Nudge has the loop look again at what the members share. It never waits.
func (m *Member) Nudge() {
	select {
	case m.nudges <- struct{}{}:
	default:
	}
}

// Sick says what of one member has lasted too long.
func (m *Member) Sick(now time.Time) (since time.Time, what string) {
	return m.signs.Sick(now, m.shared.Config.RevokeTimeout)
}

// Blocked names what keeps the member's stop from ending.
func (m *Member) Blocked() []observe.StuckCall { return m.signs.Blocked(m.commits.Began()) }
