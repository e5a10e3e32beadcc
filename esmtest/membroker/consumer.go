package membroker

import (
	"context"
	"errors"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/esm-go/esm/driver"
)

// Driver returns the driver of this broker. Its name is "memory".
func (b *Broker) Driver() driver.Driver { return memory{b} }

type memory struct{ b *Broker }

func (memory) Name() string { return "memory" }

func (memory) Features() driver.Features { return driver.Features{TopicIDs: true, SharedMemory: true} }

// Open joins the group at once: when two consumers are opened one after the other, each is assigned its half
// in its first Poll.
func (d memory) Open(cfg driver.Config, l driver.Listener) (driver.Consumer, error) {
	refuse := func(what string) error {
		return &driver.Error{Kind: driver.KindInvalidConfig, Offset: -1, Err: errors.New("memory: " + what)}
	}
	switch {
	case cfg.GroupID == "":
		return nil, refuse("Config.GroupID is empty: name a group")
	case len(cfg.Topics) == 0:
		return nil, refuse("Config.Topics is empty: name a topic to subscribe to")
	case l == nil:
		return nil, refuse("the Listener is nil")
	}
	c := &consumer{
		b: d.b, cfg: cfg, listener: l,
		wake: make(chan struct{}, 1), held: make(map[driver.TopicPartition]*held),
		unknown: make(map[string]bool), seenTopics: math.MaxUint64,
	}
	for _, t := range cfg.Topics {
		if !strings.HasPrefix(t, "^") {
			continue
		}
		re, err := regexp.Compile(t)
		if err != nil {
			return nil, refuse("Config.Topics: " + err.Error())
		}
		c.patterns = append(c.patterns, re)
	}
	d.b.mu.Lock()
	defer d.b.mu.Unlock()
	c.group = d.b.groupOf(cfg.GroupID)
	d.b.consumers = append(d.b.consumers, c)
	d.b.join(c)
	c.armWatch()
	return c, nil
}

// consumer is one member of a group. The broker's mutex guards all fields except those that never change.
type consumer struct {
	b        *Broker
	cfg      driver.Config
	listener driver.Listener
	patterns []*regexp.Regexp
	// wake holds one token when there may be something new.
	wake chan struct{}
	// idle limits one wait of Poll, whose goroutine owns it.
	idle *time.Timer
	// watch fires when Poll or a Listener call is overdue.
	watch *time.Timer

	group *group
	// member is nil from when the group drops this consumer until it joins again.
	member     *member
	generation int32
	rebalances int64
	held       map[driver.TopicPartition]*held
	// turns holds the held partitions in the order in which they take turns.
	turns []*held
	// unknown are the subscribed topics that were reported missing.
	unknown map[string]bool
	reports []*driver.Error
	// answered is set once the group has told this consumer its assignment, since it joined or was lost.
	answered bool
	down     bool
	fatal    error
	// closed is set when Close starts, left when it is done.
	closed, left bool
	// seenGroup and seenTopics are the values of group.changes and Broker.topicChanges that this consumer has
	// handled.
	seenGroup, seenTopics uint64
}

// held is a partition that this consumer owns.
type held struct {
	driver.TopicPartition
	// topic is the incarnation that the position belongs to, log its log; nil if it does not exist (any
	// longer).
	topic   *topic
	log     *partitionLog
	started bool
	paused  bool
	// going is set while the Listener is told that the partition is revoked or lost.
	going bool
	next  int64
	epoch uint64
	// assignment is the value of rebalances when the partition was assigned.
	assignment int64
	// leaderEpoch is the leader epoch of the record before next, -1 if unknown.
	leaderEpoch int32
	// stuck is set once it was reported that the next record cannot be read.
	stuck bool
}

var errClosed = &driver.Error{Kind: driver.KindOther, Offset: -1, Err: errors.New("memory: the consumer is closed")}

// signal makes Poll check again. It never blocks.
func (c *consumer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *consumer) subscribes(topic string) bool {
	return slices.Contains(c.cfg.Topics, topic) ||
		slices.ContainsFunc(c.patterns, func(re *regexp.Regexp) bool { return re.MatchString(topic) })
}

// Start implements driver.Consumer.
func (c *consumer) Start(starts []driver.Start) {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	for _, s := range starts {
		if h := c.held[s.TopicPartition]; h != nil && !c.closed {
			h.started, h.next, h.epoch, h.leaderEpoch, h.stuck = true, s.Offset, s.Epoch, s.LeaderEpoch, false
			h.topic, h.log = c.b.topics[s.Topic], c.b.partition(s.TopicPartition)
		}
	}
	c.signal()
}

