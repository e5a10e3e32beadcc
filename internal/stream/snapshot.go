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

// publish publishes a snapshot of now. It runs on the loop.
func (m *Member) publish(now time.Time) { m.snapshots.Publish(m.view(now)) }

// advanceSnapshot takes a snapshot, or a portion of one, when it is time.
func (m *Member) advanceSnapshot(now time.Time) {
	due, again := m.snapshots.Due(now)
	switch {
	case due && !m.snapshots.Take(m.view(now)):
		m.at(now) // the next portion, after what else there is to do
	case !again.IsZero():
		m.at(again)
	}
}

// Published returns what was published last. It asks nobody.
func (m *Member) Published() *snapshot.Snapshot { return m.snapshots.Published() }

// Snapshot returns what the loop knows: of this moment, or not older than snapshot.Interval, unless the loop is busy with
// something that takes long, or waits for a hook: then it is the last one there is. It never waits for a hook, so a hook may
// call it.
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

// Client returns the member's client, nil where it has ended, and the generation of its group, -1 where it is not known.
func (m *Member) Client() (consumer driver.Consumer, generation int32) {
	generation = -1
	m.do(func() { consumer, generation = m.consumer, m.consumer.Member().Generation })
	return consumer, generation
}
