package stream

import (
	"time"

	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

const (
	// SnapshotInterval is the least time between two snapshots that a loop publishes.
	SnapshotInterval = 100 * time.Millisecond
	// snapshotPatience is how long Status waits for a loop that has something else to do.
	snapshotPatience = 100 * time.Millisecond
)

// snapshotPortion is how many partitions are read in one turn of the loop: so that ten thousand of them do not hold up the
// records.
const snapshotPortion = 250

// Snapshot is what a member's loop knew at a time. It is never changed once it is published.
type Snapshot struct {
	At       time.Time
	InFlight int
	Slow     []observe.SlowInvocation
	// Portions are the partitions, as they were read.
	Portions [][]observe.PartitionStatus
	// heard is closed when the next one is published.
	heard chan struct{}
}

// halfSnapshot is a snapshot that is being taken, portion by portion. The zero value is none.
type halfSnapshot struct {
	*Snapshot
	left []*partition.Partition // to be read
}

// beginSnapshot begins one.
func (m *Member) beginSnapshot(now time.Time) {
	m.taking.Snapshot = &Snapshot{At: now, InFlight: len(m.flying), Slow: m.slow(now), heard: make(chan struct{})}
	for _, p := range m.parts {
		m.taking.left = append(m.taking.left, p)
	}
}

// readPortion reads some of the partitions; true when that were the last.
func (m *Member) readPortion(now time.Time, most int) bool {
	t := &m.taking
	n := min(len(t.left), most)
	if n > 0 {
		portion := make([]observe.PartitionStatus, 0, n)
		view := m.view(now)
		for i, p := range t.left[:n] {
			if p.Alive {
				portion = append(portion, observe.PartitionStatus{})
				m.partitionStatus(view, p, &portion[len(portion)-1])
			}
			t.left[i] = nil
		}
		t.Portions = append(t.Portions, portion)
	}
	t.left = t.left[n:]
	return len(t.left) == 0
}

// publish publishes a snapshot of now. It runs on the loop.
func (m *Member) publish(now time.Time) {
	m.taking = halfSnapshot{}
	m.beginSnapshot(now)
	m.readPortion(now, len(m.taking.left))
	m.publishTaken()
}

func (m *Member) publishTaken() {
	s := m.taking.Snapshot
	m.taking = halfSnapshot{left: m.taking.left[:0]}
	m.wanted.Store(false)
	if old := m.published.Swap(s); old != nil {
		close(old.heard)
	}
}

// advanceSnapshot takes a snapshot when somebody asked for one and the last is old enough. It runs on the loop.
func (m *Member) advanceSnapshot(now time.Time) {
	if m.taking.Snapshot == nil {
		if !m.wanted.Load() {
			return
		}
		if at := m.published.Load().At.Add(SnapshotInterval); now.Before(at) {
			m.at(at)
			return
		}
		m.beginSnapshot(now)
	}
	if m.readPortion(now, snapshotPortion) {
		m.publishTaken()
	} else {
		m.at(now) // the next portion, after what else there is to do
	}
}

// Published returns what was published last. It asks nobody.
func (m *Member) Published() *Snapshot { return m.published.Load() }

// Snapshot returns what the loop knows: of this moment, or not older than SnapshotInterval, unless the loop is busy with
// something that takes longer than snapshotPatience, or waits for a hook: then it is the last one there is. It never waits for a
// hook, so a hook may call it.
func (m *Member) Snapshot() *Snapshot {
	s := m.published.Load()
	if time.Since(s.At) < SnapshotInterval {
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
