//go:build cgo

package confluent

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

// nobody returns an address at which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	return l.Addr().String()
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	b := &broker{t: t, session: 6 * time.Second, Client: kafkatest.Fake(t).Client}
	config := b.config("g", "t")
	config.BootstrapServers = []string{nobody(t)}
	m := join(t, config, from(0))
	m.until("unavailability", func() bool { return len(m.errors) > 0 && m.errors[0].Kind == driver.KindUnavailable })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	for name, call := range map[string]func() error{
		"Committed": func() error {
			_, err := m.consumer.Committed(ctx, []driver.TopicPartition{tp("t", 0)})
			return err
		},
		"ListOffsets": func() error {
			_, err := m.consumer.ListOffsets(ctx, []driver.OffsetQuery{{TopicPartition: tp("t", 0)}})
			return err
		},
		"Topics":         func() error { _, err := m.consumer.Topics(ctx); return err },
		"Topics by name": func() error { _, err := m.consumer.Topics(ctx, "x"); return err },
	} {
		if err := call(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m.mu.Lock()
	if len(m.errors) != 1 || !strings.Contains(m.errors[0].Error(), "refused") {
		t.Errorf("errors %v", m.errors)
	}
	m.mu.Unlock()
}

// TestCommitAndCloseWithoutBroker commits after the broker has gone: librdkafka keeps a commit until there is a
// coordinator again.
func TestCommitAndCloseWithoutBroker(t *testing.T) {
	t.Parallel()
	_, port, err := net.SplitHostPort(nobody(t))
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	fake := kafkatest.Fake(t, kfake.Ports(number))
	b := &broker{t: t, Client: fake.Client, session: 2 * time.Second}
	topic := b.NewTopic(t, 1)
	m := join(t, b.config(topic, topic), from(0))
	m.until("assignment", func() bool { return len(m.owned) == 1 })
	fake.Kfake.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err = m.consumer.Commit(ctx, []driver.Commit{{TopicPartition: tp(topic, 0), Offset: 1}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Commit: %v", err)
	}
	m.stop()
	<-m.done
	closing, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	before := time.Now()
	err = m.consumer.Close(closing)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "commits unanswered: 1") {
		t.Errorf("Close: %v", err)
	}
	if took := time.Since(before); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
	// Once there is a broker, the rest of Close finishes: leave, in the cleanup, waits for it.
	kafkatest.Fake(t, kfake.Ports(number))
	m.leave()
}

// TestFenced takes over a static member's instance ID.
func TestFenced(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	topic := b.NewTopic(t, 1)
	config := b.config(topic, topic)
	config.InstanceID = "instance"
	one := join(t, config, from(0))
	one.until("assignment", func() bool { return len(one.owned) == 1 })
	two := join(t, config, from(0))
	two.until("assignment", func() bool { return len(two.owned) == 1 })
	one.until("the end", func() bool { return one.pollErr != nil })
	one.mu.Lock()
	defer one.mu.Unlock()
	var e *driver.Error
	if !errors.As(one.pollErr, &e) || e.Kind != driver.KindFenced || len(one.owned) > 0 {
		t.Errorf("Poll: %v, heard %q", one.pollErr, one.heard)
	}
}

// TestNotPolledInTime stays in a Listener call for longer than the poll interval.
func TestNotPolledInTime(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	topic := b.NewTopic(t, 1)
	b.produce(topic, 0, 1)
	config := b.config(topic, topic)
	config.MaxPollInterval = 2 * time.Second
	entered, release := make(chan struct{}), make(chan struct{})
	m := join(t, config, func(m *member) {
		first := true
		m.onAssign = func([]driver.TopicPartition) {
			if first {
				first = false
				close(entered)
				<-release
			}
			m.begin(tp(topic, 0), 0, 1)
		}
	})
	<-entered
	other := b.Connect(t, kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.Balancers(kgo.CooperativeStickyBalancer()))
	// The other member gets the partition once the group has dropped the first.
	if fetches := other.PollFetches(t.Context()); fetches.NumRecords() != 1 {
		t.Fatalf("fetched %v", fetches.Errors())
	}
	err := m.consumer.Commit(m.ctx(), []driver.Commit{{TopicPartition: tp(topic, 0), Offset: 1, LeaderEpoch: -1}})
	var ce *driver.CommitError
	if !errors.As(err, &ce) || ce.Partitions[tp(topic, 0)].Kind != driver.KindStaleMember {
		t.Errorf("a commit after the group went on: %v", err)
	}
	close(release)
	m.until("lost", func() bool { return len(m.owned) == 0 && len(m.errors) > 0 })
	m.mu.Lock()
	if m.errors[0].Kind != driver.KindMaxPollExceeded || !strings.HasPrefix(m.heard[1], "lost") {
		t.Errorf("errors %v, heard %q", m.errors, m.heard)
	}
	m.mu.Unlock()
	other.Close()
	m.until("the partition again", func() bool { return len(m.owned) == 1 && len(m.records[tp(topic, 0)]) > 0 })
}
