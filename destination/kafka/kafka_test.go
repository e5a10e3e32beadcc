package kafka_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/kafka"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/awstest"
	"github.com/esm-go/esm/internal/kafkatest"
)

var brokers kafkatest.Pool

func TestMain(m *testing.M) { goleak.VerifyTestMain(brokers.Main(m)) }

// drivers are the drivers that can write; the one with cgo is added in another file.
var drivers = map[string]driver.Driver{"franz": franz.Driver()}

// each runs a test with each driver on the in-process Kafka.
func each(t *testing.T, test func(t *testing.T, d driver.Driver, c *kafkatest.Client)) {
	t.Helper()
	for name, d := range drivers {
		t.Run(name, func(t *testing.T) { test(t, d, kafkatest.Fake(t).Client) })
	}
}

func open(t *testing.T, d driver.Driver, c *kafkatest.Client, topic string, opts ...kafka.Option) *kafka.Destination {
	t.Helper()
	out, err := kafka.New(d, "kafka://"+topic, driver.ProducerConfig{BootstrapServers: c.Bootstrap(), ClientID: "test", Timeout: 10 * time.Second}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := out.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return out
}

// read returns the n messages of a topic.
func read(t *testing.T, c *kafkatest.Client, topic string, n int) []*kgo.Record {
	t.Helper()
	sum := int64(0)
	for _, end := range c.EndOffsets(t, topic) {
		sum += end
	}
	if sum < int64(n) {
		t.Fatalf("%s holds %d messages, want %d", topic, sum, n)
	}
	cl := c.Connect(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all []*kgo.Record
	for len(all) < n && ctx.Err() == nil {
		all = append(all, cl.PollFetches(ctx).Records()...)
	}
	return all
}

func testSend(t *testing.T, d driver.Driver, c *kafkatest.Client) {
	topic := c.NewTopic(t, 3)
	to := open(t, d, c, topic, kafka.WithSource("orders", "^or.*"))
	if err := to.Check(t.Context()); err != nil {
		t.Error(err)
	}
	f := awstest.Failure(2)
	redriven := &f.Event.Records["orders-0"][0]
	redriven.Headers = append([]event.Header{{Key: destination.AttributeRedrives, Value: []byte("2")}}, redriven.Headers...)
	tombstone := event.KafkaRecord{Topic: "orders", Partition: 1, Offset: 9, Timestamp: -1, TimestampType: event.NoTimestampType}
	f.Event.Records["orders-1"] = append(f.Event.Records["orders-1"], tombstone)
	if err := to.Send(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	got := read(t, c, topic, 4)
	if len(got) != 4 {
		t.Fatalf("%d messages", len(got))
	}
	found := make(map[string]bool)
	for _, m := range got {
		doc, err := destination.Parse(m.Value)
		if err != nil {
			t.Fatal(err)
		}
		for key, records := range doc.Event.Records {
			r := records[0]
			var original event.KafkaRecord
			for _, o := range f.Event.Records[key] {
				if o.Offset == r.Offset {
					original = o
				}
			}
			if !bytes.Equal(r.AppendJSON(nil), original.AppendJSON(nil)) {
				t.Errorf("got %+v, want %+v", r, original)
			}
			if !bytes.Equal(m.Key, original.Key) || (m.Key == nil) != (original.Key == nil) {
				t.Errorf("key %q, want %q", m.Key, original.Key)
			}
			wantHeaders := ""
			redrives := ""
			for _, h := range original.Headers {
				if h.Key == destination.AttributeRedrives {
					redrives = "esm-redrives=\"2\";"
				} else {
					wantHeaders += fmt.Sprintf("%s=%q;", h.Key, h.Value)
				}
			}
			wantHeaders += fmt.Sprintf("esm-id=%q;esm-mapping=%q;%s", f.One(original).ID(), f.MappingUUID, redrives)
			gotHeaders := ""
			for _, h := range m.Headers {
				gotHeaders += fmt.Sprintf("%s=%q;", h.Key, h.Value)
			}
			if gotHeaders != wantHeaders {
				t.Errorf("headers %s, want %s", gotHeaders, wantHeaders)
			}
			found[fmt.Sprint(key, r.Offset)] = true
		}
		var raw struct {
			RequestContext struct{ RequestID, Condition string }
		}
		if err := json.Unmarshal(m.Value, &raw); err != nil || raw.RequestContext.Condition != "RetriesExhausted" || raw.RequestContext.RequestID != f.ID() {
			t.Errorf("%v, %+v", err, raw)
		}
	}
	if len(found) != 4 {
		t.Errorf("found %v", found)
	}
}

func TestSend(t *testing.T) { each(t, testSend) }

func TestRefused(t *testing.T) {
	each(t, func(t *testing.T, d driver.Driver, c *kafkatest.Client) {
		to := open(t, d, c, "missing")
		for name, err := range map[string]error{"Send": to.Send(t.Context(), awstest.Failure(1)), "Check": to.Check(t.Context())} {
			var e *destination.Error
			if !errors.As(err, &e) || e.Reason != destination.ReasonNotFound || e.Destination != "kafka://missing" || !strings.Contains(err.Error(), "create the topic") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestOneTooLarge: a record that the topic rejects is the only one left; the others are written once.
func TestOneTooLarge(t *testing.T) {
	each(t, func(t *testing.T, d driver.Driver, c *kafkatest.Client) {
		topic := c.NewTopic(t, 1, "max.message.bytes=20000")
		to := open(t, d, c, topic)
		f := awstest.Failure(1)
		large := f.Event.Records["orders-0"][0]
		large.Offset, large.Value = 100, noise(40_000)
		f.Event.Records["orders-0"] = append(f.Event.Records["orders-0"], large)
		var partial *destination.PartialError
		var e *destination.Error
		err := to.Send(t.Context(), f)
		if !errors.As(err, &partial) || !errors.As(err, &e) || e.Reason != destination.ReasonTooLarge || partial.Rest.Len() != 1 || partial.Rest.Event.Records["orders-0"][0].Offset != 100 {
			t.Fatalf("got %v", err)
		}
		failed := make(chan destination.DeliveryError, 100)
		s := destination.NewSender(to, destination.SenderConfig{MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond,
			OnError: func(e destination.DeliveryError) { failed <- e }})
		answer := make(chan error, 1)
		s.Send(t.Context(), f, func(err error) { answer <- err })
		for range 3 {
			if e := <-failed; e.Failure != f {
				t.Errorf("told of %+v", e.Failure)
			}
		}
		c.AlterConfigs(t, topic, "max.message.bytes=1000000")
		if err := <-answer; err != nil {
			t.Error(err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if n := c.EndOffsets(t, topic)[0]; n != 5 { // two from the first Send, three from the second
			t.Errorf("%d messages", n)
		}
	})
}

// noise returns incompressible bytes.
func noise(n int) []byte {
	out := make([]byte, n)
	x := uint32(1)
	for i := range out {
		x = x*1664525 + 1013904223
		out[i] = byte(x >> 24)
	}
	return out
}

func TestNewRefuses(t *testing.T) {
	config := driver.ProducerConfig{BootstrapServers: []string{"127.0.0.1:1"}}
	for _, test := range []struct{ name, source, why string }{
		{"kafka://orders", "orders", "failed records would come back"},
		{"kafka://orders-failed", "^orders", "failed records would come back"},
		{"kafka://.x", "", "names the topic"},
		{"arn:aws:sqs:eu-central-1:012345678901:q", "", "is not kafka://topic"},
	} {
		if _, err := kafka.New(franz.Driver(), test.name, config, kafka.WithSource(test.source)); err == nil || !strings.Contains(err.Error(), test.why) {
			t.Errorf("New(%q): %v", test.name, err)
		}
	}
	if _, err := kafka.New(membroker.NewBroker(t).Driver(), "kafka://t", config); err == nil || !strings.Contains(err.Error(), "cannot write") {
		t.Errorf("a driver that cannot write: %v", err)
	}
	if _, err := kafka.New(franz.Driver(), "kafka://t", driver.ProducerConfig{}); err == nil || !strings.Contains(err.Error(), "BootstrapServers") {
		t.Errorf("without servers: %v", err)
	}
}
