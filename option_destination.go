package esm

import (
	"fmt"
	"strings"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
)

// WithDestination sends the records that the mapping gives up to d, in place of what DestinationConfig.OnFailure names.
// An infinite MaximumRetryAttempts becomes 10, as with any destination. Run closes a destination.Closer when it ends.
// Default: the destination that the mapping names; without one, records that are given up are dropped.
func WithDestination(d destination.Destination) Option {
	return optionFunc(func(o *options) { o.destination = d })
}

// WithDestinations sets the Resolver that turns DestinationConfig.OnFailure.Destination into a destination.
// destination/resolve has one for the ARNs of SQS, SNS and S3. kafka://topic, a topic of the mapping's own cluster, needs no
// Resolver, but one that knows kafka:// is asked first. Default: none, and New refuses an ARN.
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

// limitRetries makes infinite retries finite where there is a destination, as mapping.WithDefaults does for one that the
// mapping names.
func (o *options) limitRetries(s *settings) {
	if o.destination != nil && s.Retry.MaximumRetryAttempts < 0 {
		s.Retry.MaximumRetryAttempts = destination.MaximumRetryAttempts
	}
}
