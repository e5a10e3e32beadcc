package franz

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
)

// membership lasts from the group's answer to a join until the group drops the member. If a join finds that the group no
// longer knows the member, for example after the process was frozen past its session, kgo silently carries the assignment
// over into the next membership. Other members have owned the partitions meanwhile, so this package reports the end of a
// membership as a loss.
type membership struct {
	mu sync.Mutex
	// member and generation belong to the current assignment. They are recorded in kgo's callbacks: during a join, kgo's
	// own may already belong to a generation that gives the partitions to others.
	member     string
	generation int32
	// client is the client that called back, for code that may run before consumer.client is set.
	client *kgo.Client
	// over: the member lost its place before the current join, so the assignment of that join must not build on the old
	// one.
	over bool
	// heard is when the last heartbeat or sync that the group answered was sent.
	heard time.Time
	// doubt: the session may have expired; nothing is delivered until the group confirms the member.
	doubt bool
}

// note records the membership of an assignment.
func (l *membership) note(client *kgo.Client) {
	member, generation := client.GroupMetadata()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.member, l.generation, l.client = member, generation, client
}

func (l *membership) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.member, l.generation = "", -1
	l.heard, l.doubt = time.Time{}, false
}

func (l *membership) of() (member string, generation int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.member, l.generation
}

// answered records that the group answered a heartbeat that was sent at that time. If it was sent after the session may
// have expired, the answer proves nothing: it may say that the member is unknown.
func (l *membership) answered(sent time.Time, session time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.member != "" && !l.heard.IsZero() && sent.Sub(l.heard) > session {
		l.doubt = true
		return
	}
	if sent.After(l.heard) {
		l.heard = sent
	}
}

// confirmed records that the group knows the member.
func (l *membership) confirmed(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubt = false
	if sent.After(l.heard) {
		l.heard = sent
	}
}

// doubtful reports whether the session may have expired unnoticed: the process was stopped, or the group's coordinator
// is unreachable.
func (l *membership) doubtful(session time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.member != "" && !l.heard.IsZero() && time.Since(l.heard) > session {
		l.doubt = true
	}
	return l.member != "" && l.doubt
}

// silent reports whether no heartbeat has been answered for longer than limit.
func (l *membership) silent(limit time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.member != "" && (l.doubt || time.Since(l.heard) > limit)
}

// sessionTimeout and heartbeatInterval return the configured values, or kgo's defaults.
func (c *consumer) sessionTimeout() time.Duration {
	if c.cfg.SessionTimeout > 0 {
		return c.cfg.SessionTimeout
	}
	return 45 * time.Second
}

func (c *consumer) heartbeatInterval() time.Duration {
	if c.cfg.HeartbeatInterval > 0 {
		return c.cfg.HeartbeatInterval
	}
	return 3 * time.Second
}

// keepAlive sends the driver's own heartbeat when kgo's is late: kgo writes to a broker from one goroutine, which waits
// while the broker throttles a fetch, or while it redials or hangs. It also resolves a doubt about the session.
func (c *consumer) keepAlive() {
	interval := c.heartbeatInterval()
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		select {
		case <-c.life.Done():
			return
		case <-c.doubted:
		case <-timer.C:
		}
		if c.membership.silent(interval * 3 / 2) {
			c.heartbeat()
		}
		timer.Reset(interval)
	}
}

// heartbeat asks the group whether it knows the member, and reports the loss if it does not.
func (c *consumer) heartbeat() {
	member, generation := c.membership.of()
	if member == "" || c.closed.Load() {
		return
	}
	_, generation = c.generationOf(member, generation)
	ctx, cancel := context.WithTimeout(c.life, max(c.sessionTimeout()/3, time.Second))
	defer cancel()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = c.cfg.GroupID, member, generation
	if c.cfg.InstanceID != "" {
		req.InstanceID = &c.cfg.InstanceID
	}
	sent := time.Now()
	resp, err := req.RequestWith(ctx, c.control)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	switch {
	case err == nil, errors.Is(err, kerr.RebalanceInProgress):
		c.membership.confirmed(sent)
		c.waker.wake()
	case errors.Is(err, kerr.UnknownMemberID):
		c.lose(member)
	}
	// ILLEGAL_GENERATION proves nothing: a join that kgo does not know the result of yet starts a new generation.
}

// generationOf returns the newest generation that kgo knows for a member.
func (c *consumer) generationOf(member string, generation int32) (string, int32) {
	if id, now := c.client.GroupMetadata(); id == member {
		return id, now
	}
	return member, generation
}

// lose reports the loss of everything owned by a member that the group has dropped.
func (c *consumer) lose(member string) {
	c.gate.enterCall(c.waker.wake)
	defer c.gate.leaveCall()
	if now, _ := c.membership.of(); now != member || c.closed.Load() {
		return // reported meanwhile
	}
	c.membership.end()
	c.assigned.mu.Lock()
	var list []driver.TopicPartition
	for _, parts := range c.assigned.parts {
		for _, p := range parts {
			list = append(list, p.TopicPartition)
		}
	}
	c.assigned.mu.Unlock()
	if len(list) == 0 {
		return
	}
	sortPartitions(list)
	c.out.Store(true)
	c.forgetHeld(list)
	c.listener.Lost(list)
}

// balancer wraps one of kgo's balancers and sees each join: kgo asks it for this member's join metadata.
type balancer struct {
	kgo.GroupBalancer
	c *consumer
}

var errLifeOver = fmt.Errorf("the group dropped this member before the join: %w", kerr.UnknownMemberID)

// JoinGroupMetadata returns what this member owns: nothing, once the group has dropped it.
func (b balancer) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	l := &b.c.membership
	l.mu.Lock()
	member, client := l.member, l.client
	l.mu.Unlock()
	if client != nil && member != "" {
		if now, _ := client.GroupMetadata(); now != member {
			l.mu.Lock()
			l.over = true
			l.mu.Unlock()
			b.c.lose(member)
		}
	}
	l.mu.Lock()
	over := l.over || l.client != nil && l.member == ""
	l.over = over && len(owned) > 0
	l.mu.Unlock()
	if over {
		owned, generation = nil, -1
	}
	return b.GroupBalancer.JoinGroupMetadata(topics, owned, generation)
}

// ParseSyncAssignment refuses the assignment of a join that began after the member was dropped: kgo then gives up all
// partitions and rejoins with none.
func (b balancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	l := &b.c.membership
	l.mu.Lock()
	over := l.over
	l.over = false
	l.mu.Unlock()
	if over {
		return nil, errLifeOver
	}
	return b.GroupBalancer.ParseSyncAssignment(assignment)
}

// balancers returns the user's balancers, or the driver's default, each wrapped in a balancer.
func (c *consumer) balancers(user []kgo.Opt) ([]kgo.GroupBalancer, error) {
	// Groups of Lambda users have many members, which restart often: move only the partitions that must move.
	list := []kgo.GroupBalancer{kgo.CooperativeStickyBalancer()}
	for _, opt := range user {
		if !setsBalancers(opt) {
			continue
		}
		given, err := kgo.NewClient(opt)
		if err != nil {
			return nil, err
		}
		if chosen, ok := given.OptValue(kgo.Balancers).([]kgo.GroupBalancer); ok && len(chosen) > 0 {
			list = chosen
		}
		given.Close()
	}
	watched := make([]kgo.GroupBalancer, len(list))
	for i, b := range list {
		watched[i] = balancer{b, c}
	}
	return watched, nil
}
