package commit

import (
	"errors"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/partition"
	"github.com/esm-go/esm/observe"
)

// Outcome is what the answer to a commit means for its partitions.
type Outcome struct {
	Info observe.CommitInfo
	// Records is how far the group's positions moved, in offsets.
	Records int64
	// Started are the partitions whose start is committed: they may run.
	Started []*partition.Partition
	// Failed are the partitions that are still assigned and whose position was not accepted.
	Failed []*partition.Partition
	// Lost are the starts among them that have to be looked up again, from Again on.
	Lost  []*partition.Partition
	Again time.Time
}

// Take applies the answer to a commit. What failed is committed again after a backoff.
func (c *Commits) Take(now time.Time, r Result) Outcome {
	c.underWay = nil
	o := Outcome{Info: observe.CommitInfo{Offsets: make(map[event.TopicPartition]int64, len(r.Commits)), Duration: r.Took, Err: r.Err}}
	var refused *driver.CommitError
	partial := errors.As(r.Err, &refused)
	apart := partial // a refusal says nothing about the other partitions
	for i, one := range r.Commits {
		o.Info.Offsets[one.TopicPartition] = one.Offset
		p := r.Parts[i]
		if r.Err != nil && (!partial || refused.Partitions[one.TopicPartition] != nil) {
			if p.Alive {
				o.Failed = append(o.Failed, p)
				apart = apart && refused.Partitions[one.TopicPartition].Kind != driver.KindStaleMember
			}
			continue
		}
		c.accepted(p, &one, &o)
	}
	if len(o.Failed) == 0 { // any refused position belongs to an assignment that has ended
		c.errors = 0
		if len(c.refused) == 0 {
			c.refusals = 0
		}
		c.pause = r.Pause(r.Took, c.interval)
		return o
	}
	after := limit.Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second}
	if apart {
		c.refusals++
		o.Again = now.Add(after.After(c.refusals, c.rng))
		if len(c.refused) == 0 { // otherwise it joins those that wait
			c.refusedAfter = o.Again
		}
		c.errors = 0
		c.pause = r.Pause(r.Took, c.interval)
	} else {
		c.errors++
		o.Again = now.Add(after.After(c.errors, c.rng))
		c.after = o.Again
	}
	for _, p := range o.Failed {
		switch {
		case p.Phase == partition.Starting && partial: // look up whether the start still holds
			p.Found = nil
			o.Lost = append(o.Lost, p)
		case p.Phase == partition.Starting:
			c.begun = append(c.begun, p)
		case apart:
			if !p.Refused {
				p.Refused, c.refused = true, append(c.refused, p)
			}
		default:
			c.Mark(p)
		}
	}
	return o
}

// accepted records that the group has a partition's position. What its metadata should say may have changed since the
// commit was sent; it is then sent again.
func (c *Commits) accepted(p *partition.Partition, one *driver.Commit, o *Outcome) {
	offset, noted := one.Offset, one.Metadata == c.words(p)
	if f := p.Found; f != nil {
		f.Committed, f.Noted = offset, noted
		switch {
		case !p.Alive:
		case p.Phase == partition.Starting:
			o.Started = append(o.Started, p)
		default: // revoked before it ran
			p.Committed, p.Next = offset, offset
		}
		return
	}
	if p.Committed >= 0 && offset > p.Committed {
		o.Records += offset - p.Committed
	}
	p.Committed, p.Renote = offset, !noted
	if p.Alive && (p.Dirty() || p.Renote) {
		c.Mark(p)
	}
}
