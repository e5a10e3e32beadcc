package franz

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
)

// polls tracks when the consumer was last polled. kgo heartbeats for as long as the process lives, so a stuck caller
// would keep its partitions forever: this type enforces Kafka's max.poll.interval.ms.
type polls struct {
	mu    sync.Mutex
	in    bool // a Poll runs
	since time.Time
	told  bool
}

// begin records the start (in) or the end of a Poll.
func (p *polls) begin(in bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in, p.since = in, time.Now()
	p.told = p.told && !in
}

// left returns how long the caller may still go without polling; exceeded is true once each time it exceeds the limit.
func (p *polls) left(limit time.Duration) (left time.Duration, exceeded bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.in || p.told {
		return limit, false
	}
	if left = limit - time.Since(p.since); left > 0 {
		return left, false
	}
	p.told = true
	return limit, true
}

// watchPolls leaves the group on behalf of a member that is not polled. The member learns of it from its next
// heartbeat: its partitions are lost, and it rejoins when it is polled.
func (c *consumer) watchPolls() {
	limit := c.cfg.MaxPollInterval
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case <-c.life.Done():
			return
		case <-timer.C:
		}
		left, exceeded := c.polls.left(limit)
		timer.Reset(left)
		if id, _ := c.client.GroupMetadata(); exceeded && id != "" && !c.closed.Load() {
			c.report.raise(pollCondition, &driver.Error{
				Kind:   driver.KindMaxPollExceeded,
				Offset: -1,
				Err:    fmt.Errorf("not polled for %v: the member left the group", limit),
			})
			c.expel(id)
		}
	}
}

// expel removes a member from the group.
func (c *consumer) expel(id string) {
	ctx, cancel := context.WithTimeout(c.life, max(c.cfg.MaxPollInterval, time.Second))
	defer cancel()
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = id
	if c.cfg.InstanceID != "" {
		member.InstanceID = &c.cfg.InstanceID
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = c.cfg.GroupID, id
	req.Members = append(req.Members, member)
	if _, err := req.RequestWith(ctx, c.control); err != nil && c.cfg.Logger != nil {
		c.cfg.Logger.Warn("franz: the group was not left, although the member is not polled", "err", err)
	}
}
