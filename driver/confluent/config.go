//go:build cgo

package confluent

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// Reserved returns the librdkafka keys that WithConfig may not set, each with the reason. A key that ends in a dot
// stands for all keys that begin with it.
func Reserved() map[string]string {
	return map[string]string{
		"bootstrap.servers":        "the mapping's SelfManagedEventSource names the brokers",
		"metadata.broker.list":     "the mapping's SelfManagedEventSource names the brokers",
		"group.id":                 "the mapping's ConsumerGroupId names the group",
		"client.id":                "the client id is an option of the runner",
		"client.rack":              "the rack is an option of the runner",
		"group.instance.id":        "static membership is an option of the runner",
		"group.protocol":           "only the classic group protocol is supported",
		"group.remote.assignor":    "only the classic group protocol is supported",
		"isolation.level":          "the isolation level decides which offsets are looked up, too",
		"enable.auto.commit":       "offsets are committed when their records are resolved, never by a timer",
		"auto.commit.interval.ms":  "offsets are committed when their records are resolved, never by a timer",
		"auto.commit.enable":       "offsets are committed when their records are resolved, never by a timer",
		"enable.auto.offset.store": "offsets are committed when their records are resolved, not when they are read",
		"auto.offset.reset":        "a position that does not exist is reported and decided by the engine",
		"default.topic.config":     "it could set auto.offset.reset; set topic properties as top-level keys",
		"check.crcs":               "altered bytes would be delivered as good records",
		"enable.partition.eof":     "the end of a partition is how a position past transaction markers is known",
		"security.protocol":        "the mapping's SourceAccessConfigurations say how to connect",
		"sasl.":                    "the mapping's SourceAccessConfigurations say how to connect",
		"ssl.":                     "the mapping's SourceAccessConfigurations say how to connect",
		"log_level":                "the level follows the logger's",
		"log.queue":                "the log goes to the logger",
		"go.":                      "the consumer is polled in one way",
	}
}

// recordOverhead is what librdkafka keeps for a small record besides its bytes: its queue element and its share of the
// fetch response's bookkeeping, rounded up. Measured: 335 MB for 1 M queued records of 100 bytes.
const recordOverhead = 256

// fetchBackoff is fetch.queue.backoff.ms: how long librdkafka stops fetching a partition once its queue is full. With
// its default of 1000 ms the queue runs dry and stays dry; 2 ms costs a few wake-ups while a queue is full.
const fetchBackoff = 2

// socketTimeout is how long a broker may take to answer before its connection counts as broken: the Java client's
// request.timeout.ms. librdkafka's default is twice that.
const socketTimeout = 30 * time.Second

// minQueuedMessages keeps a small BufferBytes from starving the fetcher.
const minQueuedMessages = 1000

