package esmotel_test

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/esmotel"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver is an OTLP receiver that keeps what it receives.
type receiver struct {
	mu    sync.Mutex
	spans []*otlp.Span
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range request.GetResourceSpans() {
		for _, in := range of.GetScopeSpans() {
			r.spans = append(r.spans, in.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(nil)
}

// find returns the spans with a name.
func (r *receiver) find(name string) (list []*otlp.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if s.GetName() == name {
			list = append(list, s)
		}
	}
	return list
}

// A trace leads from a franz-go producer with kotel, and from one with headers like those of OpenTelemetry's Java
// agent, over a broker and OTLP to the handler's span and to the span that the handler creates.
func TestFromProducerToHandler(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	got := new(receiver)
	server := httptest.NewServer(got)
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	tracers := sdk.NewTracerProvider(sdk.WithSyncer(exporter), sdk.WithResource(resource.Empty()))
	defer func() { _ = tracers.Shutdown(ctx) }()

	kafkaTracer := kotel.NewTracer(kotel.TracerProvider(tracers), kotel.TracerPropagator(propagation.TraceContext{}))
	producer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.WithHooks(kotel.NewKotel(kotel.WithTracer(kafkaTracer)).Hooks()...))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	const java = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	records := []*kgo.Record{
		{Topic: "orders", Value: []byte("with kotel")},
		{Topic: "orders", Value: []byte("as Java's"), Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte(java)}}},
	}
	if err := producer.ProduceSync(ctx, records[0]).FirstErr(); err != nil {
		t.Fatal(err)
	}
	plain, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if err := plain.ProduceSync(ctx, records[1]).FirstErr(); err != nil {
		t.Fatal(err)
	}

	telemetry, err := esmotel.New(esmotel.WithTracerProvider(tracers))
	if err != nil {
		t.Fatal(err)
	}
	handled := make(chan struct{}, 10)
	runner, err := esm.New(esm.Mapping{
		FunctionName: "f", Topics: []string{"orders"}, StartingPosition: "TRIM_HORIZON",
		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: cluster.ListenAddrs()}},
	}, func(ctx context.Context, e esm.KafkaEvent) error {
		_, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("handler").Start(ctx, "write to the database")
		span.End()
		for range e.Len() {
			handled <- struct{}{}
		}
		return nil
	}, append(telemetry.Options(), esm.WithDriver(franz.Driver()))...)
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- runner.Run(run) }()
	for range records {
		select {
		case <-handled:
		case <-ctx.Done():
			t.Fatal("the records were not handled")
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	published := got.find("orders publish")
	if len(published) != 1 {
		t.Fatalf("%d spans of the producer", len(published))
	}
	want := []string{hex.EncodeToString(published[0].GetTraceId()) + "-" + hex.EncodeToString(published[0].GetSpanId()), strings.TrimSuffix(java[3:], "-01")}
	var led []string // the targets of the batch spans' links
	inside := got.find("write to the database")
	for _, s := range got.find("process orders") {
		if len(s.GetParentSpanId()) > 0 {
			led = append(led, hex.EncodeToString(s.GetTraceId())+"-"+hex.EncodeToString(s.GetParentSpanId()))
		}
		for _, l := range s.GetLinks() {
			led = append(led, hex.EncodeToString(l.GetTraceId())+"-"+hex.EncodeToString(l.GetSpanId()))
		}
		if !slices.ContainsFunc(inside, func(x *otlp.Span) bool { return string(x.GetParentSpanId()) == string(s.GetSpanId()) }) {
			t.Error("the handler's own span is not beneath that of its batch")
		}
		if s.GetKind() != otlp.Span_SPAN_KIND_CONSUMER {
			t.Errorf("kind %v", s.GetKind())
		}
	}
	slices.Sort(led)
	slices.Sort(want)
	if !slices.Equal(led, want) {
		t.Errorf("the spans of the batches lead to %v, want %v", led, want)
	}
	if len(got.find("commit orders")) == 0 {
		t.Error("no span of a commit")
	}
}
