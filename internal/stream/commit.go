package stream

import (
	"time"

	"github.com/esm-go/esm/internal/commit"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/lookup"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/observe"
)

// advanceCommit starts the next commit when it is due.
func (m *Member) advanceCommit(now time.Time) {
	if m.commits.Refresh(now, m.settings.Fingerprint, m.parts) {
		m.lookups.LookForOthers(now)
	}
	stopping := m.stop.phase != working
	m.at(m.commits.Advance(now, m.revocation != nil || stopping, stopping))
}

// committed handles the result of a commit.
func (m *Member) committed(now time.Time, r commit.Result) {
	o := m.commits.Take(now, r)
	m.shared.Meters.Commit.Add(int64(r.Took))
	m.shared.Counters.Committed.Add(o.Records)
	for _, p := range o.Started {
		m.launch(now, p, p.Found)
	}
	if len(o.Lost) > 0 {
		m.lookups.Again(lookup.Lookup{Question: start.Question{Kind: start.Begin}}, o.Lost, o.Again)
	}
	if len(o.Failed) > 0 {
		m.shared.Counters.CommitErrors.Add(1)
		m.shared.Hooks.Error(m.troubles.CommitFailed(r.Err, uncommitted(o.Failed)))
	} else {
		m.troubles.Committed()
	}
	m.shared.Hooks.Commit(o.Info)
}

// uncommitted names the partitions whose position or start could not be committed.
func uncommitted(parts []*partition.Partition) []condition.Uncommitted {
	list := make([]condition.Uncommitted, len(parts))
	for i, p := range parts {
		list[i] = condition.Uncommitted{TopicPartition: p.TopicPartition, Op: observe.OpCommit}
		if p.Phase == partition.Starting {
			list[i].Op = observe.OpStart
		}
	}
	return list
}
