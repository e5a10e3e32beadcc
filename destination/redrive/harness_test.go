package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/kafka"
	"github.com/esm-go/esm/destination/redrive"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/kafkatest"
)

var brokers kafkatest.Pool

func TestMain(m *testing.M) { goleak.VerifyTestMain(brokers.Main(m)) }

const mapping = "14e0db71-5d35-4eb5-b481-8945cf9d10c2"

// failureOf returns a failure of records.
func failureOf(records ...event.KafkaRecord) *destination.Failure {
	f := &destination.Failure{MappingUUID: mapping, FunctionARN: "f", Condition: destination.RetryAttemptsExhausted, Invocations: 2,
		Time: time.UnixMilli(1_700_000_000_000), Event: event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: "b:9092",
			Records: make(map[string][]event.KafkaRecord)}}
	for _, r := range records {
		key := event.PartitionKey(r.Topic, r.Partition)
		f.Event.Records[key] = append(f.Event.Records[key], r)
	}
	return f
}

// record returns record i of a topic with two partitions.
func record(topic string, i int) event.KafkaRecord {
	return event.KafkaRecord{Topic: topic, Partition: int32(i % 2), Offset: int64(i / 2), Timestamp: 1_700_000_000_000 + int64(i),
		Key: fmt.Append(nil, "key-", i), Value: fmt.Append(nil, `{"n":`, i, `}`), Headers: []event.Header{{Key: "h", Value: []byte{0, 200}}}}
}

// log is a handler that records its input, and fails the records that it is told to.
type log struct {
	mu      sync.Mutex
	got     map[string]int // how often each record succeeded, by its JSON
	batches []int
	fails   func(event.KafkaRecord) bool
	after   func(taken int) // called after a batch has succeeded
}

var errPoison = errors.New("poison")

func (l *log) handle(_ context.Context, e event.KafkaEvent) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, records := range e.Records {
		for _, r := range records {
			if l.fails != nil && l.fails(r) {
				return errPoison
			}
			n++
		}
	}
	l.batches = append(l.batches, n)
	if l.got == nil {
		l.got = make(map[string]int)
	}
	for _, records := range e.Records {
		if !slices.IsSortedFunc(records, func(a, b event.KafkaRecord) int { return int(a.Offset - b.Offset) }) {
			return errors.New("records out of order")
		}
		for _, r := range records {
			l.got[string(r.AppendJSON(nil))]++
		}
	}
	if l.after != nil {
		l.after(len(l.got))
	}
	return nil
}

// has checks that exactly these records succeeded, unchanged.
func (l *log) has(t *testing.T, want ...event.KafkaRecord) {
	t.Helper()
	missing := 0
	for _, r := range want {
		if l.got[string(r.AppendJSON(nil))] == 0 {
			if missing++; missing < 4 {
				t.Errorf("not brought back: %s", r.AppendJSON(nil))
			}
		}
	}
	if missing > 0 || len(l.got) != len(want) {
		t.Errorf("%d records brought back, %d missing, want %d", len(l.got), missing, len(want))
	}
}

func connection(c *kafkatest.Client) driver.ProducerConfig {
	return driver.ProducerConfig{BootstrapServers: c.Bootstrap(), ClientID: "redrive", Timeout: 10 * time.Second}
}

// sendAll sends failures one by one, until each is acknowledged, as the engine does.
func sendAll(t *testing.T, to destination.Destination, failures ...*destination.Failure) {
	t.Helper()
	s := destination.NewSender(to, destination.SenderConfig{})
	for _, f := range failures {
		answer := make(chan error, 1)
		s.Send(t.Context(), f, func(err error) { answer <- err })
		if err := <-answer; err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// deadLetters fills a topic with failures through the destination.
func deadLetters(t *testing.T, c *kafkatest.Client, partitions int, failures ...*destination.Failure) string {
	t.Helper()
	topic := c.NewTopic(t, partitions)
	to, err := kafka.New(franz.Driver(), "kafka://"+topic, connection(c))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = to.Close(context.Background()) }()
	sendAll(t, to, failures...)
	return topic
}

// produced writes records with the value "v" to a topic with two partitions, and returns them as they are in the topic.
func produced(t *testing.T, c *kafkatest.Client, n int) (topic string, records []event.KafkaRecord) {
	t.Helper()
	topic = c.NewTopic(t, 2)
	c.ProduceN(t, topic, n, func(i int) *kgo.Record {
		r := record(topic, i)
		records = append(records, r)
		return kafkatest.At(r.Partition, &kgo.Record{Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp),
			Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{0, 200}}}})
	})
	return topic, records
}

// run redrives a source and closes it.
func run(t *testing.T, source redrive.Source, target redrive.Target, o redrive.Options) (redrive.Report, error) {
	t.Helper()
	report, err := redrive.Run(t.Context(), source, target, o)
	if closed := source.Close(context.Background()); closed != nil {
		t.Errorf("Close: %v", closed)
	}
	return report, err
}
