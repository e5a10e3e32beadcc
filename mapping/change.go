package mapping

import (
	"errors"
	"slices"
)

// ErrImmutable is wrapped by the error of Changed. AWS does not allow a change of these parameters either.
var ErrImmutable = errors.New("esm: this parameter cannot be changed")

// Changed returns the joined *FieldErrors, which wrap ErrImmutable, of the immutable parameters in which two mappings
// differ, or nil if they differ in none.
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
			errs = append(errs, &FieldError{Field: f.name, Reason: "cannot be changed while the mapping runs; create a new Runner", Err: ErrImmutable})
		}
	}
	return errors.Join(errs...)
}
