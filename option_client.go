package esm

import (
	"context"
	"fmt"
	"net"
	"time"
)

// WithClientID sets Kafka's client.id. Default: "esm@" and the host's name.
func WithClientID(id string) Option { return optionFunc(func(o *options) { o.Client.ClientID = id }) }

// WithGroupInstanceID makes this process a static member of the group (group.instance.id): a restart within the session
// timeout causes no rebalance. The id must be unique in the group. Default: dynamic members.
//
// A member that is fenced rejoins once, because a lost answer to its own join can fence it. If it is fenced again
// within ten minutes, Run ends with an error of [driver.KindFenced]: of two processes with the same id, the one that
// joined last stays.
//
// The second poller of the process is id-2, the third id-3, and so on. A static member that goes away blocks its
// partitions for the session timeout, so the scaling policy then only adds pollers.
func WithGroupInstanceID(id string) Option {
	return optionFunc(func(o *options) { o.Client.InstanceID = id })
}

// WithClientRack sets Kafka's client.rack, so that records are fetched from a replica in the same rack if the brokers
// allow it. Default: none.
func WithClientRack(rack string) Option { return optionFunc(func(o *options) { o.Client.Rack = rack }) }

// WithSessionTimeout sets Kafka's session.timeout.ms: how long a member may be silent before the group takes its
// partitions away. Default 45 s, which is Kafka's; the brokers bound it (group.min.session.timeout.ms and
// group.max.session.timeout.ms).
func WithSessionTimeout(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.Check(d > 0, "WithSessionTimeout", d, "more than 0")
		o.Client.SessionTimeout = d
	})
}

// WithMaxPollInterval sets Kafka's max.poll.interval.ms. Default 5 minutes, which is Kafka's. It does not bound
// handlers, because the client is polled while they run; it bounds how long a rebalance of the group waits for this
// member.
func WithMaxPollInterval(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.Check(d > 0, "WithMaxPollInterval", d, "more than 0")
		o.Client.MaxPollInterval = d
	})
}

// WithMetadataMaxAge sets how long a new partition, or a new topic that a pattern matches, may go unnoticed. Default 1
// minute.
func WithMetadataMaxAge(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.Check(d > 0, "WithMetadataMaxAge", d, "more than 0")
		o.Client.MetadataMaxAge = d
	})
}

// Fetch says how a client asks brokers for records; see WithFetch. A field that is 0 takes its default.
type Fetch struct {
	// MinBytes is Kafka's fetch.min.bytes: a broker answers when it has that much, or after MaxWait. Default 1; at most
	// 100,000,000, and at most the effective MaxBytes.
	MinBytes int
	// MaxWait is Kafka's fetch.max.wait.ms: how long a broker that has less than MinBytes waits for more. Default 500 ms,
	// at most 5 minutes. It is in whole milliseconds; driver/franz raises a value below 10 ms to 10 ms.
	MaxWait time.Duration
	// MaxBytes is Kafka's fetch.max.bytes: the most bytes in one broker response, as sent (compressed). A larger record is
	// still delivered, alone. Default 8 MiB; at most 2,147,483,135, and at most an eighth of WithBufferBytes, or 1 MiB if
	// that is more.
	MaxBytes int
	// MaxPartitionBytes is Kafka's max.partition.fetch.bytes: the most bytes of one partition in a response. Default 1
	// MiB; at most 1,000,000,000, and at most MaxBytes.
	MaxPartitionBytes int
}

// WithFetch sets how records are fetched. Larger responses cost memory and save requests; a larger MinBytes costs
// latency. The bounds are librdkafka's and apply to every driver. Default: the zero Fetch.
func WithFetch(f Fetch) Option {
	return optionFunc(func(o *options) {
		const mostWait = 5 * time.Minute
		checkFetch(o, "MinBytes", f.MinBytes, 100_000_000)
		checkFetch(o, "MaxBytes", f.MaxBytes, 2_147_483_135)
		checkFetch(o, "MaxPartitionBytes", f.MaxPartitionBytes, 1_000_000_000)
		o.Check(f.MaxWait == 0 || f.MaxWait >= time.Millisecond && f.MaxWait <= mostWait, "WithFetch", "MaxWait: "+f.MaxWait.String(),
			"0 (the default), or 1 ms to 5 minutes")
		set := func(dst *int, v int) {
			if v > 0 {
				*dst = v
			}
		}
		set(&o.Client.FetchMinBytes, f.MinBytes)
		set(&o.Client.FetchMaxBytes, f.MaxBytes)
		set(&o.Client.FetchMaxPartitionBytes, f.MaxPartitionBytes)
		if f.MaxWait > 0 {
			o.Client.FetchMaxWait = f.MaxWait
		}
	})
}

func checkFetch(o *options, field string, value, most int) {
	o.Check(value >= 0 && value <= most, "WithFetch", fmt.Sprintf("%s: %d", field, value), fmt.Sprintf("0 (the default) to %d", most))
}

// WithDialer sets the function that opens connections to the brokers. driver/franz uses it; driver/confluent refuses
// it, because librdkafka opens its own connections. Default: the client's own.
func WithDialer(dial func(ctx context.Context, network, address string) (net.Conn, error)) Option {
	return optionFunc(func(o *options) { o.Client.Dialer = dial })
}
