package stream

import (
	"context"
	"errors"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/internal/start"
	"github.com/esm-go/esm/observe"
)

// commits is what is to be committed, and when.
type commits struct {
	// dirty are the partitions whose position may have moved; underWay the request that has not returned.
	dirty    []*partition.Partition
	underWay *partition.Commit
	after    time.Time // not before, after an error
	pause    time.Time // nor before this, unless a revocation or a stop waits for it
	errors   int
	// begun are partitions whose start was found and is to be committed before they run; refused those whose position was
	// not accepted when others' were, looked at again from refusedAfter on.
	begun        []*partition.Partition
	refused      []*partition.Partition
	refusedAfter time.Time
	refusals     int
	refresh      time.Time // when all positions are committed again
	noted        string    // the mapping's fingerprint in what was committed last
}

// commitResult is its answer.
type commitResult struct {
	partition.Commit
	err  error
	took time.Duration
}

// commitLoop is the commit goroutine: a commit can wait for as long as the broker is away, and nothing else may.
func (m *Member) commitLoop(ctx context.Context) {
	for {
		select {
		case r := <-m.toCommit:
			commitCtx, cancel := context.WithTimeout(ctx, commitTimeout)
			m.commitBegan.Store(time.Now().UnixNano())
			err := r.Send(commitCtx, m.consumer)
			m.commitBegan.Store(0)
			cancel()
			select {
			case m.acks <- commitResult{r, err, time.Since(r.Began)}:
			case <-m.closed:
				return
			}
		case <-m.closed:
			return
		}
	}
}

// mark puts a partition on the list of those to look at for the next commit.
func (c *commits) mark(p *partition.Partition) {
	if !p.Marked {
		p.Marked = true
		c.dirty = append(c.dirty, p)
	}
}

// advanceCommit begins the next commit when positions moved, and the last one has returned and been followed by a pause
// in proportion: commits clock themselves. Starts wait for no pause.
func (m *Member) advanceCommit(now time.Time) {
	m.refreshCommits(now)
	if m.commits.underWay != nil || len(m.commits.dirty)+len(m.commits.begun) == 0 {
		return
	}
	after := m.commits.after
	if m.commits.pause.After(after) && m.revocation == nil && m.stop.phase == working && len(m.commits.begun) == 0 {
		after = m.commits.pause
	}
	if now.Before(after) {
		m.at(after)
		return
	}
	r := partition.Commit{Began: now}
	for _, p := range m.commits.begun {
		if p.Alive && p.Phase == partition.Starting && p.Found != nil && m.stop.phase == working {
			r.Add(p, p.Found.Offset, p.Found.LeaderEpoch, m.words(p))
		}
	}
	clear(m.commits.begun)
	m.commits.begun = m.commits.begun[:0]
	for i, p := range m.commits.dirty {
		m.commits.dirty[i] = nil
		p.Marked = false
		if p.Alive && (p.Dirty() || p.Renote && p.Phase == partition.Running) {
			r.Add(p, p.Position(), p.LeaderEpoch, m.words(p))
		}
	}
	m.commits.dirty = m.commits.dirty[:0]
	if len(r.Commits) == 0 {
		return
	}
	m.commits.underWay = &r
	m.toCommit <- r // never waits: one at most is under way, and the channel holds one
}

// words are the metadata of a partition's commits.
func (m *Member) words(p *partition.Partition) string {
	if p.Words == "" {
		p.Words = p.Note.Text(m.commits.noted)
	}
	return p.Words
}

// refreshInterval is how often positions are committed that did not change. Brokers before 2.1 let a commit expire after
// offsets.retention.minutes though its group lives (a day by default, before 2.0), and all do where a group was left by
// everybody. It also carries an Update's fingerprint to commits that stand still.
const refreshInterval = time.Hour

