//go:build cgo

package confluent

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/kafkatest"
)

// broker is a Kafka: the in-process one or Apache Kafka itself.
type broker struct {
	*kafkatest.Client
	t       testing.TB
	session time.Duration // the shortest session that it accepts
}

func newBroker(t testing.TB, opts ...kfake.Opt) *broker {
	return &broker{Client: kafkatest.Fake(t, opts...).Client, t: t, session: 2 * time.Second}
}

// produce writes n records "v0", "v1" … to a partition.
func (b *broker) produce(topic string, partition int32, n int) {
	b.t.Helper()
	b.ProduceN(b.t, topic, n, func(i int) *kgo.Record {
		return kafkatest.At(partition, &kgo.Record{Value: fmt.Appendf(nil, "v%d", i)})
	})
}

func (b *broker) config(group string, topics ...string) driver.Config {
	return driver.Config{
		BootstrapServers:       b.Bootstrap(),
		GroupID:                group,
		ClientID:               "test",
		Topics:                 topics,
		SessionTimeout:         b.session,
		HeartbeatInterval:      200 * time.Millisecond,
		MaxPollInterval:        30 * time.Second,
		MetadataMaxAge:         time.Second,
		FetchMaxWait:           100 * time.Millisecond,
		FetchMinBytes:          1,
		FetchMaxBytes:          8 << 20,
		FetchMaxPartitionBytes: 1 << 20,
		BufferBytes:            16 << 20,
		Logger:                 slog.New(slog.DiscardHandler),
	}
}

// member is a consumer with a listener that records its calls, and one goroutine that polls.
type member struct {
	t        testing.TB
	consumer driver.Consumer

	mu       sync.Mutex
	heard    []string // "assigned t-0 t-1"
	owned    map[driver.TopicPartition]bool
	records  map[driver.TopicPartition][]event.KafkaRecord
	next     map[driver.TopicPartition]int64
	end      map[driver.TopicPartition]int64
	epochs   map[driver.TopicPartition][]uint64 // of each record
	errors   []*driver.Error
	pollErr  error
	changed  chan struct{}
	onRevoke func([]driver.TopicPartition)
	onAssign func([]driver.TopicPartition)
	// beforePoll, if not nil, runs before each Poll, on its goroutine.
	beforePoll func()

	stop context.CancelFunc
	done chan struct{}
}

// join opens a member whose onAssign starts its partitions; by default it starts them at 0.
func join(t testing.TB, config driver.Config, setup func(*member), opts ...Option) *member {
	t.Helper()
	m := &member{
		t: t, owned: map[driver.TopicPartition]bool{}, records: map[driver.TopicPartition][]event.KafkaRecord{},
		next: map[driver.TopicPartition]int64{}, end: map[driver.TopicPartition]int64{},
		epochs:  map[driver.TopicPartition][]uint64{},
		changed: make(chan struct{}), done: make(chan struct{}),
	}
	m.onAssign = func(tps []driver.TopicPartition) {
		for _, tp := range tps {
			m.consumer.Start([]driver.Start{{TopicPartition: tp, LeaderEpoch: -1, Epoch: 1}})
		}
	}
	if setup != nil {
		setup(m)
	}
	// The listener is called only from Poll, which begins below.
	consumer, err := Driver(opts...).Open(config, m)
	if err != nil {
		t.Fatal(err)
	}
	m.consumer = consumer
	ctx, cancel := context.WithCancel(context.Background())
	m.stop = cancel
	go m.poll(ctx)
	t.Cleanup(func() { m.leave() })
	return m
}

func (m *member) poll(ctx context.Context) {
	defer close(m.done)
	var fetch driver.Fetch
	for ctx.Err() == nil {
		if m.beforePoll != nil {
			m.beforePoll()
		}
		err := m.consumer.Poll(ctx, &fetch)
		m.mu.Lock()
		for _, run := range fetch.Runs {
			tp := run.TopicPartition
			if !m.owned[tp] {
				m.t.Errorf("a run of %s, which is not assigned", tp)
			}
			for _, r := range run.Records {
				if r.Topic != tp.Topic || r.Partition != tp.Partition {
					m.t.Errorf("record of %s-%d in a run of %s", r.Topic, r.Partition, tp)
				}
				m.records[tp] = append(m.records[tp], r)
				m.epochs[tp] = append(m.epochs[tp], run.Epoch)
			}
			if n := len(run.Records); n > 0 && run.Next <= run.Records[n-1].Offset {
				m.t.Errorf("next %d of %s after record %d", run.Next, tp, run.Records[n-1].Offset)
			}
			m.next[tp], m.end[tp] = run.Next, run.End
		}
		m.errors = append(m.errors, fetch.Errors...)
		m.pollErr = err
		m.tell()
		m.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// tell wakes until; the caller holds the lock.
func (m *member) tell() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// until waits for a condition on the member's fields.
func (m *member) until(what string, condition func() bool) {
	m.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		m.mu.Lock()
		ok, changed := condition(), m.changed
		m.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			m.mu.Lock()
			defer m.mu.Unlock()
			m.t.Fatalf("waited too long: %s; heard %q, errors %v, next %v", what, m.heard, m.errors, m.next)
		}
	}
}

func (m *member) untilCount(tp driver.TopicPartition, n int) {
	m.t.Helper()
	m.until(fmt.Sprintf("%d records of %s", n, tp), func() bool { return len(m.records[tp]) >= n })
}

// leave stops polling and closes.
func (m *member) leave() {
	m.stop()
	<-m.done
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := m.consumer.Close(ctx); err != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.pollErr == nil {
			m.t.Errorf("Close: %v", err)
		}
	}
}

func (m *member) hear(what string, tps []driver.TopicPartition, owned bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, tp := range tps {
		what += " " + tp.String()
		if owned {
			m.owned[tp] = true
		} else {
			delete(m.owned, tp)
		}
	}
	m.heard = append(m.heard, what)
	m.tell()
}

func (m *member) Assigned(tps []driver.TopicPartition) {
	m.hear("assigned", tps, true)
	m.onAssign(tps)
}

func (m *member) Revoked(tps []driver.TopicPartition) {
	if m.onRevoke != nil {
		m.onRevoke(tps)
	}
	m.hear("revoked", tps, false)
}

func (m *member) Lost(tps []driver.TopicPartition) { m.hear("lost", tps, false) }

func tp(topic string, partition int32) driver.TopicPartition {
	return driver.TopicPartition{Topic: topic, Partition: partition}
}
