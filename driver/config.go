package driver

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/esm-go/esm/auth"
)

// Config is what every client supports. The engine sets every field; drivers apply no defaults of their own.
type Config struct {
	// BootstrapServers holds at least one host:port.
	BootstrapServers []string
	// GroupID is Kafka's group.id.
	GroupID string
	// ClientID is Kafka's client.id.
	ClientID string
	// InstanceID is Kafka's group.instance.id (static membership); empty means dynamic membership.
	InstanceID string
	// Rack is Kafka's client.rack (fetch from the nearest replica); empty means none.
	Rack string
	// Topics are the names to subscribe to. A name that begins with "^" is a regular expression, as in librdkafka.
	Topics []string
	// ReadUncommitted also returns records of open and aborted transactions; the default is read_committed.
	ReadUncommitted bool
	// SessionTimeout, HeartbeatInterval and MaxPollInterval are Kafka's session.timeout.ms, heartbeat.interval.ms and
	// max.poll.interval.ms (used as the rebalance timeout if the client has no poll interval).
	SessionTimeout, HeartbeatInterval, MaxPollInterval time.Duration
	// MetadataMaxAge bounds how long a new partition, or a new topic that matches a pattern, goes unnoticed.
	MetadataMaxAge time.Duration
	// FetchMaxWait and FetchMinBytes are Kafka's fetch.max.wait.ms and fetch.min.bytes.
	FetchMaxWait  time.Duration
	FetchMinBytes int
	// FetchMaxBytes bounds one fetch response; FetchMaxPartitionBytes bounds one partition's part of it. A single larger
	// record still arrives.
	FetchMaxBytes, FetchMaxPartitionBytes int
	// BufferBytes bounds the fetched records that the client itself may hold, in bytes.
	BufferBytes int
	// Credentials say how to connect: nil and the zero value mean PLAINTEXT. SASL is never used over an unencrypted
	// connection, whatever else is configured.
	Credentials *auth.Credentials
	// Dialer opens connections; nil means the client's own.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger receives the client's own log; never nil.
	Logger *slog.Logger
}
