package destination

import (
	"context"
	"log/slog"
	"net"

	"github.com/esm-go/esm/auth"
)

// MaximumRetryAttempts is what AWS makes of unlimited retries where a mapping has an on-failure destination.
const MaximumRetryAttempts = 10

// Destination keeps failures. Send returns nil when the failure is kept for good: the mapping then commits past its
// records. An error means that it may not be, and Send is called again with the same failure, or with what a
// *PartialError has left of it. Send ends when ctx does.
// It is called from several goroutines at once; it must not change the failure, nor keep it after it returned.
type Destination interface {
	Send(ctx context.Context, f *Failure) error
}

// Func is a function that is a Destination.
type Func func(ctx context.Context, f *Failure) error

// Send calls the function.
func (fn Func) Send(ctx context.Context, f *Failure) error { return fn(ctx, f) }

// Checker is implemented by Destinations that can tell before the first failure whether they are there.
type Checker interface {
	// Check asks whether the queue, topic or bucket exists and may be used. It writes nothing. An *Error says what is
	// wrong; where the permission to ask is missing, that is no error.
	Check(ctx context.Context) error
}

// Closer is implemented by Destinations that hold connections. Close ends them, by the end of ctx at the latest; a
// Send after it fails.
type Closer interface {
	Close(ctx context.Context) error
}

// Replacer is implemented by Destinations that authenticate with the mapping's own credentials and take new ones while
// they live.
type Replacer interface {
	ReplaceCredentials(*auth.Credentials) error
}

// Resolver makes the Destination that a name stands for, the value of DestinationConfig.OnFailure.Destination. It does
// not wait for the network. A name of a kind that it does not know gives an error that wraps [ErrNotResolved].
type Resolver interface {
	Resolve(ctx context.Context, name string, source Source) (Destination, error)
}

// Source is what a Resolver has to know of the mapping.
type Source struct {
	// MappingUUID is the mapping's UUID.
	MappingUUID string
	// Topics are the mapping's, patterns included: none of them may be the destination.
	Topics []string
	// BootstrapServers, ClientID, Credentials and Dialer say how the mapping reaches its cluster; kafka:// names a topic of
	// that cluster.
	BootstrapServers []string
	ClientID         string
	Credentials      *auth.Credentials
	Dialer           func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger receives the clients' own logs; nil discards them.
	Logger *slog.Logger
}
