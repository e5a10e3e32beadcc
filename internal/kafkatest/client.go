package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// callTimeout bounds one admin call or one wait of a helper. On a busy machine, a killed and restarted broker takes
// most of it.
const callTimeout = 60 * time.Second

// Client is what tests use to work with a cluster, real or not: [Cluster] and [FakeCluster] embed it. Every method
// fails the test itself. It is safe for concurrent use.
type Client struct {
	seeds    []string
	replicas int16
	kgo      *kgo.Client
	adm      *kadm.Client
	topics   atomic.Int64
}

func newClient(seeds []string, replicas int) (*Client, error) {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(seeds...),
		kgo.RecordPartitioner(partitioner()),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.UnknownTopicRetries(-1),
		// Tests kill brokers: reconnect soon after they come back.
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
	)
	if err != nil {
		return nil, err
	}
	return &Client{seeds: seeds, replicas: int16(replicas), kgo: cl, adm: kadm.NewClient(cl)}, nil
}

// On returns a client of running brokers, closed when the test ends. Topics that it creates have a replica on each
// broker.
func On(tb testing.TB, bootstrap ...string) *Client {
	tb.Helper()
	c, err := newClient(bootstrap, 1)
	if err != nil {
		tb.Fatalf("kafkatest: client of %q: %v", bootstrap, err)
	}
	tb.Cleanup(c.close)
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	brokers, err := c.adm.ListBrokers(ctx)
	if err != nil {
		tb.Fatalf("kafkatest: brokers of %q: %v", bootstrap, err)
	}
	c.replicas = int16(len(brokers))
	return c
}

func (c *Client) close() { c.kgo.Close() }

// Bootstrap returns the addresses of the plain listeners.
func (c *Client) Bootstrap() []string { return slices.Clone(c.seeds) }

// Admin returns an admin client that lives as long as the cluster.
func (c *Client) Admin() *kadm.Client { return c.adm }

// Connect returns a new franz-go client on the plain listener, closed when the test ends.
func (c *Client) Connect(tb testing.TB, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.seeds...)}, opts...)...)
	if err != nil {
		tb.Fatalf("kafkatest: franz-go client: %v", err)
	}
	tb.Cleanup(cl.Close)
	return cl
}

// NewTopic creates a topic with a unique name and returns the name.
func (c *Client) NewTopic(tb testing.TB, partitions int, configs ...string) string {
	tb.Helper()
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, tb.Name())
	// A Kafka name has at most 249 characters. With -count, the pool's clusters see the same test again.
	topic := fmt.Sprintf("%.200s-%d", name, c.topics.Add(1))
	c.CreateTopic(tb, topic, partitions, configs...)
	return topic
}

// CreateTopic creates a topic and waits until all its partitions have leaders. Each config is "key=value". Every node
// has a replica.
func (c *Client) CreateTopic(tb testing.TB, topic string, partitions int, configs ...string) {
	tb.Helper()
	values := make(map[string]*string, len(configs))
	for _, kv := range configs {
		k, v := splitConfig(tb, kv)
		values[k] = &v
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if _, err := c.adm.CreateTopic(ctx, int32(partitions), c.replicas, values, topic); err != nil {
		tb.Fatalf("kafkatest: create topic %s: %v", topic, err)
	}
	c.WaitLeaders(tb, topic, partitions)
}

// WaitLeaders waits until a topic has that many partitions, each with a leader.
func (c *Client) WaitLeaders(tb testing.TB, topic string, partitions int) {
	tb.Helper()
	c.eventually(tb, "leaders of "+topic, func(ctx context.Context) error {
		m, err := c.adm.Metadata(ctx, topic)
		if err != nil {
			return err
		}
		t := m.Topics[topic]
		if t.Err != nil {
			return t.Err
		}
		if len(t.Partitions) != partitions {
			return fmt.Errorf("%d of %d partitions", len(t.Partitions), partitions)
		}
		for _, p := range t.Partitions {
			if p.Err != nil || p.Leader < 0 {
				return fmt.Errorf("partition %d has leader %d: %w", p.Partition, p.Leader, p.Err)
			}
		}
		return nil
	})
}

// GrowTopic increases a topic's number of partitions and waits for their leaders.
func (c *Client) GrowTopic(tb testing.TB, topic string, partitions int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	got, err := c.adm.UpdatePartitions(ctx, partitions, topic)
	if err == nil {
		err = got.Error()
	}
	if err != nil {
		tb.Fatalf("kafkatest: grow topic %s to %d partitions: %v", topic, partitions, err)
	}
	c.WaitLeaders(tb, topic, partitions)
}

// DeleteTopic deletes a topic and waits until it is gone.
func (c *Client) DeleteTopic(tb testing.TB, topic string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if _, err := c.adm.DeleteTopic(ctx, topic); err != nil {
		tb.Fatalf("kafkatest: delete topic %s: %v", topic, err)
	}
	c.eventually(tb, "end of "+topic, func(ctx context.Context) error {
		m, err := c.adm.Metadata(ctx, topic)
		if err != nil {
			return err
		}
		t := m.Topics[topic]
		switch {
		case errors.Is(t.Err, kerr.UnknownTopicOrPartition):
			// ZooKeeper keeps the name for a moment longer.
			got, err := c.adm.ValidateCreateTopics(ctx, 1, c.replicas, nil, topic)
			return errors.Join(err, got.Error())
		case t.Err != nil:
			return t.Err
		}
		return fmt.Errorf("still there, with %d partitions", len(t.Partitions))
	})
}

// AlterConfigs sets a topic's configuration; each config is "key=value". Brokers support the call from 2.3 on.
func (c *Client) AlterConfigs(tb testing.TB, topic string, configs ...string) {
	tb.Helper()
	var alter []kadm.AlterConfig
	for _, kv := range configs {
		k, v := splitConfig(tb, kv)
		alter = append(alter, kadm.AlterConfig{Op: kadm.SetConfig, Name: k, Value: &v})
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	got, err := c.adm.AlterTopicConfigs(ctx, alter, topic)
	if err == nil {
		for _, r := range got {
			err = r.Err
		}
	}
	if err != nil {
		tb.Fatalf("kafkatest: alter %s to %q: %v", topic, configs, err)
	}
}

func splitConfig(tb testing.TB, kv string) (key, value string) {
	tb.Helper()
	key, value, ok := strings.Cut(kv, "=")
	if !ok {
		tb.Fatalf("kafkatest: config %q: want key=value", kv)
	}
	return key, value
}

// eventually repeats f until it returns nil. After callTimeout it fails the test with f's last error.
func (c *Client) eventually(tb testing.TB, what string, f func(context.Context) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	if err := poll(ctx, f); err != nil {
		tb.Fatalf("kafkatest: wait for %s: %v", what, err)
	}
}

// poll repeats f until it returns nil or ctx ends, and then returns f's last error.
func poll(ctx context.Context, f func(context.Context) error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // the end of ctx says nothing about f
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: last: %w", ctx.Err(), last)
		}
	}
}
