//go:build cgo

package confluent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// Close leaves the group. The slow part runs in a goroutine, which is left behind when ctx ends or when the brokers do
// not answer, because librdkafka cannot be interrupted: it retries a commit until a coordinator is available, however
// long that takes, and Close waits for the commit. The goroutine ends then; only after a fatal error do librdkafka's
// threads stay.
func (c *consumer) Close(ctx context.Context) error {
	c.closeOnce.Do(func() {
		c.closing.Store(true)
		go c.shutDown()
	})
	told := c.told
	var late <-chan time.Time
	var why error
	for why == nil {
		select {
		case <-c.closed:
			return c.left
		case <-told:
			told, late = nil, time.After(leaveWithin)
		case <-late:
			why = errUnanswered
		case <-ctx.Done():
			why = ctx.Err()
		}
	}
	select {
	case <-c.closed:
		return c.left
	default:
	}
	return fmt.Errorf("confluent: Close left librdkafka behind: it has not left group %q yet, commits unanswered: %d, calls"+
		" under way: %d: %w", c.group, c.commits.count(), c.gate.count(), why)
}

// leaveWithin is how long Close waits for the brokers after the Listener has returned. They are asked for one answer
// only; if it does not come by then, waiting longer does not help.
const leaveWithin = 3 * time.Second

var errUnanswered = fmt.Errorf("no broker answered within %v", leaveWithin)

// errFatalLeft says that librdkafka's threads remain.
var errFatalLeft = errors.New("confluent: librdkafka cannot be closed after a fatal error; its threads are left behind")

// shutDown is the part of Close that can take long. Poll is no longer called, so this goroutine takes the place of the
// poll goroutine.
func (c *consumer) shutDown() {
	defer close(c.closed)
	c.queue.free()
	gone := c.assignment()
	c.tell(gone, c.fatal != nil || c.lost(c.Member().ID))
	c.forget(gone)
	close(c.told)
	c.end()
	<-c.gate.close()
	commits := c.commits.close()
	if c.fatal != nil {
		c.left = fmt.Errorf("%w: %w", errFatalLeft, c.fatal)
		return
	}
	// librdkafka frees its handle at the end of Close, even if other calls are inside it.
	<-commits
	c.drain(gone)
	c.leaving = true
	if err := c.client.Close(); err != nil {
		c.left = fmt.Errorf("confluent: closing librdkafka: %w", err)
	}
	c.logs.stop()
}

// drain processes what is left in librdkafka's queue, before librdkafka is told to leave. Otherwise librdkafka would
// queue the revocation behind a waiting assignment. The answer to the first of the two ends the membership, and an
// answer made at the moment when librdkafka ends it waits forever.
func (c *consumer) drain(gone []driver.TopicPartition) {
	// Paused partitions leave the queue and deliver nothing new, so the queue becomes empty.
	paused := make([]kafka.TopicPartition, len(gone))
	for i := range gone {
		paused[i] = kafka.TopicPartition{Topic: &gone[i].Topic, Partition: gone[i].Partition}
	}
	if len(paused) > 0 {
		// This fails for partitions that were never started, and those deliver nothing.
		_ = c.client.Pause(paused)
	}
	for event := c.client.Poll(0); event != nil; event = c.client.Poll(0) {
		continue // what still arrives is no longer of use
	}
}
