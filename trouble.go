package esm

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/condition"
)

const (
	// probePatience bounds one look at whether what a client reported once still stands.
	probePatience = 5 * time.Second
	// fullMemory is how long partitions have to wait for memory before that is a condition.
	fullMemory = time.Minute
)

// reads reports whether a partition of a topic is this member's.
func (m *member) reads(topic string) bool {
	for tp := range m.parts {
		if tp.Topic == topic {
			return true
		}
	}
	return false
}

// lookupsFail reports whether a lookup that failed is to be tried again.
func (m *member) lookupsFail() bool {
	return m.lookups.checkFailed || m.lookups.underWay > 0 || len(m.commits.begun) > 0 && m.commits.errors > 0 || slices.ContainsFunc(m.lookups.queued, func(l lookup) bool { return l.Tries > 0 })
}

// advanceConditions ends the conditions that nobody needs any more, and looks whether memory has been full for long.
func (m *member) advanceConditions(now time.Time) {
	if m.commits.errors > 0 && m.commits.underWay == nil && !m.anyDirty() {
		m.commits.errors = 0
		m.troubles.Committed() // what was refused went with its partition, or was committed by another way
	}
	if m.troubles.Any() && !m.lookupsFail() {
		m.troubles.LookedUp()
	}
	switch {
	case len(m.flow.full) == 0:
		if !m.flow.fullSince.IsZero() {
			m.flow.fullSince, m.flow.fullTold = time.Time{}, false
			m.troubles.End(func(c *Condition) bool { return c.Op == OpBuffer })
		}
	case m.flow.fullSince.IsZero():
		m.flow.fullSince = now
		m.at(now.Add(fullMemory))
	case m.flow.fullTold:
	case now.Sub(m.flow.fullSince) < fullMemory:
		m.at(m.flow.fullSince.Add(fullMemory))
	default:
		m.flow.fullTold = true
		m.troubles.Hold(ErrorInfo{Op: OpBuffer, Err: fmt.Errorf("%d partitions wait for memory: %d of %d bytes hold records that are not handled",
			len(m.flow.full), m.shared.Budget.Used.Load(), m.shared.Budget.Limit.Load()), LastProcessingResult: m.shared.Conditions.Result()}, condition.KindMemory, TopicPartition{})
	}
}

// Probe asks the brokers whether what a client said once still holds: that they, or a topic, cannot be reached. The leaders of
// all of the member's partitions have to answer. named are the topics that the mapping names.
func (m *member) Probe(ctx context.Context, named []string) {
	if !m.troubles.Has(probed) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	var consumer driver.Consumer
	var queries []driver.OffsetQuery
	if !m.do(func() {
		consumer = m.consumer
		for tp := range m.parts {
			queries = append(queries, driver.OffsetQuery{TopicPartition: tp, At: driver.AtEnd})
		}
	}) {
		return
	}
	began := time.Now()
	topics, err := consumer.Topics(ctx)
	if err != nil {
		return
	}
	well := true
	for _, t := range topics {
		if t.Err == nil {
			m.troubles.TopicThere(t.Name)
		}
	}
	m.troubles.End(func(c *Condition) bool { // one that only a pattern asked for, and that is gone for good
		topic := c.TopicPartition.Topic
		return c.Op == OpPoll && c.Kind == driver.KindUnknownTopic.String() && topic != "" && !slices.Contains(named, topic) &&
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
		m.troubles.End(func(c *Condition) bool {
			return probed(c) && c.Kind != driver.KindUnknownTopic.String() && c.Last.Before(began)
		})
	}
}

// probed reports whether a probe can tell that it has ended.
func probed(c *Condition) bool {
	switch c.Kind {
	case driver.KindUnavailable.String(), driver.KindAuthentication.String(), driver.KindUnknownTopic.String():
		return c.Op == OpPoll
	}
	return false
}

// stands takes in what the client said; it reports whether that is a condition that stands until something ends it.
func (m *member) stands(err *driver.Error, info ErrorInfo) bool {
	switch {
	case err.Kind == driver.KindOffsetOutOfRange, err.Kind == driver.KindTruncated, err.Kind == driver.KindTopicRecreated:
		return false // what follows is ours to do
	case err.Kind == driver.KindOther && err.TopicPartition.Topic == "":
		return false
	}
	m.troubles.Hold(info, err.Kind.String(), err.TopicPartition)
	return true
}
