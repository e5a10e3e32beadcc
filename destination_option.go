package esm

import (
	"github.com/esm-go/esm/destination"
)

// WithDestination sends the records that the mapping gives up to a Destination of one's own, in place of what
// DestinationConfig.OnFailure names. Infinite MaximumRetryAttempts become 10, as with any destination. Where it is a
// destination.Closer, Run closes it at its end. Default: what the mapping names, else none: records given up are dropped.
func WithDestination(d destination.Destination) Option {
	return optionFunc(func(o *options) { o.Destination = d })
}

// WithDestinations makes the on-failure destination of the name in DestinationConfig.OnFailure.Destination, which ARNs need:
// destination/resolve has those of AWS. kafka://topic, on the mapping's own cluster, needs none; a Resolver that knows
// kafka:// is asked first. Default: none.
func WithDestinations(r destination.Resolver) Option {
	return optionFunc(func(o *options) { o.Destinations = r })
}
