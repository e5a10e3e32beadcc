package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/kafka"
	"github.com/esm-go/esm/destination/s3"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/awstest"
	"github.com/esm-go/esm/internal/kafkatest"
)

var brokers kafkatest.Pool

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
	}
	// The program has one HTTP client for its lifetime, whose connections stay open.
	http.DefaultTransport = &http.Transport{DisableKeepAlives: true}
	goleak.VerifyTestMain(brokers.Main(m))
}

// program runs the program in this process.
func program(t *testing.T, args ...string) (code int, out, err string) {
	t.Helper()
	var o, e bytes.Buffer
	code = dispatch(t.Context(), args, streams{strings.NewReader(""), &o, &e})
	return code, o.String(), e.String()
}

func failure(i int) *destination.Failure {
	r := event.KafkaRecord{Topic: "orders", Partition: int32(i % 2), Offset: int64(i / 2), Timestamp: 1_700_000_000_000,
		Key: fmt.Append(nil, "key-", i), Value: fmt.Append(nil, `{"n":`, i, `}`)}
	return &destination.Failure{MappingUUID: "m", Condition: destination.RetryAttemptsExhausted, Time: time.UnixMilli(1_700_000_000_000),
		Event: event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: "b:9092",
			Records: map[string][]event.KafkaRecord{event.PartitionKey(r.Topic, r.Partition): {r}}}}
}

