package esm

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/start"
)

const (
	// commitPace is how much longer than a commit itself the time from its beginning to the next one's is: a tenth of the
	// time goes into commits where they follow each other, which neither a broker nor a client then feels.
	commitPace = 10
	// maxCommitPause bounds that where commits are slow.
	maxCommitPause = time.Second
	// commitPortion is how many positions go into one request. A coordinator writes those of a request as one batch, and
	// refuses all of them when it is over message.max.bytes, 1 MiB by default: with the longest names of a topic (249) and
	// a group (200) 1,000 positions take half of that.
	commitPortion = 1000
)

// commits is what is to be committed, and when.
type commits struct {
	// dirty are the partitions whose position may have moved; underWay the request that has not returned.
	dirty    []*partition
	underWay *commitRequest
	after    time.Time // not before, after an error
	pause    time.Time // nor before this, unless a revocation or a stop waits for it
	errors   int
	// begun are partitions whose start was found and is to be committed before they run; refused those whose position was
	// not accepted when others' were, looked at again from refusedAfter on.
	begun        []*partition
	refused      []*partition
	refusedAfter time.Time
	refusals     int
	refresh      time.Time // when all positions are committed again
	noted        string    // the mapping's fingerprint in what was committed last
}

// commitRequest is one commit under way.
type commitRequest struct {
	commits []driver.Commit
	parts   []*partition
	began   time.Time
}

func (r *commitRequest) has(p *partition) bool {
	return slices.Contains(r.parts, p)
}

// commitResult is its answer.
type commitResult struct {
	commitRequest
	err  error
	took time.Duration
}

// commitLoop is the commit goroutine: a commit can wait for as long as the broker is away, and nothing else may.
func (m *member) commitLoop(ctx context.Context) {
	for {
		select {
		case r := <-m.toCommit:
			commitCtx, cancel := context.WithTimeout(ctx, commitTimeout)
			m.commitBegan.Store(time.Now().UnixNano())
			err := m.commit(commitCtx, &r)
			m.commitBegan.Store(0)
			cancel()
			select {
			case m.acks <- commitResult{r, err, time.Since(r.began)}:
			case <-m.closed:
				return
			}
		case <-m.closed:
			return
		}
	}
}

// errGone is why a position is not sent any more.
var errGone = errors.New("the assignment that the position belongs to has ended")

// commit commits positions, however many, but for those of assignments that have ended by the time at which they would be
// sent. Like the client's Commit it returns a *driver.CommitError where some were refused; after any other error some may
// have been accepted.
func (m *member) commit(ctx context.Context, r *commitRequest) error {
	all := make(map[TopicPartition]*driver.Error)
	living := make([]driver.Commit, 0, min(len(r.commits), commitPortion))
	for from := 0; from < len(r.commits); from += commitPortion {
		living = living[:0]
		for i := from; i < min(from+commitPortion, len(r.commits)); i++ {
			if r.parts[i].gone.Load() {
				tp := r.commits[i].TopicPartition
				all[tp] = &driver.Error{Kind: driver.KindStaleMember, TopicPartition: tp, Offset: -1, Err: errGone}
				continue
			}
			living = append(living, r.commits[i])
		}
		if len(living) == 0 {
			continue
		}
		err := m.consumer.Commit(ctx, living)
		if refused, ok := errors.AsType[*driver.CommitError](err); ok {
			maps.Copy(all, refused.Partitions)
		} else if err != nil {
			return err
		}
	}
	if len(all) > 0 {
		return &driver.CommitError{Partitions: all}
	}
	return nil
}

// mark puts a partition on the list of those to look at for the next commit.
func (c *commits) mark(p *partition) {
	if !p.marked {
		p.marked = true
		c.dirty = append(c.dirty, p)
	}
}

// advanceCommit begins the next commit when positions moved, and the last one has returned and been followed by a pause
// in proportion: commits clock themselves. Starts wait for no pause.
func (m *member) advanceCommit(now time.Time) {
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
	r := commitRequest{began: now}
	for _, p := range m.commits.begun {
		if p.alive && p.phase == starting && p.found != nil && m.stop.phase == working {
			r.add(p, p.found.Offset, p.found.LeaderEpoch, m.words(p))
		}
	}
	clear(m.commits.begun)
	m.commits.begun = m.commits.begun[:0]
	for i, p := range m.commits.dirty {
		m.commits.dirty[i] = nil
		p.marked = false
		if p.alive && (p.dirty() || p.renote && p.phase == running) {
			r.add(p, p.position(), p.leaderEpoch, m.words(p))
		}
	}
	m.commits.dirty = m.commits.dirty[:0]
	if len(r.commits) == 0 {
		return
	}
	m.commits.underWay = &r
	m.toCommit <- r // never waits: one at most is under way, and the channel holds one
}

