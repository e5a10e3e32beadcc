//go:build cgo

package confluent

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Close leaves the group. librdkafka's own Close waits for the coordinator's answer to a pending commit, when it is away
// until the session would have ended, and for ever after a fatal error; so it runs in a goroutine that is left behind
// when ctx ends. What is left behind ends by itself as soon as librdkafka lets it, except after a fatal error.
func (c *consumer) Close(ctx context.Context) error {
	c.closeOnce.Do(func() {
		c.closing.Store(true)
		go c.shutDown()
	})
	select {
	case <-c.closed:
		return c.left
	case <-ctx.Done():
	}
	select {
	case <-c.closed:
		return c.left
	default:
	}
	return fmt.Errorf("confluent: Close left librdkafka behind: it has not left group %q yet, commits unanswered: %d, calls"+
		" under way: %d: %w", c.group, c.commits.count(), c.gate.count(), ctx.Err())
}

// errFatalLeft says that librdkafka's threads stay.
var errFatalLeft = errors.New("confluent: librdkafka cannot be closed after a fatal error; its threads are left behind")

// shutDown is the part of Close that can take long. Poll is over, so that this goroutine has the poll goroutine's place.
func (c *consumer) shutDown() {
	defer close(c.closed)
	gone := c.assignment()
	c.tell(gone, c.fatal != nil || c.client.AssignmentLost())
	c.forget(gone)
	c.end()
	<-c.gate.close()
	commits := c.commits.close()
	if c.fatal != nil {
		c.left = fmt.Errorf("%w: %w", errFatalLeft, c.fatal)
		return
	}
	// A commit that no coordinator answers is given up by librdkafka only when it is being closed. One that is about to
	// be answered gets the time for it.
	grace := time.NewTimer(commitGrace)
	defer grace.Stop()
	select {
	case <-commits:
	case <-grace.C:
	}
	if err := c.client.Close(); err != nil {
		c.left = fmt.Errorf("confluent: closing librdkafka: %w", err)
	}
	<-commits
	c.logs.stop()
}

// commitGrace is how long Close waits for commits before it makes librdkafka give them up, which takes a session
// timeout more.
const commitGrace = 500 * time.Millisecond
