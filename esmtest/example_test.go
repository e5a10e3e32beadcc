package esmtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
)

// handleOrder is the handler under test. It rejects the order "bad".
func handleOrder(_ context.Context, e esm.KafkaEvent) error {
	for partition, records := range e.Records {
		for _, r := range records {
			if string(r.Value) == "bad" {
				return fmt.Errorf("%s offset %d: %w", partition, r.Offset, errBad)
			}
		}
	}
	return nil
}

var errBad = errors.New("bad order")

// In a bubble a window of five minutes takes no real time.
func Example() {
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := esmtest.NewBroker(t)
			b.CreateTopic("orders", 1)
			m := esm.Mapping{Topics: []string{"orders"}, MaximumBatchingWindowInSeconds: new(300), MaximumRetryAttempts: new(1)}
			r := esmtest.Start(t, b, m, handleOrder)
			<-r.Ready()

			b.Produce("orders", esmtest.Values("good", "bad")...)
			time.Sleep(299 * time.Second)
			if err := esmtest.ExpectExactly(r); err != nil {
				t.Error("before the window has ended:", err)
			}
			time.Sleep(2 * time.Second)
			if err := esmtest.ExpectExactly(r, esmtest.Failed(errBad), esmtest.Failed(errBad)); err != nil {
				t.Error(err)
			}
		})
	}
	fmt.Println("ok:", testing.RunTests(func(string, string) (bool, error) { return true, nil },
		[]testing.InternalTest{{Name: "TestOrders", F: test}}))
	// Output: ok: true
}

func ExampleEvent() {
	fmt.Println(handleOrder(context.Background(), esmtest.Event("orders", esmtest.Values("good", "bad")...)))
	// Output: orders-0 offset 1: bad order
}

func ExampleInvoke() {
	// In a test, pass its t instead of nil.
	r := esmtest.Invoke(nil, esm.Mapping{BisectBatchOnFunctionError: true, MaximumRetryAttempts: new(1)},
		handleOrder, esmtest.Values("good", "good", "bad", "good")...)
	for _, i := range r.Invocations {
		fmt.Println(i.Records, "records:", i.Err)
	}
	for _, d := range r.Dropped {
		fmt.Println("dropped", d.TopicPartition, d.Records[0].Offset, d.Reason)
	}
	// Output:
	// 4 records: topic-0 offset 2: bad order
	// 2 records: <nil>
	// 2 records: topic-0 offset 2: bad order
	// 1 records: topic-0 offset 2: bad order
	// 1 records: topic-0 offset 2: bad order
	// 1 records: <nil>
	// dropped topic-0 2 RetryAttemptsExhausted
}

func ExampleStart() {
	// In a test, pass its t instead of nil; Stop is not needed then.
	b := esmtest.NewBroker(nil)
	b.Produce("orders", esmtest.Values("a", "b", "c")...)
	r := esmtest.Start(nil, b, esm.Mapping{Topics: []string{"orders"}}, handleOrder)
	if err := esmtest.Expect(r, esmtest.Delivered("orders-0", 0, 1, 2)); err != nil {
		fmt.Println(err)
	}
	fmt.Println(r.Stop(), "lag", b.Lag(""))
	// Output: <nil> lag 0
}
