package event_test

import (
	"fmt"

	"github.com/esm-go/esm/event"
)

func ExampleKafkaEvent_AppendJSON() {
	e := event.KafkaEvent{
		EventSource:      event.SourceSelfManagedKafka,
		BootstrapServers: "localhost:9092",
		Records: map[string][]event.KafkaRecord{
			"orders-0": {{Topic: "orders", Offset: 15, Timestamp: 1700000000000, Value: []byte("hello")}},
		},
	}
	fmt.Println(string(e.AppendJSON(nil)))
	// Output: {"eventSource":"SelfManagedKafka","bootstrapServers":"localhost:9092","records":{"orders-0":[{"topic":"orders","partition":0,"offset":15,"timestamp":1700000000000,"timestampType":"CREATE_TIME","value":"aGVsbG8=","headers":[]}]}}
}

// Size returns the size of an event without encoding it.
func ExampleKafkaEvent_Size() {
	e := event.KafkaEvent{
		EventSource:      event.SourceSelfManagedKafka,
		BootstrapServers: "localhost:9092",
		Records:          map[string][]event.KafkaRecord{"orders-0": {{Topic: "orders", Offset: 15, Value: []byte("hello")}}},
	}
	fmt.Println(e.Size() == len(e.AppendJSON(nil)))
	// Output: true
}
