package mapping

import (
	"errors"
	"slices"
)

// ErrImmutable is wrapped by the error of Changed, for a parameter that AWS does not let one change either.
var ErrImmutable = errors.New("esm: this parameter cannot be changed")

// Changed returns a *FieldError, which wraps ErrImmutable, for each immutable parameter in which two mappings differ,
// joined; nil when they differ in none.
func Changed(old, m Mapping) error {
	var errs []error
	for _, f := range []struct {
		name string
		same bool
	}{
		{"SelfManagedEventSource", slices.Equal(old.SelfManagedEventSource.Endpoints.KafkaBootstrapServers, m.SelfManagedEventSource.Endpoints.KafkaBootstrapServers)},
		{"Topics", slices.Equal(old.Topics, m.Topics)},
		{"SelfManagedKafkaEventSourceConfig.ConsumerGroupId", old.GroupID() == m.GroupID()},
		{"StartingPosition", old.StartingPosition == m.StartingPosition},
		{"StartingPositionTimestamp", old.StartingPositionTimestamp.Equal(m.StartingPositionTimestamp)},
	} {
		if !f.same {
			errs = append(errs, &FieldError{Field: f.name, Reason: "cannot be changed while the mapping runs; make a new Runner", Err: ErrImmutable})
		}
	}
	return errors.Join(errs...)
}
