package manager_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/api"
	"github.com/esm-go/esm/manager/store/memory"
)

// A program that runs the mappings of a store, and lets the aws command on the same machine change them. A real program
// opens manager/store/files, and gives the Runners its secrets instead of the in-memory broker.
func Example() {
	broker := esmtest.NewBroker(nil)
	broker.CreateTopic("orders", 1)
	done := make(chan struct{})
	functions := manager.Handlers{"orders": func(_ context.Context, e esm.KafkaEvent) error {
		fmt.Println(e.Len(), "record")
		close(done)
		return nil
	}}
	m, err := manager.New(memory.New(), functions, manager.WithLogger(slog.New(slog.DiscardHandler)), manager.WithRunnerOptions(esmtest.Option(broker)))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()

	handler, err := api.New(m, api.WithoutAuthentication())
	if err != nil {
		fmt.Println(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/2015-03-31/", handler)
	mux.Handle("/2017-03-31/", handler)

	d, err := m.Create(ctx, esm.Mapping{
		FunctionName:           "orders",
		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"broker:9092"}}},
		Topics:                 []string{"orders"},
	})
	fmt.Println(d.State, d.FunctionARN, err)
	broker.Produce("orders", esmtest.Values("an order")...)
	<-done
	stop()
	fmt.Println(<-ended)
	// Output:
	// Creating arn:aws:lambda:us-east-1:000000000000:function:orders <nil>
	// 1 record
	// <nil>
}
