// Package kafka writes failures to a Kafka topic, as AWS Lambda does for kafka://topic: one message per failed record,
// with a document that contains the record's event, and with the record's original key. A record with a key goes to the
// partition that Kafka's Java producer would choose for it, a record without a key to any partition.
//
// The message's headers are the record's own, followed by those that [destination.Failure.Attributes] returns for that
// record; AWS documents none. The message's timestamp is the time of writing, so that retention counts from then. The
// original timestamp is in the payload, with the topic, partition and offset.
//
// The destination needs the ACLs Write and Describe on the topic, and before Kafka 3.0 IdempotentWrite on the cluster.
// The topic's max.message.bytes must be larger than the source's: the values are base64, which is a third longer.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
)

const (
	// defaultLinger lets the records of failures that arrive together share one request.
	defaultLinger = 2 * time.Millisecond
	// retireTimeout bounds the close of a replaced producer.
	retireTimeout = 30 * time.Second
)

// Option configures a Destination.
type Option func(*Destination)

// WithSource names the topics that the mapping reads from the same cluster, including patterns that begin with "^". New
// rejects them as the destination, because failed records would come back.
func WithSource(topics ...string) Option {
	return func(d *Destination) { d.source = append(d.source, topics...) }
}

// Destination is a topic. It is safe for concurrent use.
type Destination struct {
	topic  string
	source []string
	open   driver.ProducerDriver

	mu       sync.Mutex
	config   driver.ProducerConfig
	producer driver.Producer
	closed   bool
	retiring sync.WaitGroup // closes of replaced producers
}

var (
	_ destination.Destination = (*Destination)(nil)
	_ destination.Checker     = (*Destination)(nil)
	_ destination.Closer      = (*Destination)(nil)
	_ destination.Replacer    = (*Destination)(nil)
)

// New returns the destination for kafka://topic on the cluster of config: the mapping's own or any other. Linger
// defaults to 2 ms. New starts to connect but does not wait. The driver must be a [driver.ProducerDriver], as
// driver/franz and driver/confluent are.
func New(d driver.Driver, name string, config driver.ProducerConfig, opts ...Option) (*Destination, error) {
	parsed, err := destination.ParseName(name)
	if err == nil && parsed.Kind != destination.Kafka {
		err = errors.New("is not kafka://topic")
	}
	if err != nil {
		return nil, fmt.Errorf("destination/kafka: %q %w", name, err)
	}
	open, ok := d.(driver.ProducerDriver)
	if !ok {
		return nil, fmt.Errorf("destination/kafka: the driver %q cannot write: use driver/franz or driver/confluent", d.Name())
	}
	out := &Destination{topic: parsed.Resource, open: open, config: config}
	for _, opt := range opts {
		opt(out)
	}
	for _, source := range out.source {
		if reads(source, out.topic) {
			return nil, fmt.Errorf("destination/kafka: %q is what %q of the mapping's Topics reads: failed records would come back; use another topic", name, source)
		}
	}
	if out.config.Linger <= 0 {
		out.config.Linger = defaultLinger
	}
	if out.config.Logger == nil {
		out.config.Logger = slog.New(slog.DiscardHandler)
	}
	if out.producer, err = open.OpenProducer(out.config); err != nil {
		return nil, fmt.Errorf("destination/kafka: %q: %w", name, err)
	}
	return out, nil
}

// reads reports whether an element of Topics matches a topic.
func reads(source, topic string) bool {
	if !strings.HasPrefix(source, "^") {
		return source == topic
	}
	pattern, err := regexp.Compile(source)
	return err == nil && pattern.MatchString(topic)
}

// String returns kafka:// and the topic.
func (d *Destination) String() string { return "kafka://" + d.topic }

var errClosed = errors.New("destination/kafka: closed")

// current returns the current producer.
func (d *Destination) current() (driver.Producer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errClosed
	}
	return d.producer, nil
}

// Send writes a message for each record and returns when all are acknowledged. If only some are, the error is a
// *destination.PartialError.
func (d *Destination) Send(ctx context.Context, f *destination.Failure) error {
	producer, err := d.current()
	if err != nil {
		return err
	}
	if f.RequestID == "" {
		g := *f
		g.RequestID = f.ID() // once, not for each record
		f = &g
	}
	all := placesOf(f)
	left, err := d.write(ctx, producer, f, all)
	if kindOf(err) == driver.KindTooLarge && len(all) > 1 {
		left, err = d.writeAlone(ctx, producer, f, left)
	}
	if errors.Is(err, driver.ErrReplace) {
		err = errors.Join(err, d.renew(producer))
	}
	switch {
	case err == nil:
		return nil
	case len(left) == len(all):
		return d.explain(err)
	}
	return &destination.PartialError{Rest: restOf(f, left), Err: d.explain(err)}
}

