//go:build cgo

package confluent

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
)

// watch looks at the ids of the assigned topics. librdkafka follows a topic that was deleted and made again under the
// same name in silence, from the old position: the new topic's first records would never be read. The look comes every
// MetadataMaxAge, and sooner where something is odd; what librdkafka reads of the new topic before it is read again after
// the Start that follows.
type watch struct {
	every   time.Duration
	next    time.Time
	ids     map[string][16]byte
	answers chan []driver.Topic // not nil while a look is under way
}

// usualWatch is the time between two looks where Config.MetadataMaxAge is unset: Kafka's metadata.max.age.ms.
const usualWatch = 5 * time.Minute

func newWatch(every time.Duration) *watch {
	if every <= 0 {
		every = usualWatch
	}
	return &watch{every: every, ids: make(map[string][16]byte)}
}

// soon makes the next Poll look.
func (w *watch) soon() { w.next = time.Time{} }

// watched begins a look when it is time, and takes its answer when it is there.
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
		// An error says that no broker answered, which is reported elsewhere.
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

// compare holds the partitions of topics whose id is another than it was.
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

// forgetTopics drops the ids of topics of which nothing is assigned: they begin anew with the next assignment.
func (c *consumer) forgetTopics() {
	names := c.assignedTopics()
	for name := range c.watch.ids {
		if !slices.Contains(names, name) {
			delete(c.watch.ids, name)
		}
	}
}
