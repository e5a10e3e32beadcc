package console_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/console"
	"github.com/esm-go/esm/manager/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a Manager with an in-process Kafka, and its console on a local listener.
type rig struct {
	t       *testing.T
	cluster *kafkatest.Client
	manager *manager.Manager
	url     string
	fails   atomic.Bool // whether the function fails
	handled chan esm.KafkaEvent
}

func newRig(t *testing.T, opts ...console.Option) *rig {
	t.Helper()
	return newRigWith(t, nil, opts...)
}

func newRigWith(t *testing.T, more []manager.Option, opts ...console.Option) *rig {
	t.Helper()
	r := &rig{t: t, cluster: kafkatest.Fake(t).Client, handled: make(chan esm.KafkaEvent, 10000)}
	quiet := slog.New(slog.DiscardHandler)
	handle := func(_ context.Context, e esm.KafkaEvent) error {
		if r.fails.Load() {
			return errors.New("the orders service does not answer")
		}
		r.handled <- e
		return nil
	}
	secrets := auth.NewStatic(map[string]string{"static:login": `{"username":"alice","password":"swordfish"}`, "static:other": `{"username":"bob","password":"swordfish"}`})
	m, err := manager.New(memory.New(), manager.Handlers{"orders": handle, "billing": handle}, append([]manager.Option{
		manager.WithLogger(quiet), manager.WithRunnerOptions(esm.WithDriver(franz.Driver()), esm.WithStopTimeout(time.Second), esm.WithSecrets(secrets)),
	}, more...)...)
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
	pages, err := console.New(m, append([]console.Option{
		console.WithPrefix("/console"), console.WithLogger(quiet), console.WithPlaintext(), console.WithFunctions("orders", "billing"),
		console.WithSecrets(secrets),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(pages)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	r.url = server.URL + "/console/"
	return r
}

// mapping returns a mapping of the cluster.
func (r *rig) mapping(function, topic string) esm.Mapping {
	return esm.Mapping{
		FunctionName: function, Topics: []string{topic}, BatchSize: 10,
		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: r.cluster.Bootstrap()}},
	}
}

// create creates a mapping without the console.
func (r *rig) create(m esm.Mapping) string {
	r.t.Helper()
	d, err := r.manager.Create(r.t.Context(), m)
	if err != nil {
		r.t.Fatal(err)
	}
	return d.Mapping.UUID
}

func (r *rig) awaitState(id string, state esm.State) {
	r.t.Helper()
	within(r.t, string(state), func() bool {
		d, err := r.manager.Get(id)
		return err == nil && d.State == state
	})
}

// within polls until ok returns true, or fails the test.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(30*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited in vain for", what)
		}
	}
}

// get requests a page; header are names and values.
func (r *rig) get(path string, header ...string) (int, string) {
	r.t.Helper()
	return r.request(http.MethodGet, path, nil, header...)
}

// post sends a form as a browser does.
func (r *rig) post(path string, form url.Values, header ...string) (int, string) {
	r.t.Helper()
	return r.request(http.MethodPost, path, form, append([]string{"Sec-Fetch-Site", "same-origin"}, header...)...)
}

func (r *rig) request(method, path string, form url.Values, header ...string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			request.Host = header[i+1]
		} else {
			request.Header.Set(header[i], header[i+1])
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if policy := response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		r.t.Errorf("%s has the policy %q", path, policy)
	}
	return response.StatusCode, string(body)
}

// form returns the values that a browser sends for a new mapping.
func (r *rig) form(topic string) url.Values {
	return url.Values{"function": {"orders"}, "servers": {strings.Join(r.cluster.Bootstrap(), "\n")}, "topics": {topic}, "position": {"TRIM_HORIZON"}, "enabled": {"on"}}
}
