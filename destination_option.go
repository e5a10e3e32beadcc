package esm

import (
	"fmt"
	"strings"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
)

// WithDestination sends the records that the mapping gives up to a Destination of one's own, in place of what
// DestinationConfig.OnFailure names. Infinite MaximumRetryAttempts become 10, as with any destination. Where it is a
// destination.Closer, Run closes it at its end. Default: what the mapping names, else none: records given up are dropped.
func WithDestination(d destination.Destination) Option {
	return optionFunc(func(o *options) { o.destination = d })
}

// WithDestinations makes the on-failure destination of the name in DestinationConfig.OnFailure.Destination, which ARNs need:
// destination/resolve has those of AWS. kafka://topic, on the mapping's own cluster, needs none; a Resolver that knows
// kafka:// is asked first. Default: none.
func WithDestinations(r destination.Resolver) Option {
	return optionFunc(func(o *options) { o.destinations = r })
}

// destinationName is what a mapping's DestinationConfig names; empty for none.
func destinationName(m Mapping) string {
	if d := m.DestinationConfig; d != nil && d.OnFailure != nil {
		return d.OnFailure.Destination
	}
	return ""
}

// checkDestination refuses a destination that this process cannot make.
func (o *options) checkDestination(m Mapping) error {
	name := destinationName(m)
	if name == "" || o.destination != nil || o.destinations != nil {
		return nil
	}
	const field = "DestinationConfig.OnFailure.Destination"
	if !strings.HasPrefix(name, "kafka://") {
		return &FieldError{Field: field, Value: name, Reason: "is an ARN: say with esm.WithDestinations what makes destinations of ARNs, such as resolve.New() of destination/resolve"}
	}
	if o.driver == nil {
		return nil // another error says so
	}
	if _, ok := o.driver.(driver.ProducerDriver); !ok {
		return &FieldError{Field: field, Value: name, Reason: fmt.Sprintf("the driver %q cannot write: use driver/franz or driver/confluent, or esm.WithDestinations", o.driver.Name())}
	}
	return nil
}

// limitRetries makes infinite retries those of a mapping with a destination.
func (o *options) limitRetries(s *Settings) {
	if o.destination != nil && s.Retry.MaximumRetryAttempts < 0 {
		s.Retry.MaximumRetryAttempts = retriesWithDestination
	}
}

// retriesWithDestination is what AWS makes of infinite retries when there is an on-failure destination.
const retriesWithDestination = 10
