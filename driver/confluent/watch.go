//go:build cgo

package confluent

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
)

// watch checks the IDs of the assigned topics. If a topic was deleted and recreated under the same name, librdkafka
// silently continues from the old position, and the new topic's first records would never be read. A check runs every
// MetadataMaxAge, and sooner if something is odd. What librdkafka reads of the new topic before the check is read again
// after the Start that follows.
type watch struct {
	every   time.Duration
	next    time.Time
	ids     map[string][16]byte
	answers chan []driver.Topic // not nil while a check is in flight
}

// usualWatch is the time between two checks if Config.MetadataMaxAge is unset: Kafka's metadata.max.age.ms.
const usualWatch = 5 * time.Minute

func newWatch(every time.Duration) *watch {
	if every <= 0 {
		every = usualWatch
	}
	return &watch{every: every, ids: make(map[string][16]byte)}
}

// soon makes the next Poll check.
func (w *watch) soon() { w.next = time.Time{} }

// watched begins a check when it is due, and handles its answer once it is available.
func (c *consumer) watched() {
	w := c.watch
	if w.answers != nil {
		select {
		case topics := <-w.answers:
			w.answers = nil
			c.compare(topics)
		default:
		}
		return
	}
	now := time.Now()
	if now.Before(w.next) || len(c.partitions) == 0 {
		return
	}
	w.next = now.Add(w.every)
	if !c.gate.enter() {
		return
	}
	names := c.assignedTopics()
	answers := make(chan []driver.Topic, 1)
	w.answers = answers
	go func() {
		defer c.gate.leave()
		ctx, cancel := context.WithTimeout(c.life, searchTimeout)
		defer cancel()
		// An error means that no broker answered, which is reported elsewhere.
		topics, _ := c.describe(ctx, names)
		answers <- topics
	}()
}

func (c *consumer) assignedTopics() []string {
	var names []string
	for tp := range c.partitions {
		if !slices.Contains(names, tp.Topic) {
			names = append(names, tp.Topic)
		}
	}
	return names
}

// compare holds the partitions of topics whose ID has changed.
func (c *consumer) compare(topics []driver.Topic) {
	for _, t := range topics {
		if t.Err != nil || t.ID == [16]byte{} {
			continue
		}
		was, known := c.watch.ids[t.Name]
		c.watch.ids[t.Name] = t.ID
		if known && was != t.ID {
			c.recreated(t, was)
		}
	}
}

func (c *consumer) recreated(t driver.Topic, was [16]byte) {
	var out []*partition
	for tp, p := range c.partitions {
		if tp.Topic == t.Name && p.running {
			out = append(out, p)
		}
	}
	c.take(out)
	c.into.Errors = append(c.into.Errors, &driver.Error{
		Kind:           driver.KindTopicRecreated,
		TopicPartition: driver.TopicPartition{Topic: t.Name, Partition: -1},
		Offset:         -1,
		Err:            fmt.Errorf("its id was %x and is %x", was, t.ID),
	})
}

// forgetTopics drops the IDs of topics without assigned partitions: the next assignment records them anew.
func (c *consumer) forgetTopics() {
	names := c.assignedTopics()
	for name := range c.watch.ids {
		if !slices.Contains(names, name) {
			delete(c.watch.ids, name)
		}
	}
}
