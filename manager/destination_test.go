package manager_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/store/memory"
)

// failures is a destination that counts its failures by the name for which it was created.
type failures struct {
	mu  sync.Mutex
	got map[string]int
}

func (f *failures) Resolve(_ context.Context, name string, _ destination.Source) (destination.Destination, error) {
	return failuresOf{f, name}, nil
}

type failuresOf struct {
	*failures
	name string
}

func (f failuresOf) Send(_ context.Context, failure *destination.Failure) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got[f.name] += failure.Len()
	return nil
}

// The destination of a running mapping can be changed: a new Runner replaces the old one.
func TestUpdateOfTheDestination(t *testing.T) {
	h := newHarness(t)
	h.handlers["orders"] = func(context.Context, esm.KafkaEvent) error { return errors.New("no") }
	sent := &failures{got: make(map[string]int)}
	m, _ := h.start(memory.New(), h.handlers, manager.WithRunnerOptions(
		esm.WithDriver(h.broker.Driver()), esm.WithSecrets(auth.NewStatic(h.secrets)), esm.WithStopTimeout(time.Second), esm.WithDestinations(sent)))
	def := mapping("orders")
	def.MaximumRetryAttempts = new(0)
	to := func(name string) *esm.DestinationConfig {
		return &esm.DestinationConfig{OnFailure: &esm.Destination{Destination: name}}
	}
	const a, b = "arn:aws:sqs:eu-west-1:123456789012:a", "arn:aws:sqs:eu-west-1:123456789012:b"
	def.DestinationConfig = to(a)
	id := create(t, m, def)
	awaitState(t, m, id, esm.Enabled)
	counts := func(name string, n int) func() bool {
		return func() bool {
			sent.mu.Lock()
			defer sent.mu.Unlock()
			return sent.got[name] == n
		}
	}
	h.broker.Produce("orders", esmtest.Values("1")...)
	within(t, "the first destination", counts(a, 1))
	if _, err := m.Update(t.Context(), id, 0, func(m *esm.Mapping) error { m.DestinationConfig = to(b); return nil }); err != nil {
		t.Fatal(err)
	}
	awaitState(t, m, id, esm.Enabled)
	h.broker.Produce("orders", esmtest.Values("2", "3")...)
	within(t, "the other destination", counts(b, 2))
}
