package destination

import (
	"context"
	"log/slog"
	"net"

	"github.com/esm-go/esm/auth"
)

// MaximumRetryAttempts is what AWS uses instead of unlimited retries if a mapping has an on-failure destination.
const MaximumRetryAttempts = 10

// Destination stores failures. Send returns nil when the failure is stored durably: the mapping then commits past its
// records. After an error, which means that the failure may not be stored, Send is called again with the same failure,
// or with the Rest of a *PartialError. Send must return when ctx ends. It is called concurrently. It must not change
// the failure, or retain it after it returns.
type Destination interface {
	Send(ctx context.Context, f *Failure) error
}

// Func is a function that implements Destination.
type Func func(ctx context.Context, f *Failure) error

// Send calls the function.
func (fn Func) Send(ctx context.Context, f *Failure) error { return fn(ctx, f) }

// Checker is implemented by Destinations that can tell before the first failure whether they exist.
type Checker interface {
	// Check asks whether the queue, topic or bucket exists and may be used. It writes nothing. An *Error says what is
	// wrong. Missing permission to ask is not an error.
	Check(ctx context.Context) error
}

// Closer is implemented by Destinations that hold connections. Close closes them, at the latest when ctx ends. A Send
// after Close fails.
type Closer interface {
	Close(ctx context.Context) error
}

// Replacer is implemented by Destinations that authenticate with the mapping's own credentials and can replace them
// while they run.
type Replacer interface {
	ReplaceCredentials(*auth.Credentials) error
}

// Resolver creates the Destination for a name, the value of DestinationConfig.OnFailure.Destination. It does not wait
// for the network. For a kind of name that it does not know, it returns an error that wraps [ErrNotResolved].
type Resolver interface {
	Resolve(ctx context.Context, name string, source Source) (Destination, error)
}

// Source is what a Resolver needs to know about the mapping.
type Source struct {
	// MappingUUID is the mapping's UUID.
	MappingUUID string
	// Topics are the mapping's topics, including patterns. None of them may be the destination.
	Topics []string
	// BootstrapServers, ClientID, Credentials and Dialer say how the mapping reaches its cluster. kafka:// names a
	// topic on that cluster.
	BootstrapServers []string
	ClientID         string
	Credentials      *auth.Credentials
	Dialer           func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger receives the clients' own logs; nil discards them.
	Logger *slog.Logger
}
