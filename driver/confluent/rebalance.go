//go:build cgo

package confluent

import (
	"slices"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// rebalance is called by confluent-kafka-go, inside Poll, when the group's assignment changes. It always makes the
// (un)assign call itself: otherwise, or if the library's own call fails, the library writes to a channel that has no
// reader, and Poll never returns.
//
// A new partition is acknowledged with an empty list: librdkafka takes part in the group with what the group assigned,
// which it keeps apart from what it fetches. Start adds the partition to the latter.
func (c *consumer) rebalance(_ *kafka.Consumer, event kafka.Event) error {
	if c.leaving {
		// Make exactly one call: librdkafka now treats every answer as an unassign, and a call made at the moment that its
		// membership ends is never answered. See drain.
		return c.client.Unassign()
	}
	switch c.client.GetRebalanceProtocol() {
	case "EAGER":
		c.eager = true
	case "COOPERATIVE":
		c.eager = false
	}
	var err error
	switch event := event.(type) {
	case kafka.AssignedPartitions:
		err = c.assigned(event.Partitions)
	case kafka.RevokedPartitions:
		err = c.revoked(event.Partitions)
	}
	if err != nil && !c.closing.Load() {
		c.report(classed(driver.TopicPartition{}, err))
	}
	return nil
}

func (c *consumer) assigned(assigned []kafka.TopicPartition) error {
	var err error
	if c.eager {
		err = c.client.Assign([]kafka.TopicPartition{})
	} else {
		err = c.client.IncrementalAssign([]kafka.TopicPartition{})
	}
	if c.closing.Load() {
		return err
	}
	c.rebalances++
	c.coordinator = coordinator{}
	news := make([]driver.TopicPartition, 0, len(assigned))
	for _, a := range assigned {
		tp := driver.TopicPartition{Topic: *a.Topic, Partition: a.Partition}
		if c.partitions[tp] == nil {
			c.partitions[tp] = newPartition(tp)
			c.partitions[tp].assignment = c.rebalances
			news = append(news, tp)
		}
	}
	c.noteMember(false)
	c.noteLives()
	c.reported.joined(news)
	c.wishes.drop(news)
	c.watch.soon()
	c.count()
	// A member without partitions is told only when it joins: the call means that it is in the group.
	joined := c.rebalances == 1 || c.out
	c.out = false
	if joined || len(news) > 0 {
		c.listener.Assigned(news)
	}
	return err
}

func (c *consumer) revoked(revoked []kafka.TopicPartition) error {
	lost := c.lost(c.Member().ID)
	gone := make([]driver.TopicPartition, 0, len(revoked))
	for _, r := range revoked {
		tp := driver.TopicPartition{Topic: *r.Topic, Partition: r.Partition}
		if c.partitions[tp] != nil {
			gone = append(gone, tp)
		}
	}
	if !c.closing.Load() {
		c.rebalances++
		c.tell(gone, lost)
		c.forget(gone)
	}
	if c.eager {
		return c.client.Unassign()
	}
	// Only partitions in librdkafka's own assignment can be removed, and held ones are not in it. The call is made in any
	// case: it is the answer that the group waits for.
	return c.client.IncrementalUnassign(c.fetching(revoked))
}

// lost reports whether the membership with this ID has ended without a revocation. librdkafka forgets a loss at the next
// call that changes what it fetches, and such a call can come between the loss and its callback. But then the member has
// no ID or another one, or no generation. It is safe for concurrent use.
func (c *consumer) lost(id string) bool {
	if c.client.AssignmentLost() {
		return true
	}
	now, generation := memberOf(c.client)
	return generation < 0 || now != id
}

// tell calls the listener for removed partitions.
func (c *consumer) tell(gone []driver.TopicPartition, lost bool) {
	c.noteMember(lost)
	switch {
	case len(gone) == 0:
	case lost:
		c.out = true
		c.listener.Lost(gone)
	default:
		c.listener.Revoked(gone)
	}
}

// forget removes partitions, and what the running Poll has of them.
func (c *consumer) forget(gone []driver.TopicPartition) {
	for _, tp := range gone {
		delete(c.partitions, tp)
	}
	c.noteLives()
	c.forgetTopics()
	c.last = nil
	c.again = slices.DeleteFunc(c.again, func(s driver.Start) bool { return slices.Contains(gone, s.TopicPartition) })
	if c.into != nil {
		c.into.Runs = slices.DeleteFunc(c.into.Runs, func(r driver.Run) bool { return slices.Contains(gone, r.TopicPartition) })
		// The runs moved, so none can be extended by its index.
		c.fetchSeq++
	}
	c.count()
}

// lose reports every partition as lost; the revocation by librdkafka that follows then finds none.
func (c *consumer) lose() {
	gone := c.assignment()
	c.tell(gone, true)
	c.forget(gone)
}
