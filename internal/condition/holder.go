package condition

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// Holder is the holder of conditions: a member, or the process itself. It is safe for concurrent use.
type Holder struct {
	set   *Set
	holds atomic.Int32
}

// NewHolder returns a holder with no conditions.
func (c *Set) NewHolder() *Holder { return &Holder{set: c} }

// Any reports whether h holds a condition.
func (h *Holder) Any() bool { return h.holds.Load() > 0 }

// Hold begins a condition, or records that it was reported again.
func (h *Holder) Hold(info observe.ErrorInfo, kind string, tp event.TopicPartition) {
	now := time.Now()
	c := h.set
	defer c.lock()()
	k := key{info.Op, kind, tp}
	s := c.standing[k]
	if s == nil {
		s = &standing{Condition: observe.Condition{Op: info.Op, Kind: kind, TopicPartition: tp, Since: now}, holders: make(map[*Holder]struct{})}
		c.standing[k] = s
	}
	if _, held := s.holders[h]; !held {
		s.holders[h] = struct{}{}
		h.holds.Add(1)
	}
	s.Count++
	s.Last, s.Err, s.LastProcessingResult, s.Diagnosis = now, info.Err, info.LastProcessingResult, info.Diagnosis
	c.tell(now, s)
	select {
	case c.Changed <- struct{}{}:
	default:
	}
}

// End ends the conditions held by h for which over returns true.
func (h *Holder) End(over func(*observe.Condition) bool) {
	if !h.Any() {
		return
	}
	now := time.Now()
	c := h.set
	defer c.lock()()
	for k, s := range c.standing {
		if _, held := s.holders[h]; !held || !over(&s.Condition) {
			continue
		}
		delete(s.holders, h)
		h.holds.Add(-1)
		if len(s.holders) == 0 {
			delete(c.standing, k)
			c.log.ended(now, s)
		}
	}
}

// Has reports whether h holds a condition for which is returns true.
func (h *Holder) Has(is func(*observe.Condition) bool) bool {
	if !h.Any() {
		return false
	}
	c := h.set
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.standing {
		if _, held := s.holders[h]; held && is(&s.Condition) {
			return true
		}
	}
	return false
}

// The methods below end conditions because of an event. They cost almost nothing while h holds none.

// Joined is called when the group has answered.
func (h *Holder) Joined() {
	h.End(func(c *observe.Condition) bool {
		return c.Op == observe.OpPoll && c.TopicPartition.Topic == "" && c.Kind != driver.KindUnavailable.String()
	})
}

// Fetched is called when records of a partition arrived, or its position moved on.
func (h *Holder) Fetched(tp event.TopicPartition) {
	h.End(func(c *observe.Condition) bool { return c.Op == observe.OpPoll && about(c, tp) })
}

// Started is called when it is known where a partition begins or continues.
func (h *Holder) Started(tp event.TopicPartition) {
	h.End(func(c *observe.Condition) bool {
		return (c.Op == observe.OpPoll || c.Op == observe.OpStart) && about(c, tp)
	})
}

// Gone is called when a partition is no longer this member's. reads reports whether the member still has partitions of a
// topic; after the last one, its starts no longer matter.
func (h *Holder) Gone(tp event.TopicPartition, reads func(topic string) bool) {
	h.End(func(c *observe.Condition) bool {
		return c.TopicPartition == tp || c.Op == observe.OpStart && c.TopicPartition.Topic == tp.Topic && !reads(tp.Topic)
	})
}

// TopicThere is called when a missing topic exists.
func (h *Holder) TopicThere(topic string) {
	h.End(func(c *observe.Condition) bool {
		return c.TopicPartition.Topic == topic && c.Kind == driver.KindUnknownTopic.String()
	})
}

// LookedUp is called when starts can be looked up, except those of single partitions.
func (h *Holder) LookedUp() {
	h.End(func(c *observe.Condition) bool {
		return c.Op == observe.OpStart && c.TopicPartition.Topic == ""
	})
}

// Committed is called when commits succeed.
func (h *Holder) Committed() {
	h.End(func(c *observe.Condition) bool { return c.Op == observe.OpCommit })
}

// LookupFailed begins the condition that a lookup of where partitions begin or continue failed.
func (h *Holder) LookupFailed(err error) observe.ErrorInfo {
	var tp event.TopicPartition
	if e, ok := errors.AsType[*driver.Error](err); ok {
		tp = e.TopicPartition
	}
	info := h.set.Problem(observe.OpStart, err)
	h.Hold(info, KindOf(err), tp)
	return info
}

// Uncommitted is a partition whose position (OpCommit) or start (OpStart) could not be committed.
type Uncommitted struct {
	event.TopicPartition
	Op observe.Op
}

// CommitFailed begins the condition that commits fail: of the refused partitions, or of all. Starts and positions have
// separate conditions.
func (h *Holder) CommitFailed(err error, failed []Uncommitted) observe.ErrorInfo {
	op := failed[0].Op
	if op == observe.OpStart {
		err = fmt.Errorf("committing the starting positions: %w", err)
	}
	info := h.set.Problem(op, err)
	refused, ok := errors.AsType[*driver.CommitError](err)
	if !ok {
		h.Hold(info, KindOf(err), event.TopicPartition{})
		return info
	}
	still := make(map[event.TopicPartition]observe.Op, len(failed))
	for _, p := range failed {
		one := info
		e := refused.Partitions[p.TopicPartition]
		one.Op, one.Err = p.Op, e
		still[p.TopicPartition] = p.Op
		h.Hold(one, e.Kind.String(), p.TopicPartition)
	}
	h.End(func(c *observe.Condition) bool {
		return c.Op == observe.OpCommit && still[c.TopicPartition] != observe.OpCommit
	})
	return info
}