// place is the position of a record in its failure.
type place struct {
	key string
	i   int
}

func placesOf(f *destination.Failure) []place {
	all := make([]place, 0, f.Len())
	for _, key := range f.Partitions() {
		for i := range f.Event.Records[key] {
			all = append(all, place{key, i})
		}
	}
	return all
}

// restOf returns the failure of the records at the given places, which are in order.
func restOf(f *destination.Failure, places []place) *destination.Failure {
	rest := *f
	rest.Event.Records = make(map[string][]event.KafkaRecord)
	for _, p := range places {
		rest.Event.Records[p.key] = append(rest.Event.Records[p.key], f.Event.Records[p.key][p.i])
	}
	return &rest
}

// write writes records together. It returns those that were not acknowledged, with the most significant reason.
func (d *Destination) write(ctx context.Context, producer driver.Producer, f *destination.Failure, places []place) (left []place, reason error) {
	errs := make([]error, len(places))
	var wg sync.WaitGroup
	wg.Add(len(places))
	for i, p := range places {
		producer.Produce(ctx, message(f, f.Event.Records[p.key][p.i], d.topic), func(err error) {
			errs[i] = err
			wg.Done()
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err == nil {
			continue
		}
		left = append(left, places[i])
		// A rejected record says more than others that took too long.
		if reason == nil || kindOf(reason) == driver.KindUnavailable {
			reason = err
		}
	}
	return left, reason
}

// writeAlone writes the records one by one: a record that is too large makes the broker reject its whole batch.
func (d *Destination) writeAlone(ctx context.Context, producer driver.Producer, f *destination.Failure, places []place) (left []place, reason error) {
	for i := range places {
		l, err := d.write(ctx, producer, f, places[i:i+1])
		left = append(left, l...)
		if err != nil && (reason == nil || kindOf(reason) == driver.KindUnavailable) {
			reason = err
		}
	}
	return left, reason
}

// message returns the message for one record.
func message(f *destination.Failure, r event.KafkaRecord, topic string) driver.OutRecord {
	one := f.One(r)
	out := driver.OutRecord{Topic: topic, Partition: -1, Key: r.Key, Value: one.RecordDocument(), Timestamp: -1}
	for _, h := range r.Headers {
		if h.Key != destination.AttributeRedrives { // added below, and also in the document
			out.Headers = append(out.Headers, h)
		}
	}
	for _, a := range one.Attributes() {
		out.Headers = append(out.Headers, event.Header{Key: a.Name, Value: []byte(a.Value)})
	}
	return out
}

// Check asks whether the topic exists.
func (d *Destination) Check(ctx context.Context) error {
	producer, err := d.current()
	if err != nil {
		return err
	}
	topics, err := producer.Topics(ctx, d.topic)
	if err == nil && len(topics) == 1 {
		err = topics[0].Err
	}
	if err != nil {
		return d.explain(err)
	}
	return nil
}

// ReplaceCredentials makes every new connection use other credentials. If the client cannot change them in place, a new
// producer replaces it, and the records in flight are written again.
func (d *Destination) ReplaceCredentials(next *auth.Credentials) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errClosed
	}
	config := d.config
	config.Credentials = next
	if replacer, ok := d.producer.(driver.CredentialsReplacer); ok {
		err := replacer.ReplaceCredentials(next)
		if err == nil {
			d.config = config
			return nil
		}
		if !errors.Is(err, driver.ErrNotInPlace) {
			return err
		}
	}
	return d.reopen(config)
}

// renew replaces a producer that cannot write any longer.
func (d *Destination) renew(dead driver.Producer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.producer != dead {
		return nil
	}
	return d.reopen(d.config)
}

// reopen replaces the current producer with a new one. The caller holds mu.
func (d *Destination) reopen(config driver.ProducerConfig) error {
	producer, err := d.open.OpenProducer(config)
	if err != nil {
		return fmt.Errorf("destination/kafka: %q: %w", d, err)
	}
	old := d.producer
	d.producer, d.config = producer, config
	d.retiring.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), retireTimeout)
		defer cancel()
		if err := old.Close(ctx); err != nil {
			config.Logger.Warn("a producer was left behind when another took its place", "topic", d.topic, "err", err)
		}
	})
	return nil
}

// Close closes the producer. Records that are not acknowledged are answered with an error.
func (d *Destination) Close(ctx context.Context) error {
	d.mu.Lock()
	d.closed = true
	producer := d.producer
	d.mu.Unlock()
	err := producer.Close(ctx)
	retired := make(chan struct{})
	go func() { // ends after retireTimeout at the latest
		d.retiring.Wait()
		close(retired)
	}()
	select {
	case <-retired:
	case <-ctx.Done():
		err = errors.Join(err, context.Cause(ctx))
	}
	return err
}
