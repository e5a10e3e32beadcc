package franz

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
)

var (
	_ driver.ProducerDriver      = (*franz)(nil)
	_ driver.CredentialsReplacer = (*producer)(nil)
)

const (
	defaultProducerBytes   = 32 << 20
	defaultProducerTimeout = 30 * time.Second
	// batchBytes is kgo's default batch limit, which brokers accept by default.
	batchBytes = 1_000_012
	// largeRecord is the size from which a record goes through a separate client, so that the broker decides what is too
	// large. kgo has one limit for batches and records. If it were higher, batches of many small records would be refused.
	largeRecord   = batchBytes - 64<<10
	maxBatchBytes = 64 << 20
)

// producer is a kgo.Client that writes.
type producer struct {
	// c provides error handling and metadata; it never joins a group.
	c *consumer
	// large creates the client for large records on first use.
	large func() (*kgo.Client, error)
	made  atomic.Pointer[kgo.Client] // by large
	// timeout bounds each record. kgo's RecordDeliveryTimeout counts from the record's timestamp, which may be years ago.
	timeout time.Duration
	// problem is why the last connection failed, nil once a broker acknowledged a record.
	problem atomic.Pointer[driver.Error]
}

// OpenProducer creates a producer. Options of WithOpts are for consumers and do not apply to it.
func (d *franz) OpenProducer(cfg driver.ProducerConfig) (driver.Producer, error) {
	if len(cfg.BootstrapServers) == 0 {
		return nil, configError(errors.New("BootstrapServers is empty: give at least one host:port"))
	}
	c := &consumer{cfg: driver.Config{Dialer: cfg.Dialer, Logger: cfg.Logger}}
	c.report.init(func() {})
	if err := c.security.set(cfg.Credentials); err != nil {
		return nil, configError(err)
	}
	c.life, c.endLife = context.WithCancel(context.Background())
	if cfg.BufferBytes <= 0 {
		cfg.BufferBytes = defaultProducerBytes
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultProducerTimeout
	}
	p := &producer{c: c, timeout: cfg.Timeout}
	var opts []kgo.Opt
	if cfg.Dialer != nil {
		opts = append(opts, kgo.Dialer(cfg.Dialer))
	}
	opts = append(opts, c.security.options(cfg.Dialer)...)
	opts = append(opts,
		kgo.WithContext(c.life), kgo.WithLogger(newLogger(cfg.Logger)), kgo.WithHooks(&hooks{c: c}, connecting{p}),
		kgo.SeedBrokers(cfg.BootstrapServers...), kgo.ClientID(cfg.ClientID), kgo.DisableClientMetrics(), kgo.AlwaysRetryEOF(),
		kgo.MetadataMinAge(time.Second),
		kgo.ProducerLinger(cfg.Linger), kgo.MaxBufferedBytes(cfg.BufferBytes), kgo.MaxBufferedRecords(1<<30),
		kgo.ProducerBatchMaxBytes(batchBytes), kgo.RecordPartitioner(partitioner{}),
		// A caller stops waiting for a record when its context ends. What is resent after that may be written twice.
		kgo.AllowIdempotentProduceCancellation(),
	)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		c.endLife()
		return nil, configError(err)
	}
	c.client, c.control = client, client // there are no fetches, so no second client is needed
	p.large = sync.OnceValues(func() (*kgo.Client, error) {
		client, err := kgo.NewClient(append(opts, kgo.ProducerBatchMaxBytes(maxBatchBytes), kgo.ProducerLinger(0))...)
		if err == nil {
			p.made.Store(client)
		}
		return client, err
	})
	return p, nil
}

// connecting records why no connection is established: a record's own error then says only that it took too long.
type connecting struct{ p *producer }

// OnBrokerConnect runs after that of hooks.
func (h connecting) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil && h.p.c.life.Err() == nil {
		e := h.p.c.classify(err)
		e.Broker = brokerAddress(meta)
		h.p.problem.Store(e)
	}
}

