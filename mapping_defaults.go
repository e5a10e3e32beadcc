package esm

import "fmt"

type FieldError struct {
	Field  string
	Value  any
	Reason string
	Err    error
}

func (e *FieldError) Error() string { return fmt.Sprint(e.Field, ": ", e.Reason) }
func (m Mapping) WithDefaults() Mapping {
	if m.BatchSize == 0 {
		m.BatchSize = 100
	}
	if m.UUID == "" {
		m.UUID = "tmp-uuid"
	}
	return m
}
func (m Mapping) Validate() error { return nil }
func (m Mapping) GroupID() string {
	if c := m.SelfManagedKafkaEventSourceConfig; c != nil && c.ConsumerGroupId != "" {
		return c.ConsumerGroupId
	}
	return m.UUID
}
