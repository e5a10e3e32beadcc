//go:build cgo

package confluent

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/driver"
)

// Option configures the driver that Driver returns.
type Option func(*client)

// WithConfig sets librdkafka properties by name, as in its CONFIGURATION.md: strings, integers and booleans. They
// override this driver's own choices (partition.assignment.strategy, queued.min.messages and so on) and the sizes and
// times of driver.Config. Open refuses keys that the driver's guarantees depend on, with the reason: see [Reserved].
func WithConfig(properties map[string]any) Option {
	properties = maps.Clone(properties)
	return func(c *client) {
		if c.properties == nil {
			c.properties = make(map[string]any, len(properties))
		}
		maps.Copy(c.properties, properties)
	}
}

// WithClientPoll reads records through confluent-kafka-go's own Poll, one per call. By default, on Linux, many records
// are taken from librdkafka's queue at once, which is about twice as fast for small records; on other systems Poll is
// always used. Use this option if a version of the client ever proves incompatible with the default.
func WithClientPoll() Option { return func(c *client) { c.clientPoll = true } }

// Driver returns a driver that uses confluent-kafka-go. It is immutable and safe for concurrent use.
func Driver(opts ...Option) driver.Driver {
	c := &client{stallEvery: stallEvery}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// client is the Driver.
type client struct {
	properties map[string]any
	clientPoll bool
	stallEvery time.Duration
}

// Name returns "confluent".
func (c *client) Name() string { return "confluent" }

// Describe names librdkafka, its version, and how records are read: "queue" or "Poll".
func (c *client) Describe() driver.Description {
	d := driver.Description{Client: "librdkafka", Reading: "Poll"}
	_, d.Version = kafka.LibraryVersion()
	if !c.clientPoll && noQueue() == "" {
		d.Reading = "queue"
	}
	return d
}

// Features returns that topic IDs are known and that passwords change in place, but librdkafka opens its own sockets.
func (c *client) Features() driver.Features {
	return driver.Features{TopicIDs: true, ReplaceCredentials: true, Network: true}
}

// Open creates a group member; librdkafka connects in the background.
func (c *client) Open(config driver.Config, listener driver.Listener) (driver.Consumer, error) {
	logs := newLogPump(config.Logger)
	properties, err := configMap(config, c.properties, logs)
	if err != nil {
		return nil, err
	}
	patterns, err := compileTopics(config.Topics)
	if err != nil {
		return nil, err
	}
	client, err := kafka.NewConsumer(properties)
	if err != nil {
		return nil, invalidConfig("librdkafka refuses the configuration", err)
	}
	admin, err := kafka.NewAdminClientFromConsumer(client)
	if err != nil {
		return nil, invalidConfig("no admin client", err)
	}
	consumer := &consumer{
		client:        client,
		admin:         admin,
		listener:      listener,
		logger:        config.Logger,
		logs:          logs,
		group:         config.GroupID,
		topics:        patterns,
		readCommitted: !config.ReadUncommitted,
		config:        config,
		properties:    c.properties,
		partitions:    make(map[driver.TopicPartition]*partition),
		watch:         newWatch(config.MetadataMaxAge),
		stalls:        stalls{every: c.stallEvery},
		reported:      newReported(),
		gate:          newGate(),
		commits:       newGate(),
		told:          make(chan struct{}),
		closed:        make(chan struct{}),
	}
	consumer.login.Store(config.Credentials)
	consumer.newTokens = make(chan struct{}, 1)
	if !c.clientPoll {
		consumer.queue = newQueue(client, config.Logger)
	}
	consumer.life, consumer.end = context.WithCancel(context.Background())
	consumer.strategy, _ = (*properties)["partition.assignment.strategy"].(string)
	consumer.member.Store(&driver.Member{Generation: -1})
	consumer.noteLives()
	logs.start()
	if bearer(config.Credentials) {
		consumer.gate.enter()
		go func() {
			defer consumer.gate.leave()
			consumer.keepTokens()
		}()
	}
	err = giveLogin(client, config.Credentials)
	subscribe := func() error { return client.SubscribeTopics(config.Topics, consumer.rebalance) }
	switch {
	case err != nil:
	case needsVetting(config.Credentials):
		consumer.vetting = &vetting{subscribe: subscribe}
		consumer.beginVetting()
	default:
		err = subscribe()
	}
	if err != nil {
		// Nothing has joined yet, so there is no group to leave and Close has nothing to wait for.
		consumer.end()
		<-consumer.gate.close()
		_ = client.Close()
		consumer.queue.free()
		logs.stop()
		return nil, invalidConfig(fmt.Sprintf("cannot subscribe to %q", config.Topics), err)
	}
	return consumer, nil
}
