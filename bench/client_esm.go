package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/confluent"
	"github.com/esm-go/esm/driver/franz"
)

func esmFranz(ctx context.Context, j job, m *meter) error { return esmRun(ctx, j, m, franz.Driver()) }

func esmConfluent(ctx context.Context, j job, m *meter) error {
	return esmRun(ctx, j, m, confluent.Driver())
}

// mapping returns the mapping of a job, with defaults for everything that the job does not set.
func mapping(j job) esm.Mapping {
	return esm.Mapping{
		FunctionName:           "bench",
		SelfManagedEventSource: esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: j.Bootstrap}},
		SelfManagedKafkaEventSourceConfig: &esm.SelfManagedKafkaEventSourceConfig{
			ConsumerGroupId: j.Group,
		},
		Topics:           []string{j.Topic},
		StartingPosition: esm.TrimHorizon,
		BatchSize:        max(j.Batch, 1),
	}
}

func esmRun(ctx context.Context, j job, m *meter, d driver.Driver) error {
	pause := time.Duration(j.HandlerMillis) * time.Millisecond
	handler := func(ctx context.Context, e esm.KafkaEvent) error {
		if pause > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
		n := 0
		for _, records := range e.Records {
			n += len(records)
		}
		m.add(n)
		return nil
	}
	return esm.Run(ctx, mapping(j), handler, esm.WithDriver(d), esm.WithLogger(slog.New(slog.DiscardHandler)))
}
