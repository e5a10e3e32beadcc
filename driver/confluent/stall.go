//go:build cgo

package confluent

import (
	"context"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// stalls looks for partitions that do not advance while their logs grow. librdkafka treats a batch whose checksum is
// right but that does not parse as a partial response, and fetches it again forever, silently.
//
// It belongs to the poll goroutine.
type stalls struct {
	every   time.Duration
	next    time.Time
	at      map[driver.TopicPartition]driver.Start // positions at the last check
	asked   []driver.Start                         // those that have not moved since the check before
	answers chan []driver.OffsetAnswer             // not nil while their ends are looked up
}

// stallEvery is the time between two checks. A partition that is behind in two checks in a row is reported.
const stallEvery = time.Minute

// lookForStalls begins a check when it is due, and handles its answer once it is available.
func (c *consumer) lookForStalls() {
	s := &c.stalls
	if s.answers != nil {
		select {
		case answers := <-s.answers:
			s.answers = nil
			c.stalled(answers)
		default:
		}
		return
	}
	now := time.Now()
	if now.Before(s.next) {
		return
	}
	s.next = now.Add(s.every)
	was := s.at
	s.at, s.asked = make(map[driver.TopicPartition]driver.Start, len(c.partitions)), nil
	var queries []driver.OffsetQuery
	for tp, p := range c.partitions {
		if !p.running || p.paused || p.unreadable == p.next {
			continue
		}
		at := driver.Start{TopicPartition: tp, Offset: p.next, Epoch: p.epoch}
		s.at[tp] = at
		if was[tp] != at {
			p.behind = false
		} else {
			s.asked = append(s.asked, at)
			queries = append(queries, driver.OffsetQuery{TopicPartition: tp, At: driver.AtEnd})
		}
	}
	if len(queries) == 0 || !c.gate.enter() {
		return
	}
	isolation := kafka.IsolationLevelReadUncommitted
	if c.readCommitted {
		isolation = kafka.IsolationLevelReadCommitted
	}
	result := make(chan []driver.OffsetAnswer, 1)
	s.answers = result
	go func() {
		defer c.gate.leave()
		ctx, cancel := context.WithTimeout(c.life, searchTimeout)
		defer cancel()
		answers, err := c.lookUp(ctx, queries, isolation)
		if err != nil {
			answers = nil // no broker answered, which is reported elsewhere
		}
		result <- answers
	}()
}

// stalled reports the partitions that have not moved although their logs grew.
func (c *consumer) stalled(answers []driver.OffsetAnswer) {
	for i, a := range answers {
		at := c.stalls.asked[i]
		p := c.partitions[at.TopicPartition]
		if a.Err != nil || a.Offset <= at.Offset || p == nil || !p.running || p.paused || p.next != at.Offset || p.epoch != at.Epoch {
			continue
		}
		if !p.behind {
			p.behind = true // records that just reached a quiet partition may be in flight: check once more
			continue
		}
		p.unreadable = p.next
		c.into.Errors = append(c.into.Errors, &driver.Error{Kind: driver.KindCorrupt, TopicPartition: p.tp, Offset: p.next,
			Err: fmt.Errorf("no record has arrived for %v although the log continues to %d: the batch there does not parse, or the broker"+
				" holds its fetches back", c.stalls.every, a.Offset)})
	}
}
