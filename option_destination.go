package esm

import (
	"github.com/esm-go/esm/destination"
)

// WithDestination sends the records that the mapping gives up to d instead of the destination that
// DestinationConfig.OnFailure names. An infinite MaximumRetryAttempts becomes 10, as with any destination. Run closes a
// destination.Closer when it ends. Default: the destination that the mapping names; if it names none, records that are
// given up are dropped.
func WithDestination(d destination.Destination) Option {
	return optionFunc(func(o *options) { o.Destination = d })
}

// WithDestinations sets the Resolver that turns DestinationConfig.OnFailure.Destination into a destination.
// destination/resolve has one for the ARNs of SQS, SNS and S3. kafka://topic, a topic of the mapping's own cluster,
// needs no Resolver, but a Resolver that knows kafka:// is asked first. Default: none, and New refuses an ARN.
func WithDestinations(r destination.Resolver) Option {
	return optionFunc(func(o *options) { o.Destinations = r })
}