func (r *commitRequest) add(p *partition, offset int64, leaderEpoch int32, words string) {
	r.parts = append(r.parts, p)
	r.commits = append(r.commits, driver.Commit{TopicPartition: p.TopicPartition, Offset: offset, LeaderEpoch: leaderEpoch, Metadata: words, Assignment: p.assignment})
}

// words are the metadata of a partition's commits.
func (m *member) words(p *partition) string {
	if p.words == "" {
		p.words = p.note.Text(m.commits.noted)
	}
	return p.words
}

// refreshInterval is how often positions are committed that did not change. Brokers before 2.1 let a commit expire after
// offsets.retention.minutes though its group lives (a day by default, before 2.0), and all do where a group was left by
// everybody. It also carries an Update's fingerprint to commits that stand still.
const refreshInterval = time.Hour

// refreshCommits has all positions committed again when it is time, those that were refused looked at again, and those
// that carry what is no longer true of the mapping.
func (m *member) refreshCommits(now time.Time) {
	renamed := m.commits.noted != m.settings.Fingerprint
	if due := !now.Before(m.commits.refresh); due || renamed {
		m.commits.noted = m.settings.Fingerprint
		if due {
			m.commits.refresh, m.lookups.nextOthers = now.Add(refreshInterval), now.Add(othersAfter)
		}
		for _, p := range m.parts {
			p.words = ""
			if p.phase == running {
				p.renote = true
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
		if p.alive {
			m.commits.mark(p)
		}
	}
	m.commits.refused = m.commits.refused[:0]
}

// committed takes in the answer to a commit.
func (m *member) committed(now time.Time, r commitResult) {
	m.commits.underWay = nil
	m.shared.Meters.commit.Add(int64(r.took))
	info := CommitInfo{Offsets: make(map[TopicPartition]int64, len(r.commits)), Duration: r.took, Err: r.err}
	var refused *driver.CommitError
	partial := errors.As(r.err, &refused)
	var failed, starts []*partition
	apart := partial // what was refused says nothing of the other partitions
	for i, c := range r.commits {
		info.Offsets[c.TopicPartition] = c.Offset
		p := r.parts[i]
		if r.err != nil && (!partial || refused.Partitions[c.TopicPartition] != nil) {
			if p.alive {
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
		m.commits.pause = r.began.Add(max(min(commitPace*r.took, maxCommitPause), m.shared.Config.CommitInterval))
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
		m.commits.pause = r.began.Add(max(min(commitPace*r.took, maxCommitPause), m.shared.Config.CommitInterval))
	} else {
		m.commits.errors++
		wait = after.After(m.commits.errors, m.rng)
		m.commits.after = now.Add(wait)
	}
	for _, p := range failed {
		switch {
		case p.phase == starting && partial: // whether the start still holds is asked again
			p.found = nil
			starts = append(starts, p)
		case p.phase == starting:
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
func (m *member) accepted(now time.Time, p *partition, offset int64) {
	if f := p.found; f != nil {
		f.Committed, f.Noted = offset, true
		switch {
		case !p.alive:
		case p.phase == starting:
			m.launch(now, p, f)
		default: // about to be given away before it began
			p.committed, p.next = offset, offset
		}
		return
	}
	if p.committed >= 0 && offset > p.committed {
		m.shared.Counters.Committed.Add(offset - p.committed)
	}
	p.committed, p.renote = offset, false
	if p.alive && p.dirty() {
		m.commits.mark(p)
	}
}

// uncommitted names partitions whose position, or start, a commit did not get through.
func uncommitted(parts []*partition) []condition.Uncommitted {
	list := make([]condition.Uncommitted, len(parts))
	for i, p := range parts {
		list[i] = condition.Uncommitted{TopicPartition: p.TopicPartition, Op: OpCommit}
		if p.phase == starting {
			list[i].Op = OpStart
		}
	}
	return list
}
