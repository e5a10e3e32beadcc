package esm

import (
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/size"
	"github.com/esm-go/esm/internal/start"
)

// change takes in a Listener call of the driver and sees to it that it is answered: at once, but for a revocation,
// which waits for the partitions' work.
func (m *member) change(now time.Time, msg message) {
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

// assign takes partitions in. They are held by the driver until their start is found.
func (m *member) assign(tps []TopicPartition) {
	m.lostSince.Store(0)
	m.shared.Conditions.Diagnosis.Healed()
	m.troubles.Joined()
	life := m.consumer.Member().Rebalances
	for _, tp := range tps {
		if old := m.parts[tp]; old != nil {
			m.remove(old)
		}
		m.admit(tp).assignment = life
	}
	if len(tps) > 0 {
		m.lookups.add(lookup{Question: start.Question{Kind: start.Begin}, parts: m.pick(tps)})
		m.lookups.nextOthers = time.Now().Add(othersAfter)
		m.shared.Log.Info("partitions assigned", "partitions", len(tps), "of", len(m.parts))
	} else {
		m.announce()
	}
	m.shared.Hooks.Assigned(AssignmentInfo{Partitions: tps})
}

// admit makes the state of a partition.
func (m *member) admit(tp TopicPartition) *partition {
	p := &partition{
		TopicPartition: tp,
		Lane:           batch.Lane[*partition]{Key: event.PartitionKey(tp.Topic, tp.Partition), Overhead: size.Partition(tp.Topic, tp.Partition)},
		alive:          true,
		next:           -1, committed: -1, end: -1, sampled: -1, leaderEpoch: -1, readEpoch: -1,
		seenAt: time.Now(),
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

func (m *member) pick(tps []TopicPartition) []*partition {
	parts := make([]*partition, 0, len(tps))
	for _, tp := range tps {
		if p := m.parts[tp]; p != nil {
			parts = append(parts, p)
		}
	}
	return parts
}

// remove ends a partition's life here. What is in flight for it goes on, but means nothing any more; when nothing of
// its batch is ours any longer, its context ends.
func (m *member) remove(p *partition) {
	m.unqueue(p)
	m.forsake(p)
	m.release(p, p.Held())
	delete(m.flow.full, p)
	p.alive = false
	p.gone.Store(true)
	delete(m.parts, p.TopicPartition)
	m.troubles.Gone(p.TopicPartition, m.reads)
	m.shared.Budget.Partitions.Add(-1)
	m.shared.Workers.Assign(-1)
	if inv := p.inflight; inv != nil {
		m.shared.Orphans.Hold(p.TopicPartition)
		if inv.living--; inv.living == 0 {
			inv.abort(ErrPartitionsGone)
		}
	}
}

// lose drops partitions that another member may own already: no commit, no waiting.
func (m *member) lose(now time.Time, tps []TopicPartition) {
	parts := m.pick(tps)
	info := AssignmentInfo{Partitions: tps}
	for _, p := range parts {
		if p.inflight != nil {
			info.InFlight++
		}
		m.remove(p)
	}
	if len(m.parts) == 0 {
		m.lostSince.Store(now.UnixNano())
	}
	m.shared.Log.Warn("partitions lost", "partitions", len(parts), "inFlight", info.InFlight)
	m.shared.Hooks.Lost(info)
}

// revocation is a Listener.Revoked that waits for its partitions' work. There is one at most.
type revocation struct {
	tps      []TopicPartition
	parts    []*partition
	deadline time.Time // for the handlers
	settle   time.Time // for the commit behind them; zero until they are done
	answered chan struct{}
}

// revoke begins to drain partitions. The others go on meanwhile.
func (m *member) revoke(now time.Time, tps []TopicPartition, answered chan struct{}) {
	r := &revocation{tps: tps, parts: m.pick(tps), deadline: now.Add(m.shared.Config.RevokeTimeout), answered: answered}
	for _, p := range r.parts {
		m.unqueue(p)
		p.recall(ErrPartitionsGone)
		p.phase = draining // one that has not begun is not begun any more
		m.commits.mark(p)
	}
	m.revocation, m.waiting.revoked = r, now
}

// advanceRevocation answers a revocation when its work is done and committed, or its time is up.
func (m *member) advanceRevocation(now time.Time) {
	r := m.revocation
	if r == nil {
		return
	}
	if r.settle.IsZero() {
		busy := 0
		for _, p := range r.parts {
			if p.alive && (p.inflight != nil || p.sending != nil) {
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
			if p.alive && p.dirty() || m.commits.underWay != nil && m.commits.underWay.has(p) {
				m.at(r.settle)
				return
			}
		}
	} else if m.commits.underWay != nil {
		m.shared.Counters.AbandonedCommits.Add(1)
	}
	info := AssignmentInfo{Partitions: r.tps}
	for _, p := range r.parts {
		if !p.alive {
			continue
		}
		if p.inflight != nil {
			info.InFlight++
		}
		m.remove(p)
	}
	m.revocation = nil
	if len(m.parts) > 0 {
		m.announce() // what goes may be all that had not started
	} else {
		m.getReady() // a client need not tell a member that it gets nothing in its place
	}
	close(r.answered)
	m.shared.Log.Info("partitions revoked", "partitions", len(r.parts), "inFlight", info.InFlight)
	m.shared.Hooks.Revoked(info)
}
