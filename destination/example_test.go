package destination_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
)

// A custom destination, which is unavailable at first. The sender retries until the destination has the failure.
func ExampleSender() {
	away := true
	mine := destination.Func(func(_ context.Context, f *destination.Failure) error {
		if away {
			away = false
			return errors.New("connection refused")
		}
		doc, _ := f.Metadata(0)
		fmt.Println(len(doc) > 0, f.Condition, destination.FormatOffsets(f.Offsets()))
		return nil
	})
	sender := destination.NewSender(mine, destination.SenderConfig{
		OnError: func(e destination.DeliveryError) { fmt.Println("attempt", e.Attempt, e.Err) },
	})
	failure := &destination.Failure{Condition: destination.RetryAttemptsExhausted, Event: event.KafkaEvent{
		EventSource: event.SourceSelfManagedKafka,
		Records:     map[string][]event.KafkaRecord{"orders-0": {{Topic: "orders", Offset: 5}, {Topic: "orders", Offset: 7}}},
	}}
	acknowledged := make(chan error, 1)
	sender.Send(context.Background(), failure, func(err error) { acknowledged <- err })
	fmt.Println(<-acknowledged)
	_ = sender.Close(context.Background())
	// Output:
	// attempt 1 connection refused
	// true RetryAttemptsExhausted orders 0:5,2
	// <nil>
}
