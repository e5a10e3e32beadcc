package esm

import (
	"time"
)

const (
	// snapshotInterval is the least time between two snapshots that a loop publishes.
	snapshotInterval = 100 * time.Millisecond
	// snapshotPatience is how long Status waits for a loop that has something else to do.
	snapshotPatience = 100 * time.Millisecond
)

// snapshot is what a member's loop knew at a time. It is never changed once it is published.
type Snapshot struct {
	Status // what member.status fills in
	At     time.Time
	// heard is closed when the next one is published.
	heard chan struct{}
}

// publish publishes a snapshot. It runs on the loop.
func (m *Member) publish(now time.Time) {
	s := &Snapshot{At: now, heard: make(chan struct{})}
	m.status(&s.Status)
	m.wanted.Store(false)
	if old := m.published.Swap(s); old != nil {
		close(old.heard)
	}
}

// advanceSnapshot publishes a snapshot when somebody asked for one and the last is old enough. It runs on the loop.
func (m *Member) advanceSnapshot(now time.Time) {
	if !m.wanted.Load() {
		return
	}
	if at := m.published.Load().At.Add(snapshotInterval); now.Before(at) {
		m.at(at)
		return
	}
	m.publish(now)
}

// snapshot returns what the loop knows: of this moment, or not older than snapshotInterval, unless the loop is busy with
// something that takes longer than snapshotPatience, or waits for a hook: then it is the last one there is. It never waits for a
// hook, so a hook may call it.
func (m *Member) Snapshot() *Snapshot {
	s := m.published.Load()
	if time.Since(s.At) < snapshotInterval {
		return s
	}
	m.wanted.Store(true)
	m.Nudge()
	if m.shared.Hooks.Waiting() {
		return s
	}
	patience := time.NewTimer(snapshotPatience)
	defer patience.Stop()
	select {
	case <-s.heard:
	case <-m.closed:
	case <-patience.C:
	}
	return m.published.Load()
}
