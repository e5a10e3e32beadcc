// Server runs mappings in its own program: handlers and a Kafka broker in this process, Lambda's API and the console on
// one address.
//
//	go run ./examples/server
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/api"
	"github.com/esm-go/esm/manager/console"
	"github.com/esm-go/esm/manager/store/files"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "the address of the API and the console")
	directory := flag.String("store", "mappings", "the directory of mappings")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *directory, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, listen, directory string, out io.Writer) error {
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "orders"))
	if err != nil {
		return err
	}
	defer kafka.Close()
	ctx, stop := context.WithCancel(ctx)
	var producer sync.WaitGroup
	producer.Go(func() { produce(ctx, kafka.ListenAddrs()) })
	defer producer.Wait()
	defer stop()

	mappings, err := files.Open(directory)
	if err != nil {
		return err
	}
	defer func() { _ = mappings.Close() }()
	m, err := manager.New(mappings, manager.Handlers{
		"orders": func(_ context.Context, event esm.KafkaEvent) error { return nil },
		"broken": func(context.Context, esm.KafkaEvent) error { return errors.New("this one never works") },
	}, manager.WithRunnerOptions(esm.WithDriver(franz.Driver())))
	if err != nil {
		return err
	}
	lambda, err := api.New(m, api.WithoutAuthentication(), api.WithPlaintext()) // only this machine can connect
	if err != nil {
		return err
	}
	pages, err := console.New(m, console.WithPrefix("/console"), console.WithPlaintext(), console.WithFunctions("orders", "broken"))
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/console/", pages)
	mux.Handle("/", lambda)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	_, _ = fmt.Fprintf(out, `Look at http://%[1]s/console/ and add a mapping there, or here:

  aws lambda create-event-source-mapping --endpoint-url http://%[1]s --region us-east-1 --function-name orders --topics orders \
    --self-managed-event-source '{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["%[2]s"]}}'

(A function "broken" is there too. The Kafka in this process has a new port each time; Ctrl-C ends it.)
`, listener.Addr(), kafka.ListenAddrs()[0])
	err = m.Run(ctx) // returns when every mapping has stopped
	return errors.Join(err, server.Close(), ignoreClosed(<-ended))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// produce writes orders until ctx ends.
func produce(ctx context.Context, servers []string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(servers...), kgo.DefaultProduceTopic("orders"))
	if err != nil {
		return
	}
	defer client.Close()
	for n := 0; ctx.Err() == nil; n++ {
		status := []string{"NEW", "PAID", "SENT"}[n%3]
		client.Produce(ctx, kgo.StringRecord(fmt.Sprintf(`{"order":%d,"status":%q}`, n, status)), nil)
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}