// fill sends n failures.
func fill(t *testing.T, to destination.Destination, n int) {
	t.Helper()
	s := destination.NewSender(to, destination.SenderConfig{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		s.Send(t.Context(), failure(i), func(err error) {
			defer wg.Done()
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func fillTopic(t *testing.T, c *kafkatest.Client, partitions, n int) string {
	t.Helper()
	topic := c.NewTopic(t, partitions)
	to, err := kafka.New(franz.Driver(), "kafka://"+topic, driver.ProducerConfig{BootstrapServers: c.Bootstrap()})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, to, n)
	if err := to.Close(context.Background()); err != nil {
		t.Error(err)
	}
	return topic
}

// repaired is a working function behind a URL.
type repaired struct {
	*httptest.Server

	mu    sync.Mutex
	got   map[string]int
	after func(taken int)
}

func newRepaired(t *testing.T) *repaired {
	t.Helper()
	f := &repaired{got: make(map[string]int)}
	f.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var e event.KafkaEvent
		if err := e.UnmarshalJSON(body); err != nil {
			t.Error(err)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, records := range e.Records {
			for _, r := range records {
				f.got[string(r.Key)]++
			}
		}
		if f.after != nil {
			f.after(len(f.got))
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func TestRedriveTopicToURL(t *testing.T) {
	c := kafkatest.Fake(t).Client
	topic := fillTopic(t, c, 2, 30)
	f := newRepaired(t)
	servers := strings.Join(c.Bootstrap(), ",")
	code, out, errs := program(t, "redrive", "-from", "kafka://"+topic, "-bootstrap-servers", servers, "-dry-run", "-key", "key-3")
	if code != 0 || !strings.Contains(out, "30 failures read, 1 would be handed over, 29 passed over by the filter") || !strings.Contains(out, "2023-11-14T22:13:20Z RetryAttemptsExhausted orders-1@1") || errs != "" {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	code, out, errs = program(t, "redrive", "-from", "kafka://"+topic, "-bootstrap-servers", servers, "-to", f.URL)
	if code != 0 || out != "30 failures read, 30 brought back\n30 records handed over\n" || errs != "" || len(f.got) != 30 {
		t.Errorf("%d, %d records\n%s%s", code, len(f.got), out, errs)
	}
	if code, out, _ = program(t, "redrive", "-from", "kafka://"+topic, "-bootstrap-servers", servers, "-to", f.URL); code != 0 || !strings.HasPrefix(out, "0 failures read") {
		t.Errorf("%d\n%s", code, out)
	}
}

// TestRedriveToTopic reads the cluster from a mapping file.
func TestRedriveToTopic(t *testing.T) {
	c := kafkatest.Fake(t).Client
	topic := fillTopic(t, c, 1, 10)
	c.CreateTopic(t, "orders", 2)
	file := filepath.Join(t.TempDir(), "mapping.json")
	mapping := fmt.Sprintf(`{"FunctionName":"f","Topics":["orders"],"SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":[%q]}}}`, c.Bootstrap()[0])
	if err := os.WriteFile(file, []byte(mapping), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := program(t, "redrive", "-from", "kafka://"+topic, "-mapping", file, "-to", "source")
	if code != 0 || !strings.Contains(out, "10 brought back") {
		t.Fatalf("%d\n%s%s", code, out, errs)
	}
	cl := c.Connect(t, kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	keys := make(map[string]int32)
	for len(keys) < 10 && t.Context().Err() == nil {
		for _, r := range cl.PollFetches(t.Context()).Records() {
			keys[string(r.Key)] = r.Partition
		}
	}
	for i := range 10 {
		if got, ok := keys[fmt.Sprint("key-", i)]; !ok || got != int32(i%2) {
			t.Errorf("key-%d is in partition %d, %t", i, got, ok)
		}
	}
}

func TestRedriveBucket(t *testing.T) {
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	defer server.Close()
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": awstest.Region, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "x"} {
		t.Setenv(name, value)
	}
	cfg := awstest.Config(t, server.URL)
	bucket, _ := awstest.Bucket(t, cfg)
	to, err := s3.New(t.Context(), "arn:aws:s3:::"+bucket, s3.WithConfig(cfg), s3.WithClientOptions(awstest.PathStyle))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, to, 20)
	f := newRepaired(t)
	code, out, errs := program(t, "redrive", "-from", "s3://"+bucket+"/aws/lambda/m/orders-1/", "-s3-path-style", "-to", f.URL, "-list")
	if code != 0 || len(f.got) != 10 || strings.Count(out, "redriven aws/lambda/m/orders-1/2023/11/14/") != 10 {
		t.Errorf("%d, %d records\n%s%s", code, len(f.got), out, errs)
	}
	if code, out, errs = program(t, "redrive", "-from", "arn:aws:s3:::"+bucket, "-s3-path-style", "-to", f.URL); code != 0 || len(f.got) != 20 {
		t.Errorf("%d, %d records\n%s%s", code, len(f.got), out, errs)
	}
}

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		args string
		code int
		says string
	}{
		{"", 2, "redrive    bring failures back"},
		{"help", 0, ""},
		{"nothing", 2, `no command "nothing"`},
		{"redrive -h", 0, "SOURCE is kafka://TOPIC"},
		{"redrive", 2, "-from is missing"},
		{"redrive -from kafka://t", 2, "-to is missing"},
		{"redrive -from kafka://t -to source", 1, "give -mapping or -bootstrap-servers"},
		{"redrive -from kafka://t -dry-run", 1, "give -mapping or -bootstrap-servers"},
		{"redrive -from kafka://t -to kafka://t -bootstrap-servers b:1", 1, "is where the failures are"},
		{"redrive -from t -dry-run", 1, "is not kafka://TOPIC"},
		{"redrive -from kafka://t -to t", 1, "is not kafka://TOPIC, source, function:NAME"},
		{"redrive -from kafka://t -to function:orders", 2, "-functions and -to function:NAME"},
		{"redrive -from kafka://t -to source -functions f", 2, "-functions and -to function:NAME"},
		{"redrive -from kafka://t -to function:orders -functions missing.yaml -bootstrap-servers b:1", 1, "missing.yaml"},
		{"redrive -from kafka://.t -dry-run -bootstrap-servers b:1", 1, "names the topic"},
		{"redrive -from kafka://t -dry-run -since yesterday", 2, "want a time such as"},
		{"redrive -from kafka://t -dry-run -mapping m -bootstrap-servers b:1", 2, "one of them names the cluster"},
		{"redrive -from kafka://t -dry-run more", 2, `unknown argument "more"`},
		{"redrive -from kafka://t -dry-run -mapping missing.json", 1, "missing.json"},
	} {
		code, _, errs := program(t, strings.Fields(test.args)...)
		if code != test.code || !strings.Contains(errs, test.says) {
			t.Errorf("esm %s: %d\n%s", test.args, code, errs)
		}
	}
}
