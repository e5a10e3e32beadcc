package esm_test

import (
	"context"
	"errors"
	"testing"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/mapping"
)

func TestWorkerRangeIsChecked(t *testing.T) {
	m := mapping.Mapping{FunctionName: "f", Topics: []string{"t"},
		SelfManagedEventSource: mapping.SelfManagedEventSource{Endpoints: mapping.Endpoints{KafkaBootstrapServers: []string{"b:9092"}}}}
	for _, c := range []struct {
		opt esm.Option
		ok  bool
	}{
		{esm.WithWorkerRange(0, 0), true}, {esm.WithWorkerRange(3, 3), true}, {esm.WithWorkerRange(3, 0), true}, {esm.WithWorkers(1 << 20), true},
		{esm.WithWorkerRange(4, 3), false}, {esm.WithWorkerRange(-1, 3), false}, {esm.WithWorkers(-1), false}, {esm.WithWorkers(1<<20 + 1), false},
	} {
		_, err := esm.New(m, func(context.Context, event.KafkaEvent) error { return nil }, esm.WithDriver(membroker.NewBroker(t).Driver()), c.opt)
		if (err == nil) != c.ok {
			t.Errorf("want ok %v, got %v", c.ok, err)
		}
	}
	if _, err := esm.New(m, nil); !errors.Is(err, esm.ErrNilHandler) {
		t.Errorf("a nil handler: %v", err)
	}
}