// refreshCommits has all positions committed again when it is time, those that were refused looked at again, and those
// that carry what is no longer true of the mapping.
func (m *Member) refreshCommits(now time.Time) {
	renamed := m.commits.noted != m.settings.Fingerprint
	if due := !now.Before(m.commits.refresh); due || renamed {
		m.commits.noted = m.settings.Fingerprint
		if due {
			m.commits.refresh, m.lookups.nextOthers = now.Add(refreshInterval), now.Add(othersAfter)
		}
		for _, p := range m.parts {
			p.Words = ""
			if p.Phase == partition.Running {
				p.Renote = true
				m.commits.mark(p)
			}
		}
	}
	m.at(m.commits.refresh)
	if len(m.commits.refused) == 0 {
		return
	}
	if now.Before(m.commits.refusedAfter) {
		m.at(m.commits.refusedAfter)
		return
	}
	for i, p := range m.commits.refused {
		m.commits.refused[i] = nil
		if p.Alive {
			m.commits.mark(p)
		}
	}
	m.commits.refused = m.commits.refused[:0]
}

// committed takes in the answer to a commit.
func (m *Member) committed(now time.Time, r commitResult) {
	m.commits.underWay = nil
	m.shared.Meters.Commit.Add(int64(r.took))
	info := observe.CommitInfo{Offsets: make(map[event.TopicPartition]int64, len(r.Commits)), Duration: r.took, Err: r.err}
	var refused *driver.CommitError
	partial := errors.As(r.err, &refused)
	var failed, starts []*partition.Partition
	apart := partial // what was refused says nothing of the other partitions
	for i, c := range r.Commits {
		info.Offsets[c.TopicPartition] = c.Offset
		p := r.Parts[i]
		if r.err != nil && (!partial || refused.Partitions[c.TopicPartition] != nil) {
			if p.Alive {
				failed = append(failed, p)
				apart = apart && refused.Partitions[c.TopicPartition].Kind != driver.KindStaleMember
			}
			continue
		}
		m.accepted(now, p, c.Offset)
	}
	if len(failed) == 0 { // what was refused is of assignments that have ended, and no business of this member's any more
		m.commits.errors, m.commits.refusals = 0, 0
		m.troubles.Committed()
		m.commits.pause = r.Pause(r.took, m.shared.Config.CommitInterval)
		m.shared.Hooks.Commit(info)
		return
	}
	after := limit.Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second}
	var wait time.Duration
	if apart {
		m.commits.refusals++
		wait = after.After(m.commits.refusals, m.rng)
		m.commits.refusedAfter = now.Add(wait)
		m.commits.errors = 0
		m.commits.pause = r.Pause(r.took, m.shared.Config.CommitInterval)
	} else {
		m.commits.errors++
		wait = after.After(m.commits.errors, m.rng)
		m.commits.after = now.Add(wait)
	}
	for _, p := range failed {
		switch {
		case p.Phase == partition.Starting && partial: // whether the start still holds is asked again
			p.Found = nil
			starts = append(starts, p)
		case p.Phase == partition.Starting:
			m.commits.begun = append(m.commits.begun, p)
		case apart:
			m.commits.refused = append(m.commits.refused, p)
		default:
			m.commits.mark(p)
		}
	}
	if len(starts) > 0 {
		m.lookups.again(lookup{Question: start.Question{Kind: start.Begin}}, starts, now.Add(wait))
	}
	m.shared.Counters.CommitErrors.Add(1)
	m.shared.Hooks.Error(m.troubles.CommitFailed(r.err, uncommitted(failed)))
	m.shared.Hooks.Commit(info)
}

// accepted takes in that the group has a position of a partition.
func (m *Member) accepted(now time.Time, p *partition.Partition, offset int64) {
	if f := p.Found; f != nil {
		f.Committed, f.Noted = offset, true
		switch {
		case !p.Alive:
		case p.Phase == partition.Starting:
			m.launch(now, p, f)
		default: // about to be given away before it began
			p.Committed, p.Next = offset, offset
		}
		return
	}
	if p.Committed >= 0 && offset > p.Committed {
		m.shared.Counters.Committed.Add(offset - p.Committed)
	}
	p.Committed, p.Renote = offset, false
	if p.Alive && p.Dirty() {
		m.commits.mark(p)
	}
}

// uncommitted names partitions whose position, or start, a commit did not get through.
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
