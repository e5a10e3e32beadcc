//go:build cgo

package confluent

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// coordinator detects a failure of librdkafka that does not heal. librdkafka keeps a separate connection to the group's
// coordinator. If the only broker comes back at another address under the same ID, that connection dials the old
// address forever, although the client's other connections may long have found the new one. So while the connection
// fails and no partition is owned, a separate client asks the coordinator about the group.
//
// It belongs to the poll goroutine.
type coordinator struct {
	// since and last are the times of the first and the last of consecutive failures to connect.
	since, last time.Time
	// next is when to ask again; answered is when the group's coordinator answered another client.
	next, answered time.Time
	answers        chan bool // not nil while a request is in flight
}

const (
	// coordinatorName is the prefix of librdkafka's errors about that connection.
	coordinatorName = "GroupCoordinator: "
	// coordinatorQuiet is how long there must be no failure before the next one counts as the first: librdkafka repeats a
	// lasting failure every 30 s.
	coordinatorQuiet = 45 * time.Second
	// coordinatorPatience is how long failures must continue before the coordinator is asked.
	coordinatorPatience = 20 * time.Second
	// coordinatorPause is the time between two requests, coordinatorTimeout the bound of one.
	coordinatorPause, coordinatorTimeout = 5 * time.Second, 10 * time.Second
)

// failed records a failure to connect. An answer that was asked for before the first one says nothing about this series.
func (o *coordinator) failed(now time.Time) {
	if now.Sub(o.last) > coordinatorQuiet {
		*o = coordinator{since: now}
	}
	o.last = now
}

// beyond reports whether the connection has failed again since the coordinator answered elsewhere.
func (o *coordinator) beyond() bool { return !o.answered.IsZero() && o.last.After(o.answered) }

// noteCoordinator handles an error event.
func (c *consumer) noteCoordinator(err kafka.Error, kind driver.Kind) {
	if kind == driver.KindUnavailable && strings.HasPrefix(err.String(), coordinatorName) {
		c.coordinator.failed(time.Now())
	}
}

// lookForCoordinator asks the coordinator about the group if there is reason to. It returns the error of a client that
// cannot recover.
func (c *consumer) lookForCoordinator() *driver.Error {
	o := &c.coordinator
	if o.answers != nil {
		select {
		case ok := <-o.answers:
			o.answers = nil
			if ok && o.answered.IsZero() {
				o.answered = time.Now()
			}
		default:
		}
		return nil
	}
	if o.last.IsZero() || len(c.partitions) > 0 {
		return nil
	}
	if o.beyond() {
		return &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: fmt.Errorf("confluent: librdkafka has dialed an address"+
			" of group %q's coordinator for %v that is no longer its, and does not look for another: %w",
			c.group, time.Since(o.since).Round(time.Second), driver.ErrReplace)}
	}
	now := time.Now()
	if now.Sub(o.since) < coordinatorPatience || now.Before(o.next) || !o.answered.IsZero() {
		return nil
	}
	o.next = now.Add(coordinatorPause)
	if !c.gate.enter() {
		return nil
	}
	answers := make(chan bool, 1)
	o.answers = answers
	go func() {
		defer c.gate.leave()
		answers <- c.coordinatorAnswers()
	}()
	return nil
}

// coordinatorAnswers asks the group's coordinator with a separate client. The consumer's own can miss the new address
// on its other connections too: now and then librdkafka dials only the old address until it bootstraps again, minutes
// later.
func (c *consumer) coordinatorAnswers() bool {
	ctx, cancel := context.WithTimeout(c.life, coordinatorTimeout)
	defer cancel()
	config := c.config
	config.Credentials = c.login.Load()
	config.Logger = slog.New(slog.DiscardHandler) // the consumer reports the same failures
	client, closeProbe, err := openProbe(ctx, config, c.properties)
	if err != nil {
		return false
	}
	defer closeProbe()
	admin, err := kafka.NewAdminClientFromConsumer(client)
	if err != nil {
		return false
	}
	result, err := admin.DescribeConsumerGroups(ctx, []string{c.group}, kafka.SetAdminRequestTimeout(timeLeft(ctx)))
	return err == nil && len(result.ConsumerGroupDescriptions) == 1 &&
		result.ConsumerGroupDescriptions[0].Error.Code() == kafka.ErrNoError
}