// Produce writes a record.
func (p *producer) Produce(ctx context.Context, r driver.OutRecord, answer func(error)) {
	out := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
	if r.Timestamp >= 0 {
		out.Timestamp = time.UnixMilli(r.Timestamp)
	}
	if len(r.Headers) > 0 {
		out.Headers = make([]kgo.RecordHeader, len(r.Headers))
		for i, h := range r.Headers {
			out.Headers[i] = kgo.RecordHeader{Key: h.Key, Value: h.Value}
		}
	}
	client := p.c.client
	if len(r.Key)+len(r.Value) >= largeRecord {
		var err error
		if client, err = p.large(); err != nil {
			go answer(configError(err))
			return
		}
	}
	limited, cancel := context.WithTimeout(ctx, p.timeout)
	client.Produce(limited, out, func(_ *kgo.Record, err error) {
		defer cancel()
		if err == nil {
			p.problem.Store(nil)
			answer(nil)
			return
		}
		answer(p.explain(ctx, r, limited.Err() != nil, err))
	})
}

// explain classifies the error of a record that was not acknowledged.
func (p *producer) explain(ctx context.Context, r driver.OutRecord, late bool, err error) error {
	if p.c.life.Err() != nil || errors.Is(err, kgo.ErrClientClosed) {
		return ErrProducerClosed
	}
	if problem := p.problem.Load(); late && problem != nil {
		e := *problem
		e.Err = fmt.Errorf("%w: %w", problem.Err, err)
		return &e
	}
	if ctx.Err() != nil {
		return fmt.Errorf("franz: the record is not acknowledged: %w", ctx.Err())
	}
	e := p.c.classify(err)
	if late {
		e.Kind = driver.KindUnavailable
	}
	e.TopicPartition = driver.TopicPartition{Topic: r.Topic, Partition: r.Partition}
	return e
}

// ErrProducerClosed is the error of all calls after Close.
var ErrProducerClosed = errors.New("franz: the producer is closed")

// Topics describes topics.
func (p *producer) Topics(ctx context.Context, names ...string) ([]driver.Topic, error) {
	topics, _, err := p.c.describe(ctx, names)
	if errors.Is(err, ErrClosed) {
		return nil, ErrProducerClosed
	}
	if problem := p.problem.Load(); err != nil && problem != nil {
		e := *problem
		e.Err = fmt.Errorf("%w: %w", problem.Err, err)
		return nil, &e
	}
	return topics, err
}

// ReplaceCredentials makes every later connection use other credentials.
func (p *producer) ReplaceCredentials(next *auth.Credentials) error {
	return p.c.ReplaceCredentials(next)
}

// Close closes the client.
func (p *producer) Close(ctx context.Context) error {
	if p.c.closed.Swap(true) {
		return nil
	}
	p.c.endLife()
	done := make(chan struct{})
	go func() { // ends with the client, whose requests have ended
		defer close(done)
		p.c.endTasks()
		p.c.client.Close()
		if large := p.made.Load(); large != nil {
			large.Close()
		}
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("franz: the producer's client is not closed yet: %w", ctx.Err())
	}
}

// partitioner places records with a key as Kafka's Java producer does, and those without one round-robin. A record that
// names its partition goes there.
type partitioner struct{}

// ForTopic returns the partitioner of a topic.
func (partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return &topicPartitioner{manual: kgo.ManualPartitioner().ForTopic(topic), keyed: kgo.StickyKeyPartitioner(nil).ForTopic(topic)}
}

type topicPartitioner struct {
	manual, keyed kgo.TopicPartitioner
	next          atomic.Int64
}

// RequiresConsistency reports that only a record without a key may go elsewhere if its partition is unavailable.
func (p *topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || r.Key != nil
}

// Partition picks one of n partitions.
func (p *topicPartitioner) Partition(r *kgo.Record, n int) int {
	switch {
	case r.Partition >= 0:
		return p.manual.Partition(r, n)
	case r.Key != nil:
		return p.keyed.Partition(r, n)
	}
	return int((p.next.Add(1) - 1) % int64(n))
}
