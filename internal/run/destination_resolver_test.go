package run

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// A Resolver gets the mapping's source, and its errors end Run.
func TestResolver(t *testing.T) {
	inBubble(t, "told of the mapping", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		m := poisonMapping(10)
		m.DestinationConfig = &mapping.DestinationConfig{OnFailure: &mapping.Destination{Destination: "arn:aws:sqs:eu-west-1:123456789012:failed"}}
		var got destination.Source
		var name string
		d := &scriptedDestination{}
		resolve := resolverFunc(func(_ context.Context, n string, s destination.Source) (destination.Destination, error) {
			name, got = n, s
			return d, nil
		})
		r := newMapped(t, b, m, poison, WithDestinations(resolve)).start()
		b.Produce("t", numbered(1)...)
		pass(time.Minute)
		if name != m.DestinationConfig.OnFailure.Destination || !slices.Equal(got.Topics, []string{"t"}) || !slices.Equal(got.BootstrapServers, []string{"b:9092"}) ||
			got.MappingUUID != r.runner.Status().UUID || got.Logger == nil {
			t.Errorf("%q %+v", name, got)
		}
		if s := r.runner.Status(); s.Destination.Name != name || len(d.offsets()) != 1 {
			t.Errorf("%+v, %v", s.Destination, d.offsets())
		}
		r.mustStop()
	})
	inBubble(t, "an error", func(t *testing.T) {
		b := membroker.NewBroker(t)
		m := memoryMapping()
		m.DestinationConfig = &mapping.DestinationConfig{OnFailure: &mapping.Destination{Destination: "arn:aws:sqs:eu-west-1:123456789012:failed"}}
		no := errors.New("no region")
		r, err := New(m, poison, options([]Option{WithDriver(b.Driver()), WithLogger(slog.New(slog.DiscardHandler)), WithDestinations(resolverFunc(func(context.Context, string, destination.Source) (destination.Destination, error) { return nil, no }))}))
		if err != nil {
			t.Fatal(err)
		}
		var source *observe.SourceError
		if err := r.Run(context.Background()); !errors.As(err, &source) || !errors.Is(err, no) || !strings.Contains(err.Error(), "DestinationConfig") {
			t.Errorf("Run: %v", err)
		}
	})
}

type resolverFunc func(context.Context, string, destination.Source) (destination.Destination, error)

func (f resolverFunc) Resolve(ctx context.Context, name string, s destination.Source) (destination.Destination, error) {
	return f(ctx, name, s)
}
