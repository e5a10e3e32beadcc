package manager_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/store"
)

// harness is an in-memory broker and the tests' functions.
type harness struct {
	t        *testing.T
	broker   *esmtest.Broker
	handlers manager.Handlers
	orders   chan esm.KafkaEvent
	secrets  map[string]string
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{t: t, broker: esmtest.NewBroker(t), orders: make(chan esm.KafkaEvent, 1000), secrets: map[string]string{
		"s1": `{"username":"a","password":"b"}`, "s2": `{"username":"c","password":"d"}`,
	}}
	for _, topic := range []string{"orders", "others"} {
		h.broker.CreateTopic(topic, 2)
	}
	h.handlers = manager.Handlers{"orders": func(_ context.Context, e esm.KafkaEvent) error {
		h.orders <- e
		return nil
	}}
	return h
}

// start runs a Manager, and returns it and a func that stops it.
func (h *harness) start(s store.Store, f manager.Functions, opts ...manager.Option) (*manager.Manager, func() error) {
	h.t.Helper()
	m, err := manager.New(s, f, append([]manager.Option{
		manager.WithLogger(slog.New(slog.DiscardHandler)), manager.WithRestartBackoff(time.Millisecond, 20*time.Millisecond),
		manager.WithRunnerOptions(esm.WithDriver(h.broker.Driver()), esm.WithSecrets(auth.NewStatic(h.secrets)), esm.WithStopTimeout(time.Second)),
	}, opts...)...)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	stop := func() error {
		cancel()
		err := <-ended
		ended <- err
		return err
	}
	h.t.Cleanup(func() {
		if err := stop(); err != nil {
			h.t.Error("Run:", err)
		}
	})
	return m, stop
}

func mapping(topic string) esm.Mapping {
	return esm.Mapping{
		FunctionName: "orders", Topics: []string{topic},
		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"b:1"}}},
	}
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(30*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited in vain for ", what)
		}
	}
}

func create(t *testing.T, m *manager.Manager, mapping esm.Mapping) string {
	t.Helper()
	d, err := m.Create(t.Context(), mapping)
	if err != nil {
		t.Fatal(err)
	}
	return d.Mapping.UUID
}

func awaitState(t *testing.T, m *manager.Manager, id string, want esm.State) manager.Description {
	t.Helper()
	var d manager.Description
	within(t, string(want), func() bool {
		var err error
		if d, err = m.Get(id); err != nil {
			t.Fatal(err)
		}
		return d.State == want
	})
	return d
}

func (h *harness) delivered(topic string, want ...string) {
	h.t.Helper()
	h.broker.Produce(topic, esmtest.Values(want...)...)
	for got := 0; got < len(want); {
		select {
		case e := <-h.orders:
			got += e.Len()
		case <-time.After(30 * time.Second):
			h.t.Fatalf("%d of %d records were handled", got, len(want))
		}
	}
}
