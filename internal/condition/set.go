package condition

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// Set has the standing conditions. Several members may hold the same one; it ends with its last holder. It is safe for
// concurrent use.
type Set struct {
	// Diagnosis is what is wrong with the event source.
	Diagnosis Diagnosis
	// Changed signals that a condition began or was reported again. It is buffered for one.
	Changed chan struct{}

	mu       sync.Mutex
	standing map[key]*standing
	log      lines
	own      Holder                 // the process itself
	result   atomic.Pointer[string] // of the last invocation
	function function
}

// key identifies a condition.
type key struct {
	op   observe.Op
	kind string
	tp   event.TopicPartition
}

// standing is a standing condition with its holders.
type standing struct {
	observe.Condition
	holders map[*Holder]struct{}
	// told is whether the log has a line about its beginning, with the result toldResult.
	told       bool
	toldResult string
}

// Init prepares the set for use.
func (c *Set) Init(log *slog.Logger) {
	c.standing = make(map[key]*standing)
	c.Changed = make(chan struct{}, 1)
	c.log.init(log)
	c.own.set = c
	c.Diagnosis.init()
	c.SetResult(ResultNone)
}

// lock locks c. unlock unlocks it and writes the lines only then, since a slog.Handler may call the Runner.
func (c *Set) lock() (unlock func()) {
	c.mu.Lock()
	return func() {
		lines := c.log.take()
		c.mu.Unlock()
		for _, write := range lines {
			write()
		}
	}
}

// tell logs that a condition began or that its result changed. The caller holds mu.
func (c *Set) tell(now time.Time, s *standing) {
	what := "event source: a condition has begun"
	if s.told {
		what = "event source: a condition has changed"
	}
	if s.told && s.toldResult == s.LastProcessingResult || !c.log.write(now, what, s.Condition) {
		return // nothing new, or the next line of the minute has it
	}
	s.told, s.toldResult = true, s.LastProcessingResult
}

// Mention logs an error that is not a standing condition, unless there have been too many such lines.
func (c *Set) Mention(info observe.ErrorInfo) {
	now := time.Now()
	defer c.lock()()
	c.log.mention(now, observe.Condition{Op: info.Op, Kind: KindOf(info.Err), Err: info.Err, LastProcessingResult: info.LastProcessingResult, Diagnosis: info.Diagnosis})
}

// Forget ends the conditions for which over returns true, whoever holds them.
func (c *Set) Forget(over func(*observe.Condition) bool) {
	now := time.Now()
	defer c.lock()()
	for key, s := range c.standing {
		if !over(&s.Condition) {
			continue
		}
		for h := range s.holders {
			h.holds.Add(-1)
		}
		delete(c.standing, key)
		c.log.ended(now, s)
	}
}

// Clarify adds the reason, found later, to conditions about connections whose reason was unknown or vague.
func (c *Set) Clarify(info observe.ErrorInfo) {
	now := time.Now()
	defer c.lock()()
	for _, s := range c.standing {
		if d := s.Diagnosis; s.Op != observe.OpPoll || d.Known() && !d.Vague() || s.TopicPartition.Topic != "" {
			continue
		}
		s.LastProcessingResult, s.Diagnosis = info.LastProcessingResult, info.Diagnosis
		c.tell(now, s)
	}
}

// List returns the standing conditions, the worst first, then the oldest.
func (c *Set) List() []observe.Condition {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.standing) == 0 {
		return nil
	}
	all := make([]observe.Condition, 0, len(c.standing))
	for _, s := range c.standing {
		all = append(all, s.Condition)
	}
	slices.SortFunc(all, func(a, b observe.Condition) int {
		return cmp.Or(cmp.Compare(Gravity(&a), Gravity(&b)), a.Since.Compare(b.Since), cmp.Compare(a.Op, b.Op),
			cmp.Compare(a.TopicPartition.Topic, b.TopicPartition.Topic), cmp.Compare(a.TopicPartition.Partition, b.TopicPartition.Partition))
	})
	return all
}

// Any reports whether any condition stands.
func (c *Set) Any() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.standing) > 0
}

// EveryMinute logs the standing conditions when that is due. It returns when it is due next.
func (c *Set) EveryMinute(now time.Time) time.Time {
	all := c.List()
	defer c.lock()()
	return c.log.everyMinute(now, all)
}
