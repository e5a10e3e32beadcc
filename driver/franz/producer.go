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
	// batchBytes is kgo's default for a batch, which brokers take by default.
	batchBytes = 1_000_012
	// largeRecord is from where a record goes through a client of its own, that lets the broker judge what is too large: in
	// kgo one limit holds for batches and records, and batches of many small records would be refused with the larger one.
	largeRecord   = batchBytes - 64<<10
	maxBatchBytes = 64 << 20
)

// producer is a kgo.Client that writes.
type producer struct {
	// c is for what it knows about errors and metadata; it never joins a group.
	c *consumer
	// large makes the client for large records when the first one comes.
	large func() (*kgo.Client, error)
	made  atomic.Pointer[kgo.Client] // by large
	// timeout bounds each record. kgo's RecordDeliveryTimeout counts from the record's timestamp, which may be years ago.
	timeout time.Duration
	// problem is why the last connection did not come about, nil once a broker acknowledged a record.
	problem atomic.Pointer[driver.Error]
}

// OpenProducer makes a producer. Options of WithOpts are for consumers and do not apply to it.
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
		// Who waits for a record stops with its context. What is sent again after that may be there twice.
		kgo.AllowIdempotentProduceCancellation(),
	)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		c.endLife()
		return nil, configError(err)
	}
	c.client, c.control = client, client // nothing is fetched, so nothing has to go apart
	p.large = sync.OnceValues(func() (*kgo.Client, error) {
		client, err := kgo.NewClient(append(opts, kgo.ProducerBatchMaxBytes(maxBatchBytes), kgo.ProducerLinger(0))...)
		if err == nil {
			p.made.Store(client)
		}
		return client, err
	})
	return p, nil
}

// connecting keeps why no connection comes about: a record's own error is then only that it took too long.
type connecting struct{ p *producer }

// OnBrokerConnect comes after that of hooks.
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

// explain classes what became of a record that was not acknowledged.
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

// ErrProducerClosed is what a producer answers after Close.
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

// ReplaceCredentials puts other credentials in force for every connection from now on.
func (p *producer) ReplaceCredentials(next *auth.Credentials) error {
	return p.c.ReplaceCredentials(next)
}

// Close ends the client.
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

// partitioner places records as Kafka's Java producer does where they have a key, and one after the other where they
// have none; a record that names its partition goes there.
type partitioner struct{}

// ForTopic returns a topic's own.
func (partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return &topicPartitioner{manual: kgo.ManualPartitioner().ForTopic(topic), keyed: kgo.StickyKeyPartitioner(nil).ForTopic(topic)}
}

type topicPartitioner struct {
	manual, keyed kgo.TopicPartitioner
	next          atomic.Int64
}

// RequiresConsistency says that only a record without a key may go elsewhere when its partition is away.
func (p *topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || r.Key != nil
}

// Partition chooses among n partitions.
func (p *topicPartitioner) Partition(r *kgo.Record, n int) int {
	switch {
	case r.Partition >= 0:
		return p.manual.Partition(r, n)
	case r.Key != nil:
		return p.keyed.Partition(r, n)
	}
	return int((p.next.Add(1) - 1) % int64(n))
}
