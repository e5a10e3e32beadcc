package esm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/esm-go/esm/driver"
)

const (
	// probeInterval is how often what a client reported once is looked at again; probePatience bounds one look.
	probeInterval = 5 * time.Second
	probePatience = 5 * time.Second
	// fullMemory is how long partitions have to wait for memory before that is a condition.
	fullMemory = time.Minute
)

// What follows ends the conditions of a member, by what happened. It costs nothing while there are none.

// joined: the group has answered.
func (m *member) joined() {
	m.conditions.end(m, func(c *Condition) bool {
		return c.Op == OpPoll && c.TopicPartition.Topic == "" && c.Kind != driver.KindUnavailable.String()
	})
}

// fetched: records of a partition came, or its position moved on.
func (m *member) fetched(tp TopicPartition) {
	m.conditions.end(m, func(c *Condition) bool { return c.Op == OpPoll && about(c, tp) })
}

// started: it is known where a partition begins, or goes on.
func (m *member) started(tp TopicPartition) {
	m.conditions.end(m, func(c *Condition) bool { return (c.Op == OpPoll || c.Op == OpStart) && about(c, tp) })
}

// gone: a partition is this member's no longer. With the last one of a topic, where to start in the topic is nothing that it
// needs to know.
func (m *member) gone(tp TopicPartition) {
	m.conditions.end(m, func(c *Condition) bool {
		return c.TopicPartition == tp || c.Op == OpStart && c.TopicPartition.Topic == tp.Topic && !m.reads(tp.Topic)
	})
}

// reads reports whether a partition of a topic is this member's.
func (m *member) reads(topic string) bool {
	for tp := range m.parts {
		if tp.Topic == topic {
			return true
		}
	}
	return false
}

// topicThere: a topic that was missing is there.
func (m *member) topicThere(topic string) {
	m.conditions.end(m, func(c *Condition) bool {
		return c.TopicPartition.Topic == topic && c.Kind == driver.KindUnknownTopic.String()
	})
}

// lookupFailed begins the condition that starts, or where to go on, cannot be looked up.
func (m *member) lookupFailed(err error) {
	var tp TopicPartition
	if e, ok := errors.AsType[*driver.Error](err); ok {
		tp = e.TopicPartition
	}
	info := m.problem(OpStart, err)
	m.conditions.hold(m, info, kindOf(err), tp)
	m.hooks.error(info)
}

// lookedUp ends it, but for that of a single partition.
func (m *member) lookedUp() {
	m.conditions.end(m, func(c *Condition) bool { return c.Op == OpStart && c.TopicPartition.Topic == "" })
}

// commitFailed begins the condition that commits fail: of the partitions that were refused, or of all. That of a start is
// another one than that of a position.
func (m *member) commitFailed(err error, failed []*partition) {
	op := OpCommit
	if failed[0].phase == starting {
		op, err = OpStart, errStart(err)
	}
	info := m.problem(op, err)
	if refused, ok := errors.AsType[*driver.CommitError](err); ok {
		still := make(map[TopicPartition]Op, len(failed))
		for _, p := range failed {
			one := info
			e := refused.Partitions[p.TopicPartition]
			if one.Op, one.Err = OpCommit, e; p.phase == starting {
				one.Op = OpStart
			}
			still[p.TopicPartition] = one.Op
			m.conditions.hold(m, one, e.Kind.String(), p.TopicPartition)
		}
		m.conditions.end(m, func(c *Condition) bool { return c.Op == OpCommit && still[c.TopicPartition] != OpCommit })
	} else {
		m.conditions.hold(m, info, kindOf(err), TopicPartition{})
	}
	m.hooks.error(info)
}

// commitWorked ends it.
func (m *member) commitWorked() {
	m.conditions.end(m, func(c *Condition) bool { return c.Op == OpCommit })
}

// lookupsFail reports whether a lookup that failed is to be tried again.
func (m *member) lookupsFail() bool {
	return m.checkFailed || m.lookingUp > 0 || len(m.begun) > 0 && m.commitErrors > 0 || slices.ContainsFunc(m.queuedLookups, func(l lookup) bool { return l.tries > 0 })
}

// advanceConditions ends the conditions that nobody needs any more, and looks whether memory has been full for long.
func (m *member) advanceConditions(now time.Time) {
	if m.commitErrors > 0 && m.committing == nil && !m.anyDirty() {
		m.commitErrors = 0
		m.commitWorked() // what was refused went with its partition, or was committed by another way
	}
	if m.troubles.Load() > 0 && !m.lookupsFail() {
		m.lookedUp()
	}
	switch {
	case len(m.budgetPaused) == 0:
		if !m.fullSince.IsZero() {
			m.fullSince, m.fullTold = time.Time{}, false
			m.conditions.end(m, func(c *Condition) bool { return c.Op == OpBuffer })
		}
	case m.fullSince.IsZero():
		m.fullSince = now
		m.at(now.Add(fullMemory))
	case m.fullTold:
	case now.Sub(m.fullSince) < fullMemory:
		m.at(m.fullSince.Add(fullMemory))
	default:
		m.fullTold = true
		m.conditions.hold(m, ErrorInfo{Op: OpBuffer, Err: fmt.Errorf("%d partitions wait for memory: %d of %d bytes hold records that are not handled",
			len(m.budgetPaused), m.budget.Used.Load(), m.budget.Limit.Load()), LastProcessingResult: *m.result.Load()}, conditionMemory, TopicPartition{})
	}
}

