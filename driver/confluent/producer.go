//go:build cgo

package confluent

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"golang.org/x/sync/semaphore"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
)

var (
	_ driver.ProducerDriver      = (*client)(nil)
	_ driver.CredentialsReplacer = (*producer)(nil)
)

const (
	defaultProducerBytes, defaultProducerTimeout = 32 << 20, 30 * time.Second
	flushStep                                    = 100 * time.Millisecond // of a wait inside librdkafka in Close
)

// errProducerClosed is the error of every call after Close.
var errProducerClosed = errors.New("confluent: the producer is closed")

// producer is a driver.Producer that uses a kafka.Producer.
type producer struct {
	client *kafka.Producer
	// topics provides topic metadata; this consumer never joins a group.
	topics *consumer
	// bytes bounds what librdkafka holds; size is that bound.
	bytes *semaphore.Weighted
	size  int64
	logs  *logPump
	gate  *gate
	// problem is why the last connection failed, nil once a broker acknowledged a record.
	problem atomic.Pointer[driver.Error]

	mu       sync.Mutex
	unsure   map[*outgoing]struct{} // records that librdkafka has not reported
	closeRun sync.Once
	closed   chan struct{}
	pumped   chan struct{}
}

// outgoing is a record in flight.
type outgoing struct {
	answer  func(error)
	at      driver.TopicPartition
	bytes   int64
	ctx     context.Context //nolint:containedctx // its owner's, to be heeded for as long as the record is on its way
	once    sync.Once
	unwatch func() bool
}

// finish answers once, with whichever comes first: librdkafka's report or the end of the context.
func (o *outgoing) finish(err error) {
	o.once.Do(func() { o.answer(err) })
}

// OpenProducer creates a producer. Properties of WithConfig are for consumers and do not apply to it.
func (c *client) OpenProducer(config driver.ProducerConfig) (driver.Producer, error) {
	logs := newLogPump(config.Logger)
	properties, err := producerMap(config, logs)
	if err != nil {
		return nil, err
	}
	client, err := kafka.NewProducer(properties)
	if err != nil {
		return nil, invalidConfig("librdkafka refuses the configuration", err)
	}
	admin, err := kafka.NewAdminClientFromProducer(client)
	if err != nil {
		client.Close()
		return nil, invalidConfig("no admin client", err)
	}
	p := &producer{client: client, logs: logs, gate: newGate(), unsure: make(map[*outgoing]struct{}),
		closed: make(chan struct{}), pumped: make(chan struct{}), size: int64(cmp.Or(max(config.BufferBytes, 0), defaultProducerBytes))}
	p.topics = &consumer{admin: admin, gate: p.gate, config: driver.Config{Credentials: config.Credentials}}
	p.bytes = semaphore.NewWeighted(p.size)
	logs.start()
	go p.pump()
	return p, nil
}

// producerMap builds librdkafka's properties.
func producerMap(config driver.ProducerConfig, logs *logPump) (*kafka.ConfigMap, error) {
	if len(config.BootstrapServers) == 0 {
		return nil, invalidConfig("bad configuration", errors.New("BootstrapServers is empty: give at least one host:port"))
	}
	if config.Dialer != nil {
		return nil, invalidConfig("bad configuration", errors.New("Dialer is set, but librdkafka opens its own connections: use the franz driver")) //nolint:staticcheck // Dialer is a field's name
	}
	timeout := config.Timeout
	if timeout <= 0 {
		timeout = defaultProducerTimeout
	}
	m := kafka.ConfigMap{
		"bootstrap.servers":  strings.Join(config.BootstrapServers, ","),
		"enable.idempotence": true,
		"acks":               "all",
		"linger.ms":          int(config.Linger.Milliseconds()),
		"message.timeout.ms": int(timeout.Milliseconds()),
		"socket.timeout.ms":  int(min(socketTimeout, timeout).Milliseconds()),
		"compression.type":   "snappy",
		// Place keys as the Java producer does; librdkafka's default is another hash.
		"partitioner": "murmur2_random",
		// Choose a partition for each record without a key, not one for several in a row.
		"sticky.partitioning.linger.ms":     0,
		"topic.metadata.propagation.max.ms": int(min(5*time.Second, timeout).Milliseconds()),
		// The broker decides what is too large: the topic's max.message.bytes counts after compression, this limit before.
		"message.max.bytes":            64 << 20,
		"queue.buffering.max.kbytes":   2097151, // the semaphore bounds it
		"queue.buffering.max.messages": 10_000_000,
		"log_level":                    logs.level(),
		"go.logs.channel.enable":       true,
		"go.logs.channel":              logs.events,
		"go.delivery.report.fields":    "none",
	}
	if config.ClientID != "" {
		m["client.id"] = config.ClientID
	}
	if err := secure(m, config.Credentials); err != nil {
		return nil, err
	}
	return &m, nil
}

