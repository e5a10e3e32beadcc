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

// Option changes what Driver makes.
type Option func(*client)

// WithConfig sets librdkafka properties by name, as its CONFIGURATION.md has them: strings, integers and booleans.
// They win over this driver's own choices (partition.assignment.strategy, queued.min.messages and so on) and over
// the sizes and times of driver.Config. Keys on which the driver's promises rest are refused by Open, with the reason:
// see the package's Reserved.
func WithConfig(properties map[string]any) Option {
	properties = maps.Clone(properties)
	return func(c *client) {
		if c.properties == nil {
			c.properties = make(map[string]any, len(properties))
		}
		maps.Copy(c.properties, properties)
	}
}

// WithClientPoll reads records through confluent-kafka-go's own Poll, one a call. By default, on Linux, many are taken of
// librdkafka's queue at a time, which is about twice as fast for small records; elsewhere Poll is what there is. It is a
// way out should a version of the client ever disagree with that.
func WithClientPoll() Option { return func(c *client) { c.clientPoll = true } }

// Driver returns the driver over confluent-kafka-go. It is immutable and safe for concurrent use.
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

// Features says that topic ids are known, that passwords change in place, and that librdkafka opens its own sockets.
func (c *client) Features() driver.Features {
	return driver.Features{TopicIDs: true, ReplaceCredentials: true, Network: true}
}

// Open makes a group member; librdkafka connects in the background.
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
		credentials:   config.Credentials,
		servers:       config.BootstrapServers,
		partitions:    make(map[driver.TopicPartition]*partition),
		watch:         newWatch(config.MetadataMaxAge),
		stalls:        stalls{every: c.stallEvery},
		reported:      newReported(),
		gate:          newGate(),
		commits:       newGate(),
		told:          make(chan struct{}),
		closed:        make(chan struct{}),
	}
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
		consumer.tokens.Store(config.Credentials.Tokens)
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
		// Nothing was joined, so there is no group to leave and Close has nothing to wait for.
		consumer.end()
		<-consumer.gate.close()
		_ = client.Close()
		consumer.queue.free()
		logs.stop()
		return nil, invalidConfig(fmt.Sprintf("cannot subscribe to %q", config.Topics), err)
	}
	return consumer, nil
}
