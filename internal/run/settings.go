package run

import (
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/internal/size"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/mapping"
)

const (
	// payloadLimit is Lambda's limit for the payload of a synchronous invocation: 6 MB = 6 291 456 bytes of JSON.
	payloadLimit = 6 << 20
	// defaultWindow applies if MaximumBatchingWindowInSeconds is unset, as in Lambda's Kafka mappings.
	defaultWindow = 500 * time.Millisecond
)

// settingsOf returns the settings of a valid mapping.
func settingsOf(m mapping.Mapping) *shared.Settings {
	m = m.WithDefaults()
	e := event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: bootstrap(m)}
	s := &shared.Settings{
		Limits: batch.Limits{BatchSize: m.BatchSize, Window: defaultWindow, Payload: payloadLimit, Envelope: size.Envelope(e)},
		Retry:  verdict.Policy{MaximumRetryAttempts: -1, Bisect: m.BisectBatchOnFunctionError, Partial: len(m.FunctionResponseTypes) > 0},
	}
	if w := m.MaximumBatchingWindowInSeconds; w != nil {
		s.Window = time.Duration(*w) * time.Second
	}
	if n := m.MaximumRetryAttempts; n != nil {
		s.Retry.MaximumRetryAttempts = *n
	}
	if a := m.MaximumRecordAgeInSeconds; a != nil && *a > 0 {
		s.MaxAge = time.Duration(*a) * time.Second
	}
	if c := m.ProvisionedPollerConfig; c != nil {
		s.MinimumPollers, s.MaximumPollers = *c.MinimumPollers, *c.MaximumPollers
	}
	switch m.StartingPosition {
	case mapping.Latest:
		s.Start.At = driver.AtEnd
	case mapping.AtTimestamp:
		s.Start.At = driver.OffsetAt(m.StartingPositionTimestamp.UnixMilli())
	default:
		s.Start.At = driver.AtEarliest
	}
	return s
}
