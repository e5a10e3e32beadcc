package stream

import (
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/snapshot"
)

// view is what snapshots show. It is made on the loop.
func (m *Member) view(now time.Time) *snapshot.View {
	v := &snapshot.View{Now: now, Partitions: m.parts, InFlight: m.flying, Retry: &m.retry, Orphans: &m.shared.Orphans, Took: m.shared.Meters.Invocation, Since: m.since,
		Due: m.pool.Due(now, m.settings.Limits), CircuitOpen: m.shared.Circuit.IsOpen(), Paused: m.flow.paused, Stopping: m.stop.phase != working,
		HeadKeys: m.shared.Config.HeadKeys, PausedAlone: m.shared.PausedParts.Since}
	v.Since.Stopping, _ = m.shared.Stopping.Times()
	return v
}

// publish publishes a snapshot as of now. It runs on the loop.
func (m *Member) publish(now time.Time) { m.snapshots.Publish(m.view(now)) }

// advanceSnapshot takes a snapshot, or a portion of one, when it is due.
func (m *Member) advanceSnapshot(now time.Time) {
	due, again := m.snapshots.Due(now)
	switch {
	case due && !m.snapshots.Take(m.view(now)):
		m.at(now) // the next portion, after other work
	case !again.IsZero():
		m.at(again)
	}
}

// Published returns the last published snapshot. It does not ask the loop.
func (m *Member) Published() *snapshot.Snapshot { return m.snapshots.Published() }

// Snapshot returns what the loop knows now, or knew no longer than snapshot.Interval ago. If the loop is busy for long,
// or waits for a hook, it is the last snapshot there is. It never waits for a hook, so a hook may call it.
func (m *Member) Snapshot() *snapshot.Snapshot {
	s, fresh := m.snapshots.Want()
	if fresh {
		return s
	}
	m.Nudge()
	if m.shared.Hooks.Waiting() {
		return s
	}
	return m.snapshots.Await(s, m.closed)
}

// Client returns the member's client (nil if it has ended) and its generation in the group (-1 if unknown).
func (m *Member) Client() (consumer driver.Consumer, generation int32) {
	generation = -1
	m.do(func() { consumer, generation = m.consumer, m.consumer.Member().Generation })
	return consumer, generation
}
