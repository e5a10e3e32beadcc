package stream

import (
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/lag"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// stalled reports whether no worker can help the partition now.
func (m *Member) stalled(p *partition.Partition, now time.Time) bool {
	return p.Phase != partition.Running || p.Pauses&(partition.ByUser|partition.ByBreaker) != 0 || p.Leaderless && p.Buffered() == 0 ||
		m.retry.Holds(&p.Lane) && p.At().After(now)
}

// Read adds what this member knows to a reading, and looks for partitions that stand still. failing reports whether the
// last lookup of ends failed.
func (m *Member) Read(now time.Time, r *lag.Reading, failing bool) {
	m.do(func() {
		m.advanceUnfetched(now)
		r.Busy += len(m.flying)
		r.Add(now, m.parts, failing, func(p *partition.Partition) bool { return m.stalled(p, now) })
	})
}

// advanceUnfetched holds one condition while partitions of the member stand still, since a broker that sends nothing
// leads many. It runs with each scaling evaluation, which also asks for the log ends that no fetch reports.
func (m *Member) advanceUnfetched(now time.Time) {
	told := m.troubles.ToldOfPolls()
	changed, err := m.still.Look(now, m.parts, func(p *partition.Partition) bool { return m.toBeFetched(p) && !told.Of(p.TopicPartition) })
	switch {
	case !changed:
	case err == nil:
		m.troubles.End(func(c *observe.Condition) bool { return c.Op == observe.OpFetch })
	default:
		m.troubles.Hold(observe.ErrorInfo{Op: observe.OpFetch, Err: err, LastProcessingResult: m.shared.Conditions.Result()}, condition.KindUnfetched, event.TopicPartition{})
	}
}

// toBeFetched reports whether the client should be fetching a partition: there are records, and nothing prevents it.
func (m *Member) toBeFetched(p *partition.Partition) bool {
	return p.Phase == partition.Running && p.Pauses == 0 && !p.Moving && p.Buffered() == 0 && p.End > p.Next && m.revocation == nil && m.stop.phase == working
}

// WantEnds adds the partitions whose log end should be looked up.
func (m *Member) WantEnds(now, since time.Time, q *lag.Ends) {
	m.do(func() { q.Want(now, since, m.shared.Config.LagInterval, m.consumer, m.parts) })
}

// TakeEnds applies the answers for this member's partitions. They were true at the time asked.
func (m *Member) TakeEnds(asked time.Time, q *lag.Ends, answers []driver.OffsetAnswer) {
	m.do(func() { q.Take(asked, m.parts, answers) })
}