// configMap is the only place that builds librdkafka's properties: the driver's defaults, then the user's, then those
// that the driver's guarantees depend on.
func configMap(config driver.Config, user map[string]any, logs *logPump) (*kafka.ConfigMap, error) {
	if err := refuse(config, user); err != nil {
		return nil, err
	}
	m := kafka.ConfigMap{
		"partition.assignment.strategy": "cooperative-sticky",
		"fetch.queue.backoff.ms":        fetchBackoff,
	}
	// Here librdkafka's defaults differ from those of the Java client, which Lambda uses. The package comment has the
	// list.
	maps.Copy(m, kafka.ConfigMap{
		"socket.keepalive.enable":            true,
		"socket.connection.setup.timeout.ms": 10_000,
		"reconnect.backoff.ms":               50,
		"reconnect.backoff.max.ms":           1000,
		"enable.metrics.push":                false,
	})
	set := func(key string, value int) {
		if value > 0 {
			m[key] = value
		}
	}
	duration := func(key string, d time.Duration) { set(key, int(d.Milliseconds())) }
	duration("session.timeout.ms", config.SessionTimeout)
	duration("heartbeat.interval.ms", config.HeartbeatInterval)
	duration("max.poll.interval.ms", config.MaxPollInterval)
	duration("topic.metadata.refresh.interval.ms", config.MetadataMaxAge)
	duration("metadata.max.age.ms", config.MetadataMaxAge)
	duration("fetch.wait.max.ms", config.FetchMaxWait)
	duration("socket.timeout.ms", max(socketTimeout, config.FetchMaxWait+socketTimeout/2))
	set("fetch.min.bytes", config.FetchMinBytes)
	set("fetch.max.bytes", config.FetchMaxBytes)
	if config.FetchMaxBytes > 0 {
		// librdkafka refuses a fetch.max.bytes below message.max.bytes, which has no meaning for a consumer.
		const least, usual = 1000, 1_000_000
		m["fetch.max.bytes"] = max(config.FetchMaxBytes, least)
		m["message.max.bytes"] = min(max(config.FetchMaxBytes, least), usual)
	}
	set("max.partition.fetch.bytes", config.FetchMaxPartitionBytes)
	if config.FetchMaxBytes > 0 {
		// librdkafka needs room for the response's own fields, and refuses larger responses.
		const maxReceive, slack, usual = 2147483647, 1 << 20, 100_000_000
		m["receive.message.max.bytes"] = min(max(usual, config.FetchMaxBytes+slack), maxReceive)
	}
	if config.BufferBytes > 0 {
		// librdkafka stops fetching when either bound is reached, over all partitions together. It counts only the records'
		// bytes, so the number of records must bound the rest of what it keeps. Each bound gets half of the budget; the one
		// fetch response in flight comes on top.
		const maxKilobytes = 2097151
		half := config.BufferBytes / 2
		m["queued.max.messages.kbytes"] = min(max(half/1024, 1), maxKilobytes)
		m["queued.min.messages"] = min(max(half/recordOverhead, minQueuedMessages), 10_000_000)
	}
	for key, value := range user {
		m[key] = configValue(value)
	}
	m["bootstrap.servers"] = strings.Join(config.BootstrapServers, ",")
	m["group.id"] = config.GroupID
	if config.ClientID != "" {
		m["client.id"] = config.ClientID
	}
	if config.InstanceID != "" {
		m["group.instance.id"] = config.InstanceID
	}
	if config.Rack != "" {
		m["client.rack"] = config.Rack
	}
	m["isolation.level"] = "read_committed"
	if config.ReadUncommitted {
		m["isolation.level"] = "read_uncommitted"
	}
	if err := secure(m, config.Credentials); err != nil {
		return nil, err
	}
	m["enable.auto.commit"] = false
	m["enable.auto.offset.store"] = false
	m["auto.offset.reset"] = "error"
	m["enable.partition.eof"] = true
	m["check.crcs"] = true
	m["log_level"] = logs.level()
	m["go.logs.channel.enable"] = true
	m["go.logs.channel"] = logs.events
	return &m, nil
}

// refuse returns an error that names every invalid setting.
func refuse(config driver.Config, user map[string]any) error {
	var errs []error
	reserved := Reserved()
	for key := range user {
		name := key
		if prefix, _, ok := strings.Cut(key, "."); ok && reserved[prefix+"."] != "" {
			name = prefix + "."
		}
		// librdkafka also accepts topic properties with this prefix.
		name = strings.TrimPrefix(name, "topic.")
		if reason, ok := reserved[name]; ok {
			errs = append(errs, fmt.Errorf("WithConfig may not set %q: %s", key, reason))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if len(config.BootstrapServers) == 0 {
		errs = append(errs, errors.New("BootstrapServers is empty: give at least one host:port"))
	}
	if config.GroupID == "" {
		errs = append(errs, errors.New("GroupID is empty: a consumer group needs a name"))
	}
	if config.Dialer != nil {
		errs = append(errs, errors.New("Dialer is set, but librdkafka opens its own connections: use the franz driver")) //nolint:staticcheck // Dialer is a field's name
	}
	if len(errs) == 0 {
		return nil
	}
	return invalidConfig("bad configuration", errors.Join(errs...))
}

// configValue keeps the types that kafka.ConfigMap knows and formats all others.
func configValue(value any) kafka.ConfigValue {
	switch v := value.(type) {
	case string, bool, int:
		return v
	case time.Duration:
		return int(v.Milliseconds())
	}
	return fmt.Sprint(value)
}

func invalidConfig(what string, err error) error {
	return &driver.Error{Kind: driver.KindInvalidConfig, Offset: -1, Err: fmt.Errorf("confluent: %s: %w", what, err)}
}

// logLevel returns librdkafka's log_level (syslog's numbers) for a logger with or without debug.
func logLevel(debug bool) int {
	const info, all = 6, 7
	if debug {
		return all
	}
	return info
}

// slogLevel maps syslog's numbers, where lower is worse, to slog's levels.
func slogLevel(syslog int) slog.Level {
	switch {
	case syslog <= 3:
		return slog.LevelError
	case syslog == 4:
		return slog.LevelWarn
	case syslog <= 6:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}