// circuitOpened begins the condition that WithCircuitBreaker has stopped the intake.
func (c *core) circuitOpened(failures int, err error) {
	c.conditions.hold(nil, ErrorInfo{Op: OpInvoke, Err: fmt.Errorf("%d invocations failed in a row, on every partition; the next is tried after %v: %w",
		failures, c.opts.breaker.Cooldown, err), LastProcessingResult: resultFunctionFailed}, conditionCircuit, TopicPartition{})
}

// circuitClosed ends it.
func (c *core) circuitClosed() {
	c.conditions.end(nil, func(x *Condition) bool { return x.Kind == conditionCircuit })
}

// watchConditions looks again at what clients reported once, and writes the line of the minute, until ctx ends.
func (r *Runner) watchConditions(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var look time.Time // when to look again; zero when there is nothing to look at
	for {
		now := time.Now()
		if !look.IsZero() && !now.Before(look) {
			for _, m := range r.roster.list() {
				r.probe(ctx, m)
			}
			now = time.Now()
			look = now.Add(probeInterval)
		}
		minute := r.conditions.everyMinute(now)
		if !r.conditions.any() {
			look = time.Time{}
		} else if look.IsZero() {
			look = now.Add(time.Second)
		}
		next := now.Add(time.Hour)
		for _, t := range []time.Time{minute, look} {
			if !t.IsZero() && t.Before(next) {
				next = t
			}
		}
		timer.Reset(next.Sub(now))
		select {
		case <-r.conditions.changed:
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// any reports whether any condition stands.
func (c *conditions) any() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.standing) > 0
}

// everyMinute has the log say what stands, when it is time; it returns when the next time is.
func (c *conditions) everyMinute(now time.Time) time.Time {
	all := c.list()
	defer c.lock()()
	return c.log.everyMinute(now, all)
}

// probe asks the brokers whether what a client said once still holds: that they, or a topic, cannot be reached. The leaders of
// all of the member's partitions have to answer.
func (r *Runner) probe(ctx context.Context, m *member) {
	if !r.conditions.held(m, probed) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	var consumer driver.Consumer
	var queries []driver.OffsetQuery
	if !m.do(func() {
		consumer = m.consumer
		for tp := range m.parts {
			queries = append(queries, driver.OffsetQuery{TopicPartition: tp, At: driver.AtEnd})
		}
	}) {
		return
	}
	began := time.Now()
	topics, err := consumer.Topics(ctx)
	if err != nil {
		return
	}
	well := true
	for _, t := range topics {
		if t.Err == nil {
			m.topicThere(t.Name)
		}
	}
	m.conditions.end(m, func(c *Condition) bool { // one that only a pattern asked for, and that is gone for good
		topic := c.TopicPartition.Topic
		return c.Op == OpPoll && c.Kind == driver.KindUnknownTopic.String() && topic != "" && !slices.Contains(r.client.Topics, topic) &&
			!slices.ContainsFunc(topics, func(t driver.Topic) bool { return t.Name == topic }) &&
			!slices.ContainsFunc(queries, func(q driver.OffsetQuery) bool { return q.Topic == topic })
	})
	if len(queries) > 0 {
		answers, err := consumer.ListOffsets(ctx, queries)
		if err != nil {
			return
		}
		for _, a := range answers {
			well = well && a.Err == nil
		}
	}
	if well {
		m.conditions.end(m, func(c *Condition) bool {
			return probed(c) && c.Kind != driver.KindUnknownTopic.String() && c.Last.Before(began)
		})
	}
}

// probed reports whether a probe can tell that it has ended.
func probed(c *Condition) bool {
	switch c.Kind {
	case driver.KindUnavailable.String(), driver.KindAuthentication.String(), driver.KindUnknownTopic.String():
		return c.Op == OpPoll
	}
	return false
}

// said bounds the lines of the log about one kind of thing that can happen often: one, and another one each half minute, which
// says how many there were between. Safe for concurrent use.
type said struct {
	mu  sync.Mutex
	few allowance
}

func (s *said) warn(log *slog.Logger, now time.Time, what string, args ...any) {
	s.say(log, slog.LevelWarn, now, what, args)
}

func (s *said) error(log *slog.Logger, now time.Time, what string, args ...any) {
	s.say(log, slog.LevelError, now, what, args)
}

func (s *said) say(log *slog.Logger, level slog.Level, now time.Time, what string, args []any) {
	s.mu.Lock()
	if s.few.most == 0 {
		s.few = allowance{most: 1, each: conditionLineEvery}
	}
	ok, kept := s.few.take(now)
	s.mu.Unlock()
	if !ok {
		return
	}
	if kept > 0 {
		args = append(args, "unsaid", kept)
	}
	log.Log(context.Background(), level, what, args...)
}
