package console_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/console"
	"github.com/esm-go/esm/manager/store/memory"
)

// BenchmarkList renders the page of 200 mappings.
func BenchmarkList(b *testing.B) {
	m := benchManager(b)
	for i := range 200 {
		if _, err := m.Create(b.Context(), esm.Mapping{
			FunctionName: "orders", Topics: []string{fmt.Sprint("topic-", i)}, Enabled: new(false),
			SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"broker:9092"}}},
		}); err != nil {
			b.Fatal(err)
		}
	}
	benchPage(b, m, "/", 201)
}

// BenchmarkMapping renders the page of a mapping with 1,000 partitions.
func BenchmarkMapping(b *testing.B) {
	broker := esmtest.NewBroker(b)
	broker.CreateTopic("topic", 1000)
	m := benchManager(b, manager.WithRunnerOptions(esm.WithDriver(broker.Driver()), esm.WithStopTimeout(time.Second)))
	d, err := m.Create(b.Context(), esm.Mapping{
		FunctionName: "orders", Topics: []string{"topic"},
		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"broker:9092"}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	for range 3000 {
		if s, err := m.Status(d.Mapping.UUID); err == nil && len(s.Partitions) == 1000 {
			break
		}
		time.Sleep(10 * time.Millisecond) // polling: a benchmark has nothing else to wait on
	}
	benchPage(b, m, "/mappings/"+d.Mapping.UUID, 1001)
}

func benchManager(b *testing.B, opts ...manager.Option) *manager.Manager {
	b.Helper()
	quiet := manager.WithLogger(slog.New(slog.DiscardHandler))
	m, err := manager.New(memory.New(), manager.Handlers{"orders": func(context.Context, esm.KafkaEvent) error { return nil }}, append(opts, quiet)...)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	b.Cleanup(func() { stop(); <-ended })
	return m
}

func benchPage(b *testing.B, m *manager.Manager, path string, rows int) {
	b.Helper()
	pages, err := console.New(m)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = "localhost"
		if pages.ServeHTTP(w, r); w.Code != http.StatusOK || strings.Count(w.Body.String(), "<tr>") != rows {
			b.Fatal(w.Code, strings.Count(w.Body.String(), "<tr>"))
		}
	}
}
