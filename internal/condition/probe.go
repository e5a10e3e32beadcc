package condition

import (
	"context"
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// ProbePatience bounds one probe.
const ProbePatience = 5 * time.Second

// Probed reports whether h holds a condition whose end a probe can detect.
func (h *Holder) Probed() bool { return h.Has(probed) }

// Probe asks the brokers whether what a client reported once still holds: that they, or a topic, cannot be reached. The
// leaders of all of the member's partitions must answer. named has the topics that the mapping names.
func (h *Holder) Probe(ctx context.Context, consumer driver.Consumer, parts []event.TopicPartition, named []string) {
	ctx, cancel := context.WithTimeout(ctx, ProbePatience)
	defer cancel()
	queries := make([]driver.OffsetQuery, len(parts))
	for i, tp := range parts {
		queries[i] = driver.OffsetQuery{TopicPartition: tp, At: driver.AtEnd}
	}
	began := time.Now()
	topics, err := consumer.Topics(ctx)
	if err != nil {
		return
	}
	well := true
	for _, t := range topics {
		if t.Err == nil {
			h.TopicThere(t.Name)
		}
	}
	h.End(func(c *observe.Condition) bool { // a topic that only matched a pattern, and is gone for good
		topic := c.TopicPartition.Topic
		return c.Op == observe.OpPoll && c.Kind == driver.KindUnknownTopic.String() && topic != "" && !slices.Contains(named, topic) &&
			!slices.ContainsFunc(topics, func(t driver.Topic) bool { return t.Name == topic }) &&
			!slices.ContainsFunc(queries, func(q driver.OffsetQuery) bool { return q.Topic == topic })
	})
	if len(queries) > 0 {
		answers, err := consumer.ListOffsets(ctx, queries)
		if err != nil {
			return
		}
		for _, a := range answers {
			well = well && a.Err == nil
		}
	}
	if well {
		h.End(func(c *observe.Condition) bool {
			return probed(c) && c.Kind != driver.KindUnknownTopic.String() && c.Last.Before(began)
		})
	}
}

// Told has what the client has reported that it cannot read: partitions, topics (with the partition -1), and the whole
// mapping (without a topic).
type Told map[event.TopicPartition]bool

// ToldOfPolls returns what this member's client has reported and still stands.
func (h *Holder) ToldOfPolls() Told {
	if !h.Any() {
		return nil
	}
	told := make(Told)
	h.set.mu.Lock()
	defer h.set.mu.Unlock()
	for k, s := range h.set.standing {
		if _, held := s.holders[h]; held && k.op == observe.OpPoll {
			told[k.tp] = true
		}
	}
	return told
}

// Of reports whether a report concerns a partition.
func (t Told) Of(tp event.TopicPartition) bool {
	return len(t) > 0 && (t[tp] || t[event.TopicPartition{Topic: tp.Topic, Partition: -1}] || t[event.TopicPartition{}])
}

// probed reports whether a probe can detect the end of a condition.
func probed(c *observe.Condition) bool {
	switch c.Kind {
	case driver.KindUnavailable.String(), driver.KindAuthentication.String(), driver.KindUnknownTopic.String():
		return c.Op == observe.OpPoll
	}
	return false
}
