package membroker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/esm-go/esm/driver"
)

// pollWait is how long a Poll waits for something to report.
const pollWait = time.Second

// step is what Poll does next.
type step struct {
	// tell is a Listener call to make; after runs with mu held when that call has returned.
	tell  func([]driver.TopicPartition)
	about []driver.TopicPartition
	after func()
	// ready reports that there is something to return, err that the consumer cannot be used any longer.
	ready bool
	err   error
}

// Poll implements driver.Consumer.
func (c *consumer) Poll(ctx context.Context, into *driver.Fetch) error {
	into.Reset()
	c.b.mu.Lock()
	c.disarmWatch()
	c.b.faults.calls[OpPoll]++
	delay := c.b.faults.delay[OpPoll]
	c.b.mu.Unlock()
	defer func() {
		c.b.mu.Lock()
		c.armWatch()
		c.b.mu.Unlock()
	}()
	if delay > 0 && !c.sleep(ctx, delay) {
		return nil
	}
	waiting := false
	for {
		c.b.mu.Lock()
		s := c.step(into)
		if s.tell != nil {
			c.armWatch()
		}
		c.b.mu.Unlock()
		switch {
		case s.err != nil:
			return s.err
		case s.tell != nil:
			s.tell(s.about)
			c.b.mu.Lock()
			c.disarmWatch()
			s.after()
			c.b.mu.Unlock()
			continue
		case s.ready || ctx.Err() != nil:
			return nil
		}
		if !waiting {
			waiting = true
			if c.idle == nil {
				c.idle = time.NewTimer(pollWait)
			} else {
				c.idle.Reset(pollWait)
			}
			defer c.idle.Stop()
		}
		select {
		case <-c.wake:
		case <-c.idle.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *consumer) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// step decides what to do: a Listener call first, then reports, then records. The caller holds mu.
func (c *consumer) step(into *driver.Fetch) step {
	b, g := c.b, c.group
	if c.closed {
		return step{err: errClosed}
	}
	if b.faults.hang[OpPoll] != nil {
		return step{}
	}
	if b.faults.up != nil {
		if !c.down {
			c.down = true
			into.Errors = append(into.Errors, unavailable(errors.New("memory: the broker is stopped")))
		}
		return step{ready: len(into.Errors) > 0}
	}
	c.down = false
	if err := b.takeFailure(OpPoll); err != nil {
		c.fatal = err
	}
	if c.member == nil {
		return c.stepLost()
	}
	if c.fatal != nil {
		return step{err: c.fatal}
	}
	if c.generation != g.generation {
		c.generation = g.generation
		c.rebalances++
	}
	m := c.member
	if c.seenGroup != g.changes {
		if going := c.going(); len(going) > 0 {
			return step{tell: c.listener.Revoked, about: going, after: func() {
				c.forget(going)
				g.release(m, going...)
			}}
		}
		c.seenGroup = g.changes
		// The group's first answer is passed on even if it is empty.
		if coming := c.coming(); len(coming) > 0 || !c.answered {
			c.answered = true
			for _, tp := range coming {
				g.owner[tp] = m
				h := &held{TopicPartition: tp, topic: b.topics[tp.Topic], assignment: c.rebalances}
				c.held[tp] = h
				c.turns = append(c.turns, h)
				delete(c.unknown, tp.Topic)
			}
			return step{tell: c.listener.Assigned, about: coming, after: func() {}}
		}
	}
	if c.seenTopics != b.topicChanges {
		c.seenTopics = b.topicChanges
		c.checkTopics(into)
	}
	into.Errors = append(into.Errors, c.reports...)
	c.reports = nil
	c.collect(into)
	return step{ready: len(into.Errors) > 0 || len(into.Runs) > 0}
}

// stepLost reports what was lost, then joins again.
func (c *consumer) stepLost() step {
	if gone := c.all(); len(gone) > 0 {
		for _, h := range c.held {
			h.going = true
		}
		return step{tell: c.listener.Lost, about: gone, after: func() { c.answered = false; c.forget(gone) }}
	}
	if c.fatal != nil {
		return step{err: c.fatal}
	}
	c.b.join(c)
	// join has signalled, so Poll checks again at once.
	return step{}
}

// going marks and returns the partitions that the group wants back.
func (c *consumer) going() []driver.TopicPartition {
	var tps []driver.TopicPartition
	for tp, h := range c.held {
		if c.group.target[tp] != c.member || c.group.bounce[tp] {
			h.going = true
			tps = append(tps, tp)
		}
	}
	slices.SortFunc(tps, compareTP)
	return tps
}

// coming returns the partitions that this member should own and no member owns.
func (c *consumer) coming() []driver.TopicPartition {
	var tps []driver.TopicPartition
	for tp, m := range c.group.target {
		if m == c.member && c.group.owner[tp] == nil && c.b.partition(tp) != nil {
			tps = append(tps, tp)
		}
	}
	slices.SortFunc(tps, compareTP)
	return tps
}

// checkTopics reports subscribed topics that are missing, deleted or recreated, each once.
func (c *consumer) checkTopics(into *driver.Fetch) {
	report := func(kind driver.Kind, topic, what string) {
		into.Errors = append(into.Errors, &driver.Error{Kind: kind, Offset: -1,
			TopicPartition: driver.TopicPartition{Topic: topic, Partition: -1}, Err: errors.New("memory: " + what)})
	}
	missing := func(name string) {
		if !c.unknown[name] {
			c.unknown[name] = true
			report(driver.KindUnknownTopic, name, "there is no such topic")
		}
	}
	for _, name := range c.cfg.Topics {
		if strings.HasPrefix(name, "^") {
			continue
		}
		if c.b.topics[name] == nil {
			missing(name)
		} else {
			delete(c.unknown, name)
		}
	}
	var made []string
	for _, h := range c.turns {
		switch t := c.b.topics[h.Topic]; {
		case h.topic == t:
		case t == nil:
			h.log = nil
			missing(h.Topic)
		case h.started:
			h.started, h.log = false, nil
			if !slices.Contains(made, h.Topic) {
				made = append(made, h.Topic)
				delete(c.unknown, h.Topic)
				report(driver.KindTopicRecreated, h.Topic, "the topic was deleted and recreated")
			}
		}
	}
}

// collect fills runs from the partitions whose turn it is.
func (c *consumer) collect(into *driver.Fetch) {
	budget := c.cfg.FetchMaxBytes
	if budget <= 0 {
		budget = math.MaxInt
	}
	last := -1
	for i, h := range c.turns {
		if c.b.opts.fetchRuns > 0 && len(into.Runs) == c.b.opts.fetchRuns || budget <= 0 {
			break
		}
		p := h.log
		if !h.started || h.paused || h.going || p == nil || p.withheld > 0 {
			continue
		}
		if to := p.parts(h.leaderEpoch, h.next); to < h.next {
			h.started = false
			into.Errors = append(into.Errors, &driver.Error{
				Kind: driver.KindTruncated, TopicPartition: h.TopicPartition, Offset: h.next, To: to,
				Err: errors.New("memory: the log was cut below what was read")})
			continue
		}
		if h.next < p.start || h.next > p.end {
			h.started = false
			into.Errors = append(into.Errors, &driver.Error{
				Kind: driver.KindOffsetOutOfRange, TopicPartition: h.TopicPartition, Offset: h.next,
				Err: fmt.Errorf("memory: the log holds offsets %d to %d", p.start, p.end)})
			continue
		}
		run := driver.Run{TopicPartition: h.TopicPartition, Epoch: h.epoch}
		most := budget
		if c.cfg.FetchMaxPartitionBytes > 0 {
			most = min(most, c.cfg.FetchMaxPartitionBytes)
		}
		if p.read(h.next, c.cfg.ReadUncommitted, c.b.opts.fetchRecords, most, &run) {
			h.next, h.leaderEpoch, h.stuck = run.Next, run.LeaderEpoch, false
			if p.parts(h.leaderEpoch, h.next) < h.next { // after the run's records is a gap of a later epoch
				h.leaderEpoch = p.epoch
			}
			budget -= run.Bytes
			into.Runs = append(into.Runs, run)
			last = i
		} else if p.unreadable != nil && h.next == *p.unreadable && h.next < run.End && !h.stuck {
			h.stuck = true
			into.Errors = append(into.Errors, &driver.Error{
				Kind: driver.KindCorrupt, TopicPartition: h.TopicPartition, Offset: h.next,
				Err: errors.New("memory: the batch cannot be read")})
		}
	}
	if last >= 0 && last < len(c.turns)-1 {
		// Those that were served go to the back.
		c.turns = append(c.turns[last+1:len(c.turns):len(c.turns)], c.turns[:last+1]...)
	}
}
