//go:build cgo

package confluent

import (
	"context"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

const (
	// pollFor is how long a Poll waits at most.
	pollFor = time.Second
	// A wait inside librdkafka cannot be interrupted, so it is cut into slices. Between them, requests and the context are
	// checked. A record ends a slice at once. shortSlice is used while a Start or Resume is expected.
	shortSlice, longSlice = 4 * time.Millisecond, 20 * time.Millisecond
)

// Poll waits for something to report. See driver.Consumer.
func (c *consumer) Poll(ctx context.Context, into *driver.Fetch) error {
	into.Reset()
	if c.closing.Load() {
		return &driver.Error{Kind: driver.KindOther, Offset: -1, Err: errClosed}
	}
	if c.fatal != nil {
		return c.fatal
	}
	if c.useless != nil {
		return c.useless
	}
	c.into = into
	c.fetchSeq++
	c.fetched = fetched{}
	defer func() { c.into = nil }()

	c.heardOfTokens()
	if c.vetting != nil && !c.admitted(ctx) {
		if c.fatal != nil {
			return c.fatal
		}
		return nil
	}
	deadline := time.Now().Add(pollFor)
	for {
		c.carryOut()
		c.retryUnreadable()
		c.searched()
		c.watched()
		c.lookForStalls()
		c.heardOfTokens()
		if c.useless = c.lookForCoordinator(); c.useless != nil {
			return c.useless
		}
		wait := time.Duration(0)
		if len(into.Runs) == 0 && len(into.Errors) == 0 {
			if ctx.Err() != nil {
				return nil
			}
			wait = c.slice(deadline)
		}
		// The first wait ends with the first event; what else is queued is taken without waiting.
		for c.next(wait) {
			if c.fatal != nil {
				c.lose()
				return c.fatal
			}
			if c.fetched.full() {
				break
			}
			wait = 0
		}
		if len(into.Runs) > 0 || len(into.Errors) > 0 {
			c.ends()
			return nil
		}
		if !time.Now().Before(deadline) {
			return nil
		}
	}
}

// slice returns how long to wait inside librdkafka.
func (c *consumer) slice(deadline time.Time) time.Duration {
	slice := longSlice
	if c.unflowing > 0 || c.probe != nil || len(c.partitions) == 0 {
		slice = shortSlice
	}
	return max(min(slice, time.Until(deadline)), 0)
}

// next takes what comes next from librdkafka's queue, waiting for it. It returns false if nothing came.
func (c *consumer) next(wait time.Duration) bool {
	if c.queue != nil {
		return c.queue.next(c, wait)
	}
	ev := c.client.Poll(int(wait.Milliseconds()))
	if ev == nil {
		return false
	}
	c.handle(ev)
	return true
}

// handle handles one librdkafka event. Rebalances are not events: they arrive as calls of rebalance.
func (c *consumer) handle(ev kafka.Event) {
	switch ev := ev.(type) {
	case *kafka.Message:
		if ev.TopicPartition.Error != nil {
			c.messageError(ev)
			return
		}
		c.record(ev)
	case unreadable:
		c.unreadable(ev)
	case kafka.PartitionEOF:
		c.endOf(ev)
	case kafka.Error:
		c.failure(ev)
	case nil:
	default:
		c.logger.Debug("an event of librdkafka that has no meaning here", "event", ev.String())
	}
}

// messageError handles an error that comes in place of a record. confluent-kafka-go 2.11 sends errors as events; this
// is for a version that does not.
func (c *consumer) messageError(m *kafka.Message) {
	tp := driver.TopicPartition{Partition: m.TopicPartition.Partition}
	if m.TopicPartition.Topic != nil {
		tp.Topic = *m.TopicPartition.Topic
	}
	c.report(classed(tp, m.TopicPartition.Error))
}

func (c *consumer) failure(err kafka.Error) {
	e := c.behindToken(c.classify(err))
	c.noteCoordinator(err, e.Kind)
	switch {
	case err.IsFatal():
		c.fatal = e
		return
	case e.Kind == driver.KindOffsetOutOfRange:
		// The error does not say which partition.
		c.search(err)
		return
	case e.Kind == driver.KindCorrupt:
		c.someUnreadable(err)
		return
	case e.Kind == driver.KindMaxPollExceeded:
		c.report(e)
		c.lose()
		return
	}
	c.report(e)
}
