package driver

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/event"
)

// ProducerDriver is implemented by Drivers whose client can also write.
type ProducerDriver interface {
	// OpenProducer makes a producer and begins to connect in the background. It does no waiting. The error is for a
	// ProducerConfig that the client refuses.
	OpenProducer(ProducerConfig) (Producer, error)
}

// ProducerConfig is what every client can do.
type ProducerConfig struct {
	// BootstrapServers are host:port, at least one.
	BootstrapServers []string
	// ClientID is Kafka's client.id.
	ClientID string
	// Credentials say how to connect, as in Config.
	Credentials *auth.Credentials
	// Dialer opens connections, nil = the client's own.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)
	// Linger is Kafka's linger.ms: how long a record waits for others to go with.
	Linger time.Duration
	// BufferBytes bounds the records that wait for their acknowledgement, in bytes; 0 = 32 MiB. Where they are more,
	// Produce waits.
	BufferBytes int
	// Timeout is Kafka's delivery.timeout.ms: how long the client itself tries to write a record; 0 = 30 s.
	Timeout time.Duration
	// Logger receives the client's own log; never nil.
	Logger *slog.Logger
}

// OutRecord is a record to write.
type OutRecord struct {
	Topic string
	// Partition is where to write it; -1 = by the key as Kafka's Java producer does (murmur2), and without a key spread
	// over all partitions.
	Partition int32
	// Key and Value may be nil. Like Headers they must not be changed before the record is answered.
	Key, Value []byte
	Headers    []event.Header
	// Timestamp is in milliseconds since the Unix epoch; negative = now.
	Timestamp int64
}

// Producer writes records. Its methods may be called from any goroutine.
//
// It is idempotent: what the client itself sends again is written once, in the order of Produce for each partition; only
// records of about a megabyte and more may be overtaken. A record is acknowledged by all in-sync replicas.
//
// A broker's limit (max.message.bytes) is on what the client makes of several records, too: those that went with one that
// is too large may be answered with KindTooLarge as well, and succeed alone.
type Producer interface {
	// Produce hands a record over. answer is called once, from another goroutine, and must not wait: with nil when the
	// record is acknowledged; with an *Error, or with ctx's error soon after ctx ends, when it may not be. A record that
	// was answered with an error may have been written, or be written later. Where the error wraps ErrReplace this producer
	// is of no further use: close it and open another. Produce waits while BufferBytes are in use, at
	// most until ctx ends.
	Produce(ctx context.Context, r OutRecord, answer func(error))
	// Topics describes topics, in the order of the names.
	Topics(ctx context.Context, names ...string) ([]Topic, error)
	// Close ends the producer; records that are not acknowledged yet are answered with an error. It returns by the end of
	// ctx at the latest, with an error when something had to be left behind.
	Close(ctx context.Context) error
}
