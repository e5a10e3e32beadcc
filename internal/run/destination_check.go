package run

import (
	"fmt"
	"strings"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/mapping"
)

// destinationName returns the destination that a mapping's DestinationConfig names, or "".
func destinationName(m mapping.Mapping) string {
	if d := m.DestinationConfig; d != nil && d.OnFailure != nil {
		return d.OnFailure.Destination
	}
	return ""
}

// checkDestination refuses a destination that this process cannot create.
func (o *Options) checkDestination(m mapping.Mapping) error {
	name := destinationName(m)
	if name == "" || o.Destination != nil || o.Destinations != nil {
		return nil
	}
	const field = "DestinationConfig.OnFailure.Destination"
	if !strings.HasPrefix(name, "kafka://") {
		return &mapping.FieldError{Field: field, Value: name, Reason: "is an ARN: set esm.WithDestinations to what opens destinations by ARN, such as resolve.New() of destination/resolve"}
	}
	if o.Driver == nil {
		return nil // reported by another error
	}
	if _, ok := o.Driver.(driver.ProducerDriver); !ok {
		return &mapping.FieldError{Field: field, Value: name, Reason: fmt.Sprintf("the driver %q cannot write: use driver/franz or driver/confluent, or esm.WithDestinations", o.Driver.Name())}
	}
	return nil
}

// limitRetries makes infinite retries finite for a destination set by WithDestination, as mapping.WithDefaults does for
// one that the mapping names.
func (o *Options) limitRetries(s *shared.Settings) {
	if o.Destination != nil && s.Retry.MaximumRetryAttempts < 0 {
		s.Retry.MaximumRetryAttempts = destination.MaximumRetryAttempts
	}
}
