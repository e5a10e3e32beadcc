package awstest

import (
	"fmt"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
)

// Failure returns a failure of one record in each of n partitions of a topic, with a gap of one in the first.
func Failure(n int) *destination.Failure {
	f := &destination.Failure{
		MappingUUID: "14e0db71-5d35-4eb5-b481-8945cf9d10c2", FunctionARN: "arn:aws:lambda:eu-central-1:123456789012:function:f",
		Condition: destination.RetryAttemptsExhausted, Invocations: 3,
		Response: &destination.Response{StatusCode: 200, ExecutedVersion: "$LATEST", FunctionError: "Unhandled"},
		Time:     time.UnixMilli(1_700_000_001_000),
		Event: event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: "b-1:9092",
			Records: make(map[string][]event.KafkaRecord)},
	}
	for p := range int32(n) {
		f.Event.Records[event.PartitionKey("orders", p)] = []event.KafkaRecord{{Topic: "orders", Partition: p, Offset: 5,
			Timestamp: 1_700_000_000_123, Key: fmt.Appendf(nil, "key-%d", p), Value: []byte(`{"a":1}`),
			Headers: []event.Header{{Key: "trace", Value: []byte{0, 200}}}}}
	}
	first := f.Event.Records["orders-0"]
	again := first[0]
	again.Offset = 7
	f.Event.Records["orders-0"] = append(first, again)
	return f
}
