package franz

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(brokers.Main(m)) }

func cluster(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func config(servers []string, group string, topics ...string) driver.Config {
	cfg := driver.Config{
		BootstrapServers:  servers,
		GroupID:           group,
		ClientID:          "test",
		Topics:            topics,
		SessionTimeout:    10 * time.Second,
		HeartbeatInterval: 100 * time.Millisecond,
		MaxPollInterval:   20 * time.Second,
		MetadataMaxAge:    500 * time.Millisecond,
		FetchMaxWait:      100 * time.Millisecond,
		FetchMinBytes:     1,
		FetchMaxBytes:     8 << 20, FetchMaxPartitionBytes: 1 << 20,
		BufferBytes: 32 << 20,
		Logger:      slog.New(slog.DiscardHandler),
	}
	if os.Getenv("ESM_TEST_LOG") != "" {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return cfg
}

// member polls one consumer on its own goroutine, as the engine does, and records what it receives.
type member struct {
	consumer *consumer
	onAssign func(*member, []driver.TopicPartition)
	onRevoke func(*member, []driver.TopicPartition)

	mu       sync.Mutex
	changed  chan struct{}
	owned    map[driver.TopicPartition]bool
	calls    []string
	runs     []driver.Run
	errs     []*driver.Error
	fatal    error
	records  map[driver.TopicPartition][]event.KafkaRecord
	next     map[driver.TopicPartition]int64
	end      map[driver.TopicPartition]int64
	inCall   bool
	holding  bool
	overlaps int

	stop context.CancelFunc
	done chan struct{}
}

func join(t testing.TB, cfg driver.Config, adjust func(*member), opts ...Option) *member {
	t.Helper()
	m := &member{
		changed: make(chan struct{}),
		owned:   map[driver.TopicPartition]bool{}, records: map[driver.TopicPartition][]event.KafkaRecord{},
		next: map[driver.TopicPartition]int64{}, end: map[driver.TopicPartition]int64{},
		done:     make(chan struct{}),
		onAssign: func(*member, []driver.TopicPartition) {}, onRevoke: func(*member, []driver.TopicPartition) {},
	}
	if adjust != nil {
		adjust(m)
	}
	opened, err := Driver(opts...).Open(cfg, m)
	if err != nil {
		t.Fatal(err)
	}
	m.consumer = opened.(*consumer)
	var ctx context.Context
	ctx, m.stop = context.WithCancel(context.Background())
	go m.poll(ctx)
	t.Cleanup(func() { m.leave(t) })
	return m
}

func (m *member) poll(ctx context.Context) {
	defer close(m.done)
	var fetch driver.Fetch
	for ctx.Err() == nil {
		m.change(func() { m.holding = false })
		err := m.consumer.Poll(ctx, &fetch)
		m.change(func() {
			m.holding = len(fetch.Runs) > 0
			if m.holding && m.inCall {
				m.overlaps++
			}
			for _, r := range fetch.Runs {
				m.runs = append(m.runs, r)
				m.records[r.TopicPartition] = append(m.records[r.TopicPartition], r.Records...)
				m.next[r.TopicPartition], m.end[r.TopicPartition] = r.Next, r.End
			}
			m.errs = append(m.errs, fetch.Errors...)
			m.fatal = err
		})
		if err != nil {
			return
		}
	}
}

// leave stops polling and closes the consumer.
func (m *member) leave(t testing.TB) {
	m.stop()
	<-m.done
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := m.consumer.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

func (m *member) change(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *member) call(name string, list []driver.TopicPartition, owned bool) {
	m.change(func() {
		m.calls = append(m.calls, fmt.Sprint(name, list))
		if m.inCall || m.holding {
			m.overlaps++
		}
		m.inCall = true
		for _, tp := range list {
			if owned {
				m.owned[tp] = true
			} else {
				delete(m.owned, tp)
			}
		}
	})
}

func (m *member) Assigned(list []driver.TopicPartition) {
	m.call("assigned", list, true)
	m.onAssign(m, list)
	m.change(func() { m.inCall = false })
}

func (m *member) Revoked(list []driver.TopicPartition) {
	m.call("revoked", list, false)
	m.onRevoke(m, list)
	m.change(func() { m.inCall = false })
}

func (m *member) Lost(list []driver.TopicPartition) {
	m.call("lost", list, false)
	m.change(func() { m.inCall = false })
}

// until waits for a condition on what the member received.
func (m *member) until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		m.mu.Lock()
		good, changed := ok(), m.changed
		m.mu.Unlock()
		if good {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			m.mu.Lock()
			defer m.mu.Unlock()
			t.Fatalf("%s: not so in time; calls %v, errors %v, next %v, fatal %v", what, m.calls, m.errs, m.next, m.fatal)
		}
	}
}

func (m *member) has(kind driver.Kind) int {
	n := 0
	for _, e := range m.errs {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// startAt starts every partition at an offset as soon as it is assigned.
func startAt(offset int64) func(*member) {
	return func(m *member) {
		m.onAssign = func(m *member, list []driver.TopicPartition) { m.consumer.Start(starts(list, offset, 1)) }
	}
}

func starts(list []driver.TopicPartition, offset int64, epoch uint64) []driver.Start {
	var s []driver.Start
	for _, tp := range list {
		s = append(s, driver.Start{TopicPartition: tp, Offset: offset, LeaderEpoch: -1, Epoch: epoch})
	}
	return s
}

func produce(t testing.TB, servers []string, records ...*kgo.Record) {
	t.Helper()
	produceWith(t, []kgo.Opt{kgo.SeedBrokers(servers...)}, records...)
}

func produceWith(t testing.TB, opts []kgo.Opt, records ...*kgo.Record) {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func values(topic string, partition int32, from, n int) []*kgo.Record {
	var rs []*kgo.Record
	for i := range n {
		rs = append(rs, &kgo.Record{Topic: topic, Partition: partition, Value: fmt.Appendf(nil, "v%d", from+i)})
	}
	return rs
}

func ctx(t testing.TB) context.Context {
	c, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return c
}

func tp(topic string, partition int32) driver.TopicPartition {
	return driver.TopicPartition{Topic: topic, Partition: partition}
}

func grow(t testing.TB, c *kfake.Cluster, topic string, total int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).UpdatePartitions(t.Context(), total, topic); err != nil {
		t.Fatal(err)
	}
}
