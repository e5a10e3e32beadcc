package stream

import (
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/lookup"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/size"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/observe"
)

// change handles a Listener call of the driver. It answers at once, except for a revocation, which waits for the work
// of its partitions.
func (m *Member) change(now time.Time, msg message) {
	m.shared.Counters.Rebalances.Add(1)
	m.unsettled(now)
	switch msg.kind {
	case assigned:
		m.assign(msg.parts)
		close(msg.answered)
	case lost:
		m.lose(now, msg.parts)
		close(msg.answered)
	case revoked:
		m.revoke(now, msg.parts, msg.answered)
	}
}

// assign adds partitions. The driver holds them until their start is found.
func (m *Member) assign(tps []event.TopicPartition) {
	m.signs.Lost.Store(0)
	m.shared.Conditions.Diagnosis.Healed()
	m.troubles.Joined()
	life := m.consumer.Member().Rebalances
	for _, tp := range tps {
		if old := m.parts[tp]; old != nil {
			m.remove(old)
		}
		m.admit(tp).Assignment = life
	}
	if len(tps) > 0 {
		m.lookups.Add(lookup.Lookup{Question: start.Question{Kind: start.Begin}, Parts: m.pick(tps)})
		m.lookups.LookForOthers(time.Now())
		m.shared.SaidOfGroup.Info(m.shared.Log, time.Now(), "partitions assigned", "partitions", len(tps), "of", len(m.parts))
	} else {
		m.announce()
	}
	m.shared.Hooks.Assigned(observe.AssignmentInfo{Partitions: tps})
}

// admit creates the state of a partition.
func (m *Member) admit(tp event.TopicPartition) *partition.Partition {
	p := &partition.Partition{
		TopicPartition: tp,
		Lane:           batch.Lane[*partition.Partition]{Key: event.PartitionKey(tp.Topic, tp.Partition), Overhead: size.Partition(tp.Topic, tp.Partition)},
		Alive:          true,
		Next:           -1, Committed: -1, End: -1, Sampled: -1, LeaderEpoch: -1, ReadEpoch: -1,
		SeenAt: time.Now(),
	}
	p.Owner = p
	m.parts[tp] = p
	m.shared.Budget.Partitions.Add(1)
	m.shared.Workers.Assign(1)
	if why := m.standing(tp); why != 0 {
		m.pause(p, why)
	}
	return p
}

func (m *Member) pick(tps []event.TopicPartition) []*partition.Partition {
	parts := make([]*partition.Partition, 0, len(tps))
	for _, tp := range tps {
		if p := m.parts[tp]; p != nil {
			parts = append(parts, p)
		}
	}
	return parts
}

// remove ends a partition's life at this member. What is in flight for it continues, but its result is ignored. An
// invocation none of whose partitions is still assigned has its context canceled.
func (m *Member) remove(p *partition.Partition) {
	m.unqueue(p)
	m.forsake(p)
	m.release(p, p.Held())
	delete(m.flow.full, p)
	p.Alive = false
	p.Gone.Store(true)
	delete(m.parts, p.TopicPartition)
	m.troubles.Gone(p.TopicPartition, m.reads)
	m.shared.Budget.Partitions.Add(-1)
	m.shared.Workers.Assign(-1)
	if inv := p.Inflight; inv != nil {
		m.shared.Orphans.Hold(p.TopicPartition)
		if inv.Living--; inv.Living == 0 {
			inv.Abort(observe.ErrPartitionsGone)
		}
	}
}

// lose drops partitions that another member may already own: it neither commits nor waits.
func (m *Member) lose(now time.Time, tps []event.TopicPartition) {
	parts := m.pick(tps)
	info := observe.AssignmentInfo{Partitions: tps}
	for _, p := range parts {
		if p.Inflight != nil {
			info.InFlight++
		}
		m.remove(p)
	}
	if len(m.parts) == 0 {
		m.signs.Lost.Store(now.UnixNano())
	}
	m.shared.SaidOfGroup.Warn(m.shared.Log, now, "partitions lost", "partitions", len(parts), "inFlight", info.InFlight)
	m.shared.Hooks.Lost(info)
}

// revocation is a Listener.Revoked call that waits for the work of its partitions. There is at most one.
type revocation struct {
	tps      []event.TopicPartition
	parts    []*partition.Partition
	deadline time.Time // for the handlers
	settle   time.Time // for the commit that follows; zero until the handlers are done
	answered chan struct{}
}

// revoke starts to drain partitions. The others continue meanwhile.
func (m *Member) revoke(now time.Time, tps []event.TopicPartition, answered chan struct{}) {
	r := &revocation{tps: tps, parts: m.pick(tps), deadline: now.Add(m.shared.Config.RevokeTimeout), answered: answered}
	for _, p := range r.parts {
		m.unqueue(p)
		p.Recall(observe.ErrPartitionsGone)
		p.Phase = partition.Draining // a partition that has not started will not start
		m.commits.Mark(p)
	}
	m.revocation, m.since.Revoked = r, now
}

// invoked reports whether a handler in this process has records of a partition, from this life of it or an earlier one
// (before its log was truncated, for example).
func (m *Member) invoked(p *partition.Partition) bool {
	return p.Inflight != nil || m.shared.Orphans.IsHeld(p.TopicPartition)
}

// advanceRevocation answers a revocation when its work is done and committed, or when its time is up.
func (m *Member) advanceRevocation(now time.Time) {
	r := m.revocation
	if r == nil {
		return
	}
	if r.settle.IsZero() {
		busy := 0
		for _, p := range r.parts {
			if p.Alive && (p.Sending != nil || m.invoked(p)) {
				busy++
			}
		}
		if busy > 0 && now.Before(r.deadline) && m.stop.phase < settling {
			m.at(r.deadline)
			return
		}
		r.settle = now.Add(min(m.shared.Config.RevokeTimeout, finalCommitTimeout))
	}
	if now.Before(r.settle) && m.stop.phase < closing {
		for _, p := range r.parts {
			if p.Alive && p.Dirty() || m.commits.UnderWay() != nil && m.commits.UnderWay().Has(p) {
				m.at(r.settle)
				return
			}
		}
	} else if m.commits.UnderWay() != nil {
		m.shared.Counters.AbandonedCommits.Add(1)
	}
	info := observe.AssignmentInfo{Partitions: r.tps}
	for _, p := range r.parts {
		if !p.Alive {
			continue
		}
		if m.invoked(p) {
			info.InFlight++
		}
		m.remove(p)
	}
	m.revocation = nil
	if len(m.parts) > 0 {
		m.announce() // the revoked partitions may be the only ones that had not started
	} else {
		m.getReady() // a client need not report that nothing is assigned in their place
	}
	close(r.answered)
	m.shared.SaidOfGroup.Info(m.shared.Log, now, "partitions revoked", "partitions", len(r.parts), "inFlight", info.InFlight)
	m.shared.Hooks.Revoked(info)
}
