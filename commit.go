package esm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/esm-go/esm/driver"
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
		case r := <-m.commits:
			commitCtx, cancel := context.WithTimeout(ctx, commitTimeout)
			m.commitBegan.Store(time.Now().UnixNano())
			err := m.commit(commitCtx, r.commits)
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

// commit commits positions, however many. Like the client's Commit it returns a *driver.CommitError where some were refused;
// after any other error some may have been accepted.
func (m *member) commit(ctx context.Context, commits []driver.Commit) error {
	all := make(map[TopicPartition]*driver.Error)
	for portion := range slices.Chunk(commits, commitPortion) {
		err := m.consumer.Commit(ctx, portion)
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

// markDirty puts a partition on the list of those to look at for the next commit.
func (m *member) markDirty(p *partition) {
	if !p.marked {
		p.marked = true
		m.dirty = append(m.dirty, p)
	}
}

// advanceCommit begins the next commit when positions moved, and the last one has returned and been followed by a pause
// in proportion: commits clock themselves.
func (m *member) advanceCommit(now time.Time) {
	if m.committing != nil || len(m.dirty) == 0 {
		return
	}
	after := m.commitAfter
	if m.commitPause.After(after) && m.revocation == nil && m.stop.phase == working {
		after = m.commitPause
	}
	if now.Before(after) {
		m.at(after)
		return
	}
	r := commitRequest{began: now}
	for i, p := range m.dirty {
		m.dirty[i] = nil
		p.marked = false
		if !p.alive || !p.dirty() {
			continue
		}
		r.parts = append(r.parts, p)
		r.commits = append(r.commits, driver.Commit{TopicPartition: p.TopicPartition, Offset: p.position(),
			LeaderEpoch: p.leaderEpoch, Metadata: commitMetadata(p.initial)})
	}
	m.dirty = m.dirty[:0]
	if len(r.commits) == 0 {
		return
	}
	m.committing = &r
	m.commits <- r // never waits: one at most is under way, and the channel holds one
}

// committed takes in the answer to a commit.
func (m *member) committed(now time.Time, r commitResult) {
	m.committing = nil
	info := CommitInfo{Offsets: make(map[TopicPartition]int64, len(r.commits)), Duration: r.took, Err: r.err}
	var refused *driver.CommitError
	errors.As(r.err, &refused)
	for i, c := range r.commits {
		info.Offsets[c.TopicPartition] = c.Offset
		p := r.parts[i]
		if r.err != nil && (refused == nil || refused.Partitions[c.TopicPartition] != nil) {
			if p.alive {
				m.markDirty(p)
			}
			continue
		}
		if p.committed >= 0 && c.Offset > p.committed {
			m.counters.committed.Add(c.Offset - p.committed)
		}
		p.committed = c.Offset
		if p.alive && p.dirty() {
			m.markDirty(p)
		}
	}
	if r.err == nil {
		m.commitErrors = 0
		m.commitWorked()
		m.commitPause = r.began.Add(max(min(commitPace*r.took, maxCommitPause), m.opts.commitInterval))
	} else {
		m.commitErrors++
		m.commitAfter = now.Add(backoff{100 * time.Millisecond, 5 * time.Second}.after(m.commitErrors, m.rng))
		m.counters.commitErrors.Add(1)
		m.commitFailed(r.err)
	}
	m.hooks.commit(info)
}

// commitMetadata is what every commit carries: the number of partitions that the topic had when the group began to read
// it, so that any member can tell a partition that was added later (it begins at its beginning) from one that was
// there and never started (StartingPosition applies).
func commitMetadata(initial int32) string {
	if initial <= 0 {
		return ""
	}
	return fmt.Sprintf("esm/1 partitions=%d", initial)
}

// parseCommitMetadata is the reverse of commitMetadata; 0 for what others wrote.
func parseCommitMetadata(s string) int32 {
	rest, ok := strings.CutPrefix(s, "esm/1 partitions=")
	if !ok {
		return 0
	}
	var n int32
	if _, err := fmt.Sscanf(rest, "%d", &n); err != nil || n < 0 {
		return 0
	}
	return n
}