// pump forwards librdkafka's reports until librdkafka is closed.
func (p *producer) pump() {
	defer close(p.pumped)
	for event := range p.client.Events() {
		switch e := event.(type) {
		case *kafka.Message:
			p.report(e)
		case kafka.Error:
			p.trouble(classed(driver.TopicPartition{}, e))
		}
	}
}

// trouble records why there is no connection. Plain unavailability does not replace another reason.
func (p *producer) trouble(e *driver.Error) {
	switch now := p.problem.Load(); {
	case e.Kind == driver.KindOther:
	case e.Kind == driver.KindUnavailable && now != nil && now.Kind != driver.KindUnavailable:
	default:
		p.problem.Store(e)
	}
}

func (p *producer) report(m *kafka.Message) {
	o, ok := m.Opaque.(*outgoing)
	if !ok {
		return
	}
	p.forget(o)
	err := m.TopicPartition.Error
	if err == nil {
		p.problem.Store(nil)
		o.finish(nil)
		return
	}
	o.finish(p.explain(o, err))
}

// forget releases what is kept for a record.
func (p *producer) forget(o *outgoing) {
	p.mu.Lock()
	_, there := p.unsure[o]
	delete(p.unsure, o)
	p.mu.Unlock()
	if !there {
		return
	}
	o.unwatch()
	p.bytes.Release(o.bytes)
}

// explain classifies the error of a record that was not acknowledged.
func (p *producer) explain(o *outgoing, err error) error {
	if dead := p.dead(); dead != nil {
		return dead
	}
	e := classed(o.at, err)
	if ke, ok := errors.AsType[kafka.Error](err); ok {
		switch ke.Code() {
		case kafka.ErrPurgeQueue, kafka.ErrPurgeInflight, kafka.ErrDestroy:
			return errProducerClosed
		case kafka.ErrMsgTimedOut:
			if problem := p.problem.Load(); problem != nil {
				e = &driver.Error{Kind: problem.Kind, Broker: problem.Broker, Offset: -1, Err: fmt.Errorf("%w: %w", problem.Err, e.Err)}
			}
		}
	}
	return e
}

// dead returns the error of a client that can write nothing more: some errors are final for librdkafka's idempotent
// producer, for example that its user may write to no topic, even if access is granted a moment later.
func (p *producer) dead() error {
	if !p.gate.enter() { // librdkafka may be gone
		return nil
	}
	defer p.gate.leave()
	fatal := p.client.GetFatalError()
	if fatal == nil {
		return nil
	}
	e := classed(driver.TopicPartition{}, fatal)
	e.Err = fmt.Errorf("%w: %w", driver.ErrReplace, e.Err)
	return e
}

