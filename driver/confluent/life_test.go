//go:build cgo

package confluent

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
)

// A position that was reached under one member ID is not committed under another.
func TestACommitOfAnEarlierLifeIsRefused(t *testing.T) {
	b := newBroker(t)
	topic := b.NewTopic(t, 1)
	m := join(t, b.config("g", topic), from(0))
	p := tp(topic, 0)
	m.until("owned", func() bool { return m.owned[p] })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	commits := []driver.Commit{{TopicPartition: p, Offset: 1, LeaderEpoch: -1}}
	if err := m.consumer.Commit(ctx, commits); err != nil {
		t.Fatal(err)
	}
	c := m.consumer.(*consumer)
	now := c.Member()
	c.member.Store(&driver.Member{ID: "an earlier one", Generation: now.Generation})
	refused, ok := errors.AsType[*driver.CommitError](m.consumer.Commit(ctx, commits))
	if !ok || refused.Partitions[p].Kind != driver.KindStaleMember {
		t.Errorf("committed in another life: %v", refused)
	}
	c.member.Store(&now)
}
