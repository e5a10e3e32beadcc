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

// Holder is a member with the conditions that it holds. Safe for concurrent use.
type Holder struct {
	set   *Set
	holds atomic.Int32
}

// NewHolder makes one that holds nothing.
func (c *Set) NewHolder() *Holder { return &Holder{set: c} }

// Any reports whether it holds a condition.
func (h *Holder) Any() bool { return h.holds.Load() > 0 }

// Hold begins a condition, or takes in that it was reported again.
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

// End ends those of its conditions for which over says so.
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

// Has reports whether it holds a condition for which is says so.
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

// What follows ends conditions by what happened. It costs nothing while there are none.

// Joined: the group has answered.
func (h *Holder) Joined() {
	h.End(func(c *observe.Condition) bool {
		return c.Op == observe.OpPoll && c.TopicPartition.Topic == "" && c.Kind != driver.KindUnavailable.String()
	})
}

// Fetched: records of a partition came, or its position moved on.
func (h *Holder) Fetched(tp event.TopicPartition) {
	h.End(func(c *observe.Condition) bool { return c.Op == observe.OpPoll && about(c, tp) })
}

// Started: it is known where a partition begins, or goes on.
func (h *Holder) Started(tp event.TopicPartition) {
	h.End(func(c *observe.Condition) bool {
		return (c.Op == observe.OpPoll || c.Op == observe.OpStart) && about(c, tp)
	})
}

// Gone: a partition is this member's no longer. With the last one of a topic, which reads tells, where to start in the topic is
// nothing that it needs to know.
func (h *Holder) Gone(tp event.TopicPartition, reads func(topic string) bool) {
	h.End(func(c *observe.Condition) bool {
		return c.TopicPartition == tp || c.Op == observe.OpStart && c.TopicPartition.Topic == tp.Topic && !reads(tp.Topic)
	})
}

// TopicThere: a topic that was missing is there.
func (h *Holder) TopicThere(topic string) {
	h.End(func(c *observe.Condition) bool {
		return c.TopicPartition.Topic == topic && c.Kind == driver.KindUnknownTopic.String()
	})
}

// LookedUp: starts can be looked up, but for those of single partitions.
func (h *Holder) LookedUp() {
	h.End(func(c *observe.Condition) bool {
		return c.Op == observe.OpStart && c.TopicPartition.Topic == ""
	})
}

// Committed: commits succeed.
func (h *Holder) Committed() {
	h.End(func(c *observe.Condition) bool { return c.Op == observe.OpCommit })
}

// LookupFailed begins the condition that starts, or where to go on, cannot be looked up.
func (h *Holder) LookupFailed(err error) observe.ErrorInfo {
	var tp event.TopicPartition
	if e, ok := errors.AsType[*driver.Error](err); ok {
		tp = e.TopicPartition
	}
	info := h.set.Problem(observe.OpStart, err)
	h.Hold(info, KindOf(err), tp)
	return info
}

// Uncommitted is a partition whose position a commit did not get through (OpCommit), or its start (OpStart).
type Uncommitted struct {
	event.TopicPartition
	Op observe.Op
}

// CommitFailed begins the condition that commits fail: of the partitions that were refused, or of all. That of a start is
// another one than that of a position.
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
