package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/observe"
)

const (
	// fullMemory is how long partitions must wait for memory before that is a condition.
	fullMemory = time.Minute
)

// reads reports whether a partition of a topic is assigned to this member.
func (m *Member) reads(topic string) bool {
	for tp := range m.parts {
		if tp.Topic == topic {
			return true
		}
	}
	return false
}

// lookupsFail reports whether a failed lookup is to be retried.
func (m *Member) lookupsFail() bool {
	return m.lookups.Failing() || m.commits.StartsFail()
}

// advanceConditions ends the conditions that no longer apply, and checks how long memory has been full.
func (m *Member) advanceConditions(now time.Time) {
	if m.commits.Failing() && !m.anyDirty() {
		m.commits.Forget()
		m.troubles.Committed() // what was refused went with its partition, or was committed in another way
	}
	if m.troubles.Any() && !m.lookupsFail() {
		m.troubles.LookedUp()
	}
	switch {
	case len(m.flow.full) == 0:
		if !m.flow.fullSince.IsZero() {
			m.flow.fullSince, m.flow.fullTold = time.Time{}, false
			m.troubles.End(func(c *observe.Condition) bool { return c.Op == observe.OpBuffer })
		}
	case m.flow.fullSince.IsZero():
		m.flow.fullSince = now
		m.at(now.Add(fullMemory))
	case m.flow.fullTold:
	case now.Sub(m.flow.fullSince) < fullMemory:
		m.at(m.flow.fullSince.Add(fullMemory))
	default:
		m.flow.fullTold = true
		m.troubles.Hold(observe.ErrorInfo{Op: observe.OpBuffer, Err: fmt.Errorf("%d partitions wait for memory: %d of %d bytes hold records that are not handled",
			len(m.flow.full), m.shared.Budget.Used.Load(), m.shared.Budget.Limit.Load()), LastProcessingResult: m.shared.Conditions.Result()}, condition.KindMemory, event.TopicPartition{})
	}
}

// Probe asks the brokers whether what a client reported once still holds, see condition.Holder.Probe. named has the
// topics that the mapping names.
func (m *Member) Probe(ctx context.Context, named []string) {
	if !m.troubles.Probed() {
		return
	}
	var parts []event.TopicPartition
	if m.do(func() { parts = slices.Collect(maps.Keys(m.parts)) }) {
		m.troubles.Probe(ctx, m.consumer, parts, named)
	}
}

// stands reports whether the client's error is a condition that stands until something ends it, and holds it if so.
func (m *Member) stands(err *driver.Error, info observe.ErrorInfo) bool {
	switch {
	case err.Kind == driver.KindOffsetOutOfRange, err.Kind == driver.KindTruncated, err.Kind == driver.KindTopicRecreated:
		return false // the engine handles these itself
	case err.Kind == driver.KindOther && err.TopicPartition.Topic == "":
		return false
	}
	m.troubles.Hold(info, err.Kind.String(), err.TopicPartition)
	return true
}