// Pause implements driver.Consumer.
func (c *consumer) Pause(partitions []driver.TopicPartition) { c.setPaused(partitions, true) }

// Resume implements driver.Consumer.
func (c *consumer) Resume(partitions []driver.TopicPartition) { c.setPaused(partitions, false) }

func (c *consumer) setPaused(partitions []driver.TopicPartition, paused bool) {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	for _, tp := range partitions {
		if h := c.held[tp]; h != nil {
			h.paused = paused
		}
	}
	c.signal()
}

// Member implements driver.Consumer.
func (c *consumer) Member() driver.Member {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	m := driver.Member{Generation: -1, Rebalances: c.rebalances}
	if c.member != nil {
		m.ID, m.Generation = c.member.id, c.generation
	}
	return m
}

// Close implements driver.Consumer.
func (c *consumer) Close(ctx context.Context) error {
	c.b.mu.Lock()
	if c.closed {
		c.b.mu.Unlock()
		return nil
	}
	c.closed = true
	if c.watch != nil {
		c.watch.Stop()
	}
	lost := c.member == nil
	gone := c.all()
	c.b.mu.Unlock()

	var err error
	if len(gone) > 0 {
		told := make(chan struct{})
		go func() {
			defer close(told)
			if lost {
				c.listener.Lost(gone)
			} else {
				c.listener.Revoked(gone)
			}
		}()
		select {
		case <-told:
		case <-ctx.Done():
			err = unavailable(errors.Join(errors.New("memory: the Listener has not returned"), ctx.Err()))
		}
	}
	if err == nil {
		// The leave request may hang. The group then finds out by itself.
		err = c.b.request(ctx, OpClose, nil)
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.left = true
	c.forget(gone)
	c.b.consumers = slices.DeleteFunc(c.b.consumers, func(o *consumer) bool { return o == c })
	m := c.member
	if m == nil {
		return err
	}
	c.member = nil
	if m.instance == "" && err == nil {
		c.b.leave(c.group, m)
		return nil
	}
	// A static member does not leave, and one whose leave request is lost cannot: the session timeout ends
	// either.
	m.c = nil
	if m.instance != "" {
		c.group.release(m)
	}
	m.away = time.AfterFunc(c.cfg.SessionTimeout, func() {
		c.b.mu.Lock()
		defer c.b.mu.Unlock()
		if m.c == nil {
			c.b.leave(c.group, m)
		}
	})
	return err
}

// all returns the held partitions, sorted. The caller holds mu.
func (c *consumer) all() []driver.TopicPartition {
	tps := make([]driver.TopicPartition, 0, len(c.held))
	for tp := range c.held {
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, compareTP)
	return tps
}

// forget removes held partitions. The caller holds mu.
func (c *consumer) forget(tps []driver.TopicPartition) {
	for _, tp := range tps {
		delete(c.held, tp)
	}
	c.turns = slices.DeleteFunc(c.turns, func(h *held) bool { return c.held[h.TopicPartition] != h })
}

// drop ends the membership without telling the consumer. The caller holds mu.
func (c *consumer) drop() {
	m := c.member
	c.member = nil
	c.b.leave(c.group, m)
	c.signal()
}

// fence ends the consumer: another one has taken its place in the group. The caller holds mu.
func (c *consumer) fence(m *member) {
	c.member = nil
	c.fatal = &driver.Error{Kind: driver.KindFenced, Offset: -1,
		Err: errors.New("memory: another member joined with group.instance.id " + m.instance)}
	c.group.release(m)
	c.signal()
}

// armWatch starts the timeout for the next Poll, or for a Listener call to return. The caller holds mu.
func (c *consumer) armWatch() {
	if c.cfg.MaxPollInterval <= 0 || c.closed {
		return
	}
	if c.watch != nil {
		c.watch.Reset(c.cfg.MaxPollInterval)
		return
	}
	c.watch = time.AfterFunc(c.cfg.MaxPollInterval, func() {
		c.b.mu.Lock()
		defer c.b.mu.Unlock()
		if c.member == nil || c.closed {
			return
		}
		c.reports = append(c.reports, &driver.Error{Kind: driver.KindMaxPollExceeded, Offset: -1,
			Err: errors.New("memory: not polled for " + c.cfg.MaxPollInterval.String())})
		c.drop()
	})
}

func (c *consumer) disarmWatch() {
	if c.watch != nil {
		c.watch.Stop()
	}
}
