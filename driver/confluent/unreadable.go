//go:build cgo

package confluent

import (
	"fmt"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// unreadable is librdkafka's report that a batch's checksum is wrong or that it does not parse. librdkafka would
// continue with the next batch and lose this one's records, so the partition is held and fetched again after a pause.
type unreadable struct {
	tp  driver.TopicPartition
	err kafka.Error
}

// String names the partition.
func (u unreadable) String() string { return fmt.Sprintf("unreadable batch of %s: %v", u.tp, u.err) }

// unreadablePause is how long a partition with an unreadable batch is held.
const unreadablePause = time.Second

func (c *consumer) unreadable(u unreadable) {
	p := c.partitions[u.tp]
	if p == nil || !p.running {
		return
	}
	c.take([]*partition{p})
	p.retry = time.Now().Add(unreadablePause)
	if p.unreadable == p.next {
		return // already reported
	}
	p.unreadable = p.next
	e := classed(u.tp, u.err)
	e.Offset = p.next
	c.into.Errors = append(c.into.Errors, e)
}

// someUnreadable handles an error that does not name the partition, because confluent-kafka-go leaves that out.
// librdkafka's text names the batch's offset. If several partitions are at that offset, or none, all running ones are
// held: a pause is better than a skipped batch.
func (c *consumer) someUnreadable(err kafka.Error) {
	var there, all []*partition
	for _, p := range c.partitions {
		if !p.running {
			continue
		}
		all = append(all, p)
		if strings.Contains(err.String(), fmt.Sprintf("at offset %d ", p.next)) {
			there = append(there, p)
		}
	}
	if len(there) == 1 {
		c.unreadable(unreadable{there[0].tp, err})
		return
	}
	c.take(all)
	for _, p := range all {
		p.retry = time.Now().Add(unreadablePause)
	}
	c.report(classed(driver.TopicPartition{}, err))
}

// retryUnreadable starts partitions again whose pause is over.
func (c *consumer) retryUnreadable() {
	if c.unflowing == 0 {
		return
	}
	for _, p := range c.partitions {
		if p.retry.IsZero() || p.running || time.Now().Before(p.retry) {
			continue
		}
		p.retry = time.Time{}
		c.again = append(c.again, driver.Start{TopicPartition: p.tp, Offset: p.next, LeaderEpoch: p.leaderEpoch, Epoch: p.epoch})
	}
}
