package esmotel_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/esmotel"
	"github.com/twmb/franz-go/pkg/kfake"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// javaJars returns the folder with the jars of testdata/pom.xml. Maven fetches them if they are not in the user's
// cache.
func javaJars(ctx context.Context, t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("%s is missing: this needs a JDK 17 or later, and Maven", tool)
		}
	}
	pom, err := os.ReadFile("testdata/pom.xml")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(pom)
	dir := filepath.Join(cache, "esm-otel-java", hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	fetched, err := os.MkdirTemp(filepath.Dir(dir), "tmp-")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", "testdata/pom.xml", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies", "-DoutputDirectory="+fetched).CombinedOutput()
	if err != nil {
		_ = os.RemoveAll(fetched) // created above
		t.Fatalf("mvn: %v\n%s", err, out)
	}
	if err := os.Rename(fetched, dir); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return dir
}

var javaSpan = regexp.MustCompile(`(?m)^span ([0-9a-f]{32}-[0-9a-f]{16})\s*$`)

// A trace leads from Kafka's Java producer with OpenTelemetry's Java instrumentation to the span of the batch.
func TestFromJavaToHandler(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	jars := javaJars(ctx, t)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	out, err := exec.CommandContext(ctx, "java", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(jars, "*"), "testdata/Producer.java", cluster.ListenAddrs()[0], "orders").CombinedOutput()
	if err != nil {
		t.Fatalf("java: %v\n%s", err, out)
	}
	ids := javaSpan.FindSubmatch(out)
	if ids == nil {
		t.Fatalf("Java told of no span:\n%s", out)
	}

	spans := tracetest.NewInMemoryExporter()
	tracers := sdk.NewTracerProvider(sdk.WithSyncer(spans))
	defer func() { _ = tracers.Shutdown(ctx) }()
	telemetry, err := esmotel.New(esmotel.WithTracerProvider(tracers))
	if err != nil {
		t.Fatal(err)
	}
	handled := make(chan esm.KafkaEvent, 1)
	runner, err := esm.New(esm.Mapping{
		FunctionName: "f", Topics: []string{"orders"}, StartingPosition: "TRIM_HORIZON",
		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: cluster.ListenAddrs()}},
	}, func(_ context.Context, e esm.KafkaEvent) error {
		handled <- e
		return nil
	}, append(telemetry.Options(), esm.WithDriver(franz.Driver()))...)
	if err != nil {
		t.Fatal(err)
	}
	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- runner.Run(run) }()
	select {
	case e := <-handled:
		if r := e.Records["orders-0"]; len(r) != 1 || string(r[0].Value) != "from Java" {
			t.Errorf("%+v", e)
		}
	case <-ctx.Done():
		t.Error("the record was not handled")
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var led []string
	for _, s := range spans.GetSpans() {
		if s.Name == "process orders" {
			led = append(led, s.Parent.TraceID().String()+"-"+s.Parent.SpanID().String())
		}
	}
	if !slices.Equal(led, []string{string(ids[1])}) {
		t.Errorf("the parents of the batches' spans are %v, and Java's was %s", led, ids[1])
	}
}
