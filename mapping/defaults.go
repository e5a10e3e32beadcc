package mapping

import (
	"github.com/google/uuid"

	"github.com/esm-go/esm/destination"
)

// Defaults and other numbers of the AWS API (Lambda API reference, CreateEventSourceMapping).
const (
	defaultBatchSize      = 100
	defaultMinimumPollers = 1
	defaultMaximumPollers = 200
)

// uuidNamespace is the namespace of derived UUIDs: the version 5 UUID of https://github.com/esm-go/esm in RFC 9562's
// namespace of URLs. It must never change: the names of consumer groups depend on it.
var uuidNamespace = uuid.UUID{
	0x59, 0x28, 0x42, 0xb5, 0xd0, 0xf6, 0x55, 0xec,
	0x97, 0xfe, 0x75, 0x5b, 0x10, 0x43, 0x91, 0xfe,
}

// WithDefaults returns the mapping with defaults for unset parameters. It is idempotent. The defaults are: BatchSize
// 100, Enabled true, StartingPosition TRIM_HORIZON, the UUID derived by name, ConsumerGroupId the UUID, and in a
// ProvisionedPollerConfig MinimumPollers 1 and MaximumPollers 200. MaximumRetryAttempts becomes 10 if it is unset or -1
// and there is an on-failure destination, as on AWS, and 0 if it is unset in Queue mode.
//
// These stay nil, because no number stands for their default: MaximumBatchingWindowInSeconds (500 ms),
// MaximumRetryAttempts and MaximumRecordAgeInSeconds (no limit). WithDefaults validates nothing, and shares with m what
// it does not change.
func (m Mapping) WithDefaults() Mapping {
	if m.BatchSize == 0 {
		m.BatchSize = defaultBatchSize
	}
	if m.Enabled == nil {
		m.Enabled = new(true)
	}
	if m.StartingPosition == "" && !m.queueMode() {
		m.StartingPosition = TrimHorizon
	}
	if m.UUID == "" {
		m.UUID = m.derivedUUID()
	}
	if group := m.GroupID(); group != "" {
		var config SelfManagedKafkaEventSourceConfig
		if c := m.SelfManagedKafkaEventSourceConfig; c != nil {
			config = *c
		}
		config.ConsumerGroupId = group
		m.SelfManagedKafkaEventSourceConfig = &config
	}
	switch n := m.MaximumRetryAttempts; {
	case m.queueMode():
		if n == nil {
			m.MaximumRetryAttempts = new(0)
		}
	case m.hasDestination() && (n == nil || *n == -1):
		m.MaximumRetryAttempts = new(destination.MaximumRetryAttempts)
	}
	if c := m.ProvisionedPollerConfig; c != nil {
		config := *c
		if config.MinimumPollers == nil {
			config.MinimumPollers = new(defaultMinimumPollers)
		}
		if config.MaximumPollers == nil {
			config.MaximumPollers = new(defaultMaximumPollers)
		}
		m.ProvisionedPollerConfig = &config
	}
	return m
}

// GroupID returns the consumer group (Kafka's group.id): ConsumerGroupId, else UUID, else the UUID derived from
// FunctionName. It is empty for a mapping with none of the three, which Validate refuses.
func (m Mapping) GroupID() string {
	if c := m.SelfManagedKafkaEventSourceConfig; c != nil && c.ConsumerGroupId != "" {
		return c.ConsumerGroupId
	}
	if m.UUID != "" {
		return m.UUID
	}
	return m.derivedUUID()
}

// derivedUUID returns the version 5 UUID of FunctionName followed by a zero byte, which the name cannot contain. It is
// empty without a FunctionName. FunctionName is used as written: a name and its ARN differ. Topics are not used, so
// that adding one does not change the group.
func (m Mapping) derivedUUID() string {
	if m.FunctionName == "" {
		return ""
	}
	return uuid.NewSHA1(uuidNamespace, []byte(m.FunctionName+"\x00")).String()
}

func (m Mapping) queueMode() bool {
	c := m.SelfManagedKafkaEventSourceConfig
	return c != nil && c.ConsumptionMode == modeQueue
}

// hasDestination reports whether there is an on-failure destination; an empty one means none, as on AWS.
func (m Mapping) hasDestination() bool {
	d := m.DestinationConfig
	return d != nil && d.OnFailure != nil && d.OnFailure.Destination != ""
}
