package esm_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/scaling"
)

// orders is the mapping of the examples. An in-memory broker takes the place of Kafka: esmtest.Option(broker) is its
// driver, and a real program leaves it out.
func orders() esm.Mapping {
	return esm.Mapping{
		FunctionName:                   "orders",
		SelfManagedEventSource:         esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"localhost:9092"}}},
		Topics:                         []string{"orders"},
		MaximumBatchingWindowInSeconds: new(0),
	}
}

func filled(values ...string) *esmtest.Broker {
	broker := esmtest.NewBroker(nil)
	broker.Produce("orders", esmtest.Values(values...)...)
	return broker
}

var quiet = esm.WithLogger(slog.New(slog.DiscardHandler))

// Run returns nil after a clean stop. A program stops it by ending the context, for example one from
// signal.NotifyContext.
func ExampleRun() {
	broker := filled("a", "b", "c")
	ctx, stop := context.WithCancel(context.Background())
	err := esm.Run(ctx, orders(), func(_ context.Context, event esm.KafkaEvent) error {
		for partition, records := range event.Records {
			for _, r := range records {
				fmt.Println(partition, r.Offset, string(r.Value))
			}
		}
		stop()
		return nil
	}, esmtest.Option(broker), quiet)
	fmt.Println(err)
	// Output:
	// orders-0 0 a
	// orders-0 1 b
	// orders-0 2 c
	// <nil>
}

// New checks everything at once, and each error names the parameter.
func ExampleNew() {
	m := orders()
	m.BatchSize, m.MaximumRecordAgeInSeconds = 20_000, new(30)
	_, err := esm.New(m, func(context.Context, esm.KafkaEvent) error { return nil }, esm.WithStopTimeout(-time.Second))
	fmt.Println(errors.Is(err, esm.ErrInvalidMapping))
	fmt.Println(err)
	// Output:
	// true
	// esm: WithStopTimeout(-1s): want 0 or more
	// esm: BatchSize = 20000: must be 1 to 10000; leave it out for 100
	// esm: MaximumRecordAgeInSeconds = 30: must be 60 to 604800; -1 is without limit
}

// Hooks receive what a log or a metric needs.
func ExampleHooks() {
	broker := filled("good", "bad")
	ctx, stop := context.WithCancel(context.Background())
	m := orders()
	m.MaximumRetryAttempts, m.BatchSize = new(0), 1
	err := esm.Run(ctx, m, func(_ context.Context, event esm.KafkaEvent) error {
		if string(event.Records["orders-0"][0].Value) == "bad" {
			return errors.New("cannot be read")
		}
		return nil
	}, esm.WithHooks(esm.Hooks{
		Drop: func(i esm.DropInfo) {
			fmt.Println("dropped", i.TopicPartition, i.Records[0].Offset, i.Reason, i.Err)
			stop()
		},
	}), esmtest.Option(broker), quiet)
	fmt.Println(err)
	// Output:
	// dropped orders-0 1 RetryAttemptsExhausted cannot be read
	// <nil>
}

// Only the records that ItemFailures names are retried; those after them in the partition wait.
func ExampleItemFailures() {
	broker := filled("a", "b", "c")
	ctx, stop := context.WithCancel(context.Background())
	m := orders()
	m.FunctionResponseTypes = []esm.FunctionResponseType{esm.ReportBatchItemFailures}
	err := esm.Run(ctx, m, func(ctx context.Context, event esm.KafkaEvent) error {
		invocation, _ := esm.InvocationFromContext(ctx)
		records := event.Records["orders-0"]
		fmt.Println("attempt", invocation.Attempt, "of", string(records[0].Value), "to", string(records[len(records)-1].Value))
		if len(records) == 3 {
			return esm.ItemFailures(records[1].ItemID())
		}
		stop()
		return nil
	}, esm.WithRetryBackoff(time.Millisecond, time.Millisecond), esmtest.Option(broker), quiet)
	fmt.Println(err)
	// Output:
	// attempt 1 of a to c
	// attempt 2 of b to b
	// <nil>
}

// A record that no retry will fix goes to the on-failure destination at once, or is dropped if there is none.
func ExamplePermanent() {
	broker := filled("not JSON")
	ctx, stop := context.WithCancel(context.Background())
	err := esm.Run(ctx, orders(), func(context.Context, esm.KafkaEvent) error {
		return esm.Permanent(errors.New("not an order"))
	}, esm.WithHooks(esm.Hooks{Drop: func(i esm.DropInfo) {
		fmt.Println("dropped after", i.Attempts, "attempt:", i.Err)
		stop()
	}}), esmtest.Option(broker), quiet)
	fmt.Println(err)
	// Output:
	// dropped after 1 attempt: not an order
	// <nil>
}

// Update changes the parameters that AWS lets one change, while the mapping runs.
func ExampleRunner_Update() {
	m := orders()
	r, err := esm.New(m, func(context.Context, esm.KafkaEvent) error { return nil }, quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	m.BatchSize = 500
	fmt.Println(r.Update(m))

	m.Topics = []string{"invoices"}
	err = r.Update(m)
	fmt.Println(errors.Is(err, esm.ErrImmutable))
	// Output:
	// <nil>
	// true
}

// Drain asks for as many workers as are needed to clear the backlog in a given time.
func ExampleWithScaler() {
	r, err := esm.New(orders(), func(context.Context, esm.KafkaEvent) error { return nil },
		esm.WithScaler(&scaling.Drain{DrainTime: 30 * time.Second}), esm.WithWorkerRange(2, 20), quiet)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Status().Workers, "workers to begin with")
	// Output: 2 workers to begin with
}
