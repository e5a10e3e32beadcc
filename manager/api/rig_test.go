package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/api"
	"github.com/esm-go/esm/manager/store"
	"github.com/esm-go/esm/manager/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Credentials of the tests' clients.
const (
	testKey    = "AKIAIOSFODNN7EXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	testRegion = "us-east-1"
	accountARN = "arn:aws:lambda:us-east-1:111111111111:"
	secretARN  = "arn:aws:secretsmanager:us-east-1:111111111111:secret:broker-login"
)

// rig is a Manager with an in-memory broker, and its API on a local listener.
type rig struct {
	t       *testing.T
	broker  *esmtest.Broker
	store   store.Store
	manager *manager.Manager
	url     string
	handled chan esm.KafkaEvent
}

func newRig(t *testing.T, opts ...api.Option) *rig {
	t.Helper()
	return newRigOf(t, nil, opts...)
}

func newRigOf(t *testing.T, more []manager.Option, opts ...api.Option) *rig {
	t.Helper()
	r := &rig{t: t, broker: esmtest.NewBroker(t), store: memory.New(), handled: make(chan esm.KafkaEvent, 1000)}
	for _, topic := range []string{"topic", "topic_2", "AWSKafkaTopic"} {
		r.broker.CreateTopic(topic, 2)
	}
	quiet := slog.New(slog.DiscardHandler)
	handle := func(_ context.Context, e esm.KafkaEvent) error {
		r.handled <- e
		return nil
	}
	managerOptions := append([]manager.Option{
		manager.WithLogger(quiet), manager.WithARN(manager.ARN{Region: testRegion, Account: "111111111111"}),
		manager.WithRunnerOptions(esm.WithDriver(r.broker.Driver()), esm.WithStopTimeout(time.Second), esm.WithSecrets(auth.NewStatic(map[string]string{
			secretARN: `{"username":"alice","password":"kafka-password"}`,
			"arn:aws:secretsmanager:us-east-1:123456789012:secret:MyBrokerSecretName": `{"username":"alice","password":"kafka-password"}`,
		}))),
	}, more...)
	m, err := manager.New(r.store, manager.Handlers{"orders": handle, "my-kafka-function": handle, "billing": handle}, managerOptions...)
	if err != nil {
		t.Fatal(err)
	}
	r.manager = m
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error("Run:", err)
		}
	})
	if opts == nil {
		opts = []api.Option{api.WithCredentials(api.Credentials{AccessKeyID: testKey, SecretAccessKey: auth.NewSecret(testSecret)})}
	}
	handler, err := api.New(m, append(opts, api.WithLogger(quiet))...)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	r.url = server.URL
	return r
}

// call sends an unsigned request.
func (r *rig) call(method, path, body string, header ...string) (int, http.Header, map[string]any) {
	r.t.Helper()
	request, err := http.NewRequest(method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			request.Host = header[i+1]
		}
		request.Header.Set(header[i], header[i+1])
	}
	return r.do(request)
}

func (r *rig) do(request *http.Request) (int, http.Header, map[string]any) {
	r.t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	var answer map[string]any
	if len(raw) > 0 {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		if err := decoder.Decode(&answer); err != nil {
			r.t.Fatalf("%s %s answered %d with what is no JSON object: %s", request.Method, request.URL, response.StatusCode, raw)
		}
	}
	return response.StatusCode, response.Header, answer
}

// within polls until ok returns true, or fails the test.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited in vain for", what)
		}
	}
}

type managerFilter = manager.Filter
