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

// Close leaves the group. What is slow about it runs in a goroutine that is left behind when ctx ends, or when the brokers
// do not answer, because librdkafka can be waited for only: a commit whose coordinator is away is tried again until one is
// back, however long that takes, and Close after it. What is left behind ends then; only after a fatal error it does not.
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

// leaveWithin is how long Close waits for the brokers once the Listener has returned: they are asked for one answer, and
// where it does not come nobody gains from waiting.
const leaveWithin = 3 * time.Second

var errUnanswered = fmt.Errorf("no broker answered within %v", leaveWithin)

// errFatalLeft says that librdkafka's threads stay.
var errFatalLeft = errors.New("confluent: librdkafka cannot be closed after a fatal error; its threads are left behind")

// shutDown is the part of Close that can take long. Poll is over, so that this goroutine has the poll goroutine's place.
func (c *consumer) shutDown() {
	defer close(c.closed)
	c.queue.free()
	gone := c.assignment()
	c.tell(gone, c.fatal != nil || c.client.AssignmentLost())
	c.forget(gone)
	close(c.told)
	c.end()
	<-c.gate.close()
	commits := c.commits.close()
	if c.fatal != nil {
		c.left = fmt.Errorf("%w: %w", errFatalLeft, c.fatal)
		return
	}
	// librdkafka frees its handle at the end of Close, with no regard for calls that are inside it.
	<-commits
	c.drain(gone)
	c.leaving = true
	if err := c.client.Close(); err != nil {
		c.left = fmt.Errorf("confluent: closing librdkafka: %w", err)
	}
	c.logs.stop()
}

// drain answers what is still in librdkafka's queue, before librdkafka is told to leave. It would queue the revocation
// behind an assignment that waits there; the answer to the first of the two ends the membership, and an answer that
// comes in the moment in which librdkafka ends it waits for ever.
func (c *consumer) drain(gone []driver.TopicPartition) {
	// What is paused leaves the queue and brings nothing new, so that the queue has an end.
	paused := make([]kafka.TopicPartition, len(gone))
	for i := range gone {
		paused[i] = kafka.TopicPartition{Topic: &gone[i].Topic, Partition: gone[i].Partition}
	}
	if len(paused) > 0 {
		// It fails for partitions that were never started, and those bring nothing.
		_ = c.client.Pause(paused)
	}
	for event := c.client.Poll(0); event != nil; event = c.client.Poll(0) {
		continue // what it may still bring is of no use any more
	}
}