// Produce writes a record.
func (p *producer) Produce(ctx context.Context, r driver.OutRecord, answer func(error)) {
	o := &outgoing{answer: answer, ctx: ctx, at: driver.TopicPartition{Topic: r.Topic, Partition: r.Partition},
		bytes: min(int64(len(r.Key)+len(r.Value)+recordOverhead), p.size)}
	if err := p.bytes.Acquire(ctx, o.bytes); err != nil {
		go o.finish(p.late(ctx))
		return
	}
	if !p.gate.enter() {
		p.bytes.Release(o.bytes)
		go o.finish(errProducerClosed)
		return
	}
	defer p.gate.leave()
	m := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &r.Topic, Partition: r.Partition}, Key: r.Key, Value: r.Value, Opaque: o}
	if r.Partition < 0 {
		m.TopicPartition.Partition = kafka.PartitionAny
	}
	if r.Timestamp >= 0 {
		m.Timestamp = time.UnixMilli(r.Timestamp)
	}
	for _, h := range r.Headers {
		m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	p.mu.Lock()
	o.unwatch = context.AfterFunc(ctx, func() { o.finish(p.late(ctx)) })
	p.unsure[o] = struct{}{}
	p.mu.Unlock()
	if err := p.client.Produce(m, nil); err != nil {
		p.forget(o)
		go o.finish(p.explain(o, err))
	}
}

// late returns the error of a record whose caller has stopped waiting.
func (p *producer) late(ctx context.Context) error {
	if dead := p.dead(); dead != nil {
		return dead
	}
	err := fmt.Errorf("confluent: the record is not acknowledged: %w", ctx.Err())
	if problem := p.problem.Load(); problem != nil {
		return &driver.Error{Kind: problem.Kind, Broker: problem.Broker, Offset: -1, Err: fmt.Errorf("%w: %w", problem.Err, err)}
	}
	return err
}

// Topics describes topics.
func (p *producer) Topics(ctx context.Context, names ...string) ([]driver.Topic, error) {
	if len(names) == 0 {
		return nil, nil
	}
	if !p.gate.enter() {
		return nil, errProducerClosed
	}
	defer p.gate.leave()
	topics, err := p.topics.describe(ctx, names)
	if problem := p.problem.Load(); err != nil && problem != nil {
		return nil, &driver.Error{Kind: problem.Kind, Broker: problem.Broker, Offset: -1, Err: fmt.Errorf("%w: %w", problem.Err, err)}
	}
	return topics, err
}

// ReplaceCredentials makes the next authentication use another user name and password.
func (p *producer) ReplaceCredentials(next *auth.Credentials) error {
	if !sameButPassword(p.topics.config.Credentials, next) {
		return &driver.Error{Kind: driver.KindInvalidConfig, Offset: -1, Err: driver.ErrNotInPlace}
	}
	if err := next.Validate(); err != nil {
		return invalidConfig("bad credentials", err)
	}
	if !p.gate.enter() {
		return errProducerClosed
	}
	defer p.gate.leave()
	if err := p.client.SetSaslCredentials(next.Username, next.Password.Reveal()); err != nil {
		return classed(driver.TopicPartition{}, err)
	}
	return nil
}

// sameButPassword reports whether credentials differ only in user name and password: librdkafka cannot change the
// certificates of a running client.
func sameButPassword(now, next *auth.Credentials) bool {
	return now != nil && next != nil && next.Mechanism != "" && next.Protocol == now.Protocol && next.Mechanism == now.Mechanism &&
		bytes.Equal(next.RootCAs, now.RootCAs) && bytes.Equal(next.Certificate, now.Certificate) && next.PrivateKey.Equal(now.PrivateKey)
}

// Close closes librdkafka, in a goroutine that is left behind when ctx ends.
func (p *producer) Close(ctx context.Context) error {
	p.closeRun.Do(func() { go p.shutDown() })
	select {
	case <-p.closed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("confluent: Close left the producer behind: %w", ctx.Err())
	}
}

func (p *producer) shutDown() {
	defer close(p.closed)
	<-p.gate.close()
	// The reports of purged records come through the pump.
	_ = p.client.Purge(kafka.PurgeInFlight | kafka.PurgeQueue)
	for p.client.Flush(int(flushStep.Milliseconds())) > 0 && p.waiting() > 0 {
		continue
	}
	p.client.Close()
	<-p.pumped
	p.mu.Lock()
	left := make([]*outgoing, 0, len(p.unsure))
	for o := range p.unsure {
		left = append(left, o)
	}
	p.mu.Unlock()
	for _, o := range left {
		p.forget(o)
		o.finish(errProducerClosed)
	}
	p.logs.stop()
}

func (p *producer) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.unsure)
}
