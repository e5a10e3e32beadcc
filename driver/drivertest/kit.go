package drivertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
)

// kit holds what a case works with.
type kit struct {
	*testing.T
	target Target
	env    Environment
	// group is the case's consumer group, prefix the prefix of its topics' names.
	group, prefix string
	owners        *owners
}

// topic creates the case's topic.
func (k *kit) topic(partitions int32, configs ...string) string {
	k.Helper()
	k.env.CreateTopic(k, k.prefix, partitions, configs...)
	return k.prefix
}

// produce writes n records "0", "1" … to one partition.
func (k *kit) produce(topic string, partition int32, n int) {
	k.Helper()
	records := make([]Record, n)
	for i := range records {
		records[i] = Record{Partition: partition, Value: fmt.Appendf(nil, "%d", i)}
	}
	k.env.Produce(k, topic, records...)
}

// option changes a member before it is opened.
type option func(*driver.Config, *member)

// other opens the member with the target's second driver.
func other(_ *driver.Config, m *member) { m.other = true }

// held leaves assigned partitions held until the case starts them.
func held(_ *driver.Config, m *member) { m.start = nil }

// from starts assigned partitions at an offset.
func from(offset int64) option {
	return func(_ *driver.Config, m *member) {
		m.start = func(driver.TopicPartition) int64 { return offset }
	}
}

// onRevoked runs f inside Listener.Revoked.
func onRevoked(f func(*member, []driver.TopicPartition)) option {
	return func(_ *driver.Config, m *member) { m.onRevoked = f }
}

func config(f func(*driver.Config)) option {
	return func(c *driver.Config, _ *member) { f(c) }
}

// open opens a member that polls until it is closed, no later than the end of the case.
func (k *kit) open(topic string, opts ...option) *member {
	k.Helper()
	m := newMember(k)
	cfg := k.config(topic)
	for _, o := range opts {
		o(&cfg, m)
	}
	newDriver := k.target.Driver
	if m.other {
		newDriver = k.target.Other
	}
	m.name, m.cfg = cfg.ClientID, cfg
	c, err := newDriver(k.env).Open(cfg, m)
	if err != nil {
		k.Fatalf("Open: %v", err)
	}
	m.c = c
	go m.pollLoop()
	k.Cleanup(m.end)
	return m
}

// config returns a member's configuration before its options.
func (k *kit) config(topic string) driver.Config {
	return driver.Config{
		BootstrapServers:       k.env.Bootstrap,
		GroupID:                k.group,
		ClientID:               fmt.Sprintf("member-%d", k.owners.count()),
		Topics:                 []string{topic},
		SessionTimeout:         k.env.SessionTimeout,
		HeartbeatInterval:      100 * time.Millisecond,
		MaxPollInterval:        max(10*time.Second, k.env.SessionTimeout),
		MetadataMaxAge:         200 * time.Millisecond,
		FetchMaxWait:           50 * time.Millisecond,
		FetchMinBytes:          1,
		FetchMaxBytes:          8 << 20,
		FetchMaxPartitionBytes: 1 << 20,
		BufferBytes:            32 << 20,
		Logger:                 slog.New(slog.DiscardHandler),
	}
}

// ctx returns a context that bounds one call.
func (k *kit) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), k.target.Patience)
	k.Cleanup(cancel)
	return ctx
}

// commit commits, and fails the case if that is refused.
func (k *kit) commit(m *member, tp driver.TopicPartition, offset int64) {
	k.Helper()
	if err := m.c.Commit(k.ctx(), []driver.Commit{{TopicPartition: tp, Offset: offset, LeaderEpoch: -1}}); err != nil {
		k.Fatalf("commit %v@%d: %v", tp, offset, err)
	}
}

// commitInTheEnd retries a commit while the broker is away or the group is busy, as the engine does.
func (k *kit) commitInTheEnd(m *member, tp driver.TopicPartition, offset int64) {
	k.Helper()
	ctx := k.ctx()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := m.c.Commit(ctx, []driver.Commit{{TopicPartition: tp, Offset: offset, LeaderEpoch: -1}})
		var e *driver.Error
		if err == nil {
			return
		}
		if !errors.As(err, &e) || e.Kind != driver.KindUnavailable && e.Kind != driver.KindStaleMember {
			k.Fatalf("commit %v@%d: %v, which is nothing that heals", tp, offset, err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			k.Fatalf("commit %v@%d: still %v", tp, offset, err)
		}
	}
}

// committed checks a commit through the environment.
func (k *kit) committed(tp driver.TopicPartition, want int64) {
	k.Helper()
	if got := k.env.Committed(k, k.group, tp); got.Offset != want {
		k.Errorf("the group's commit of %v is %d, want %d", tp, got.Offset, want)
	}
}

func tp(topic string, partition int32) driver.TopicPartition {
	return driver.TopicPartition{Topic: topic, Partition: partition}
}

func tps(topic string, partitions ...int32) []driver.TopicPartition {
	out := make([]driver.TopicPartition, len(partitions))
	for i, p := range partitions {
		out[i] = tp(topic, p)
	}
	return out
}

// owners checks that no two members own a partition at once.
type owners struct {
	mu    sync.Mutex
	n     int
	owner map[driver.TopicPartition]*member
}

func newOwners() *owners { return &owners{owner: make(map[driver.TopicPartition]*member)} }

func (o *owners) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n++
	return o.n
}

// take records a new owner and returns the previous one if it still owns the partition.
func (o *owners) take(p driver.TopicPartition, m *member) (before *member) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before = o.owner[p]
	o.owner[p] = m
	return before
}

func (o *owners) give(p driver.TopicPartition, m *member) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.owner[p] == m {
		delete(o.owner, p)
	}
}

// forget drops everything that a member owned: it was kicked, and cannot know.
func (o *owners) forget(m *member) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for p, owner := range o.owner {
		if owner == m {
			delete(o.owner, p)
		}
	}
}
