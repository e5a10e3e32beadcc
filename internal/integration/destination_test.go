package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/internal/awstest"
	"github.com/esm-go/esm/internal/kafkatest"
)

// dead creates a topic of failures.
func (e *env) dead(t testing.TB, partitions int) *kept {
	t.Helper()
	topic := e.NewTopic(t, partitions)
	return &kept{name: "kafka://" + topic, read: newsOf(e.Client, topic)}
}

// eachDestination runs a test for each kind of destination: the topic, and AWS's three on each fake.
func eachDestination(t *testing.T, e *env, test func(t *testing.T, k *kept, cfg aws.Config)) {
	t.Helper()
	t.Run("kafka", func(t *testing.T) { test(t, e.dead(t, 2), aws.Config{}) })
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		for name, open := range map[string]func(testing.TB, aws.Config) *kept{"sqs": queue, "sns": topicOf, "s3": bucket} {
			t.Run(name, func(t *testing.T) { test(t, open(t, cfg), cfg) })
		}
	})
}

// failing returns a mapping whose given-up records go to a destination.
func (e *env) failing(topic string, k *kept) esm.Mapping {
	m := e.mapping(topic)
	m.MaximumRetryAttempts = new(1)
	m.DestinationConfig = &esm.DestinationConfig{OnFailure: &esm.Destination{Destination: k.name}}
	return m
}

// documents returns what AWS writes about record 7 of partition 0, after two invocations; ISO stands for a
// time, ID for a request's id. They are copied from AWS's documentation, not produced by the code under test.
func documents(k *kept, topic, bootstrap string, payload any) map[string]any {
	record := map[string]any{"offset": "7", "timestamp": "ISO"}
	records := map[string]any{topic + "-0": map[string]any{"firstRecordOffset": "7", "lastRecordOffset": "7", "firstRecordTimestamp": "ISO", "lastRecordTimestamp": "ISO"}}
	info := map[string]any{"batchSize": 1.0, "bootstrapServers": bootstrap}
	condition := "RetryAttemptsExhausted"
	d := map[string]any{"version": "1.0", "timestamp": "ISO", "KafkaBatchInfo": info,
		"responseContext": map[string]any{"statusCode": 200.0, "executedVersion": "$LATEST", "functionError": "Unhandled"}}
	if strings.HasPrefix(k.name, "kafka:") {
		condition, info["recordInfo"] = "RetriesExhausted", record
	} else {
		info["recordsInfo"] = records
	}
	if payload != nil {
		d["payload"] = payload
	}
	d["requestContext"] = map[string]any{"requestId": "ID", "functionArn": "f", "condition": condition, "approximateInvokeCount": 2.0}
	return d
}

// blank replaces valid times and ids by the placeholders of documents.
func blank(v any) any {
	object, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for name, x := range object {
		if s, ok := x.(string); ok {
			if at, err := time.Parse("2006-01-02T15:04:05.000Z", s); err == nil && time.Since(at).Abs() < time.Hour {
				object[name] = "ISO"
			} else if name == "requestId" && len(s) == 36 {
				object[name] = "ID"
			}
		} else {
			object[name] = blank(x)
		}
	}
	return object
}

func testPoison(t *testing.T, e *env) {
	eachDestination(t, e, func(t *testing.T, k *kept, cfg aws.Config) {
		t.Parallel()
		e := *e
		e.group = awstest.Name(t)
		topic := e.NewTopic(t, 2)
		for p := range int32(2) {
			records := make([]*kgo.Record, 20)
			for i := range records {
				records[i] = kafkatest.At(p, &kgo.Record{Topic: topic, Key: fmt.Append(nil, "key-", i), Value: fmt.Append(nil, `{"n":`, i, `}`),
					Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte{0, 200}}}})
			}
			e.Produce(t, records...)
		}
		m := e.failing(topic, k)
		m.BatchSize = 1
		var payload string
		p := e.run(t, m, func(_ context.Context, event esm.KafkaEvent) error {
			for _, r := range event.Records[topic+"-0"] {
				if r.Offset == 7 {
					payload = string(event.AppendJSON(nil))
					return fmt.Errorf("poison of %s", leak)
				}
			}
			return nil
		}, awsDestinations(cfg)).ready()
		e.committed(t, topic, map[int32]int64{0: 20, 1: 20}, p)
		s := p.runner.Status()
		if s.Destination.Name != k.name || s.Destination.Delivered != 1 || s.Metrics.OnFailureDestinationDeliveredEventCount != 1 || s.Metrics.DroppedEventCount != 0 || len(s.Conditions) > 0 {
			t.Errorf("%+v %+v %v", s.Destination, s.Metrics, s.Conditions)
		}
		p.endClean()
		wantOffsets(t, offsets(topic, p), map[int32][]int64{0: append(span(0, 7), span(8, 20)...), 1: span(0, 20)})
		got := k.now(t)
		if len(got) != 1 {
			t.Fatalf("the destination holds %d failures", len(got))
		}
		k.check(t, got[0], topic, strings.Join(e.Bootstrap(), ","), payload)
	})
}

// leak is in the handler's error, which must not appear in any document.
const leak = "what-the-handler-said"

func TestPoison(t *testing.T) { onFake(t, testPoison) }
