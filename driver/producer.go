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
	// OpenProducer creates a producer and starts to connect in the background. It does not wait. The error is for a
	// ProducerConfig that the client refuses.
	OpenProducer(ProducerConfig) (Producer, error)
}

// ProducerConfig is what every client supports.
type ProducerConfig struct {
	// BootstrapServers holds at least one host:port.
	BootstrapServers []string
	// ClientID is Kafka's client.id.
	ClientID string
	// Credentials say how to connect, as in Config.
	Credentials *auth.Credentials
	// Dialer opens connections; nil means the client's own.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)
	// Linger is Kafka's linger.ms: how long a record waits for others to be sent with.
	Linger time.Duration
	// BufferBytes bounds the records that wait for acknowledgement, in bytes; 0 means 32 MiB. Produce waits while the
	// buffer is full.
	BufferBytes int
	// Timeout is Kafka's delivery.timeout.ms: how long the client itself tries to write a record; 0 means 30 s.
	Timeout time.Duration
	// Logger receives the client's own log; never nil.
	Logger *slog.Logger
}

// OutRecord is a record to write.
type OutRecord struct {
	Topic string
	// Partition is the partition to write to. -1 means by the key, as Kafka's Java producer does (murmur2), or without a
	// key spread over all partitions.
	Partition int32
	// Key and Value may be nil. Like Headers, they must not be changed until answer is called for the record.
	Key, Value []byte
	Headers    []event.Header
	// Timestamp is in milliseconds since the Unix epoch; negative means now.
	Timestamp int64
}

// Producer writes records. Its methods may be called from any goroutine.
//
// It is idempotent: what the client itself resends is written once, in the order of the Produce calls for each
// partition. Only records of about a megabyte and more may be overtaken. A record is acknowledged by all in-sync
// replicas.
//
// A broker's limit (max.message.bytes) also applies to the batch that the client makes of several records. Records
// batched with one that is too large may fail with KindTooLarge too, and succeed on their own.
type Producer interface {
	// Produce hands over a record. It waits while BufferBytes are in use, at most until ctx ends. answer is called once,
	// from another goroutine, and must not block. Its argument is nil if the record is acknowledged; otherwise it is an
	// *Error, or ctx's error soon after ctx ends. A record with an error may still have been written, or be written later.
	// If the error wraps ErrReplace, this producer can no longer be used: close it and open another.
	Produce(ctx context.Context, r OutRecord, answer func(error))
	// Topics describes topics, in the order of the names.
	Topics(ctx context.Context, names ...string) ([]Topic, error)
	// Close ends the producer; unacknowledged records fail with an error. It returns no later than when ctx ends, with an
	// error if something had to be left behind.
	Close(ctx context.Context) error
}
