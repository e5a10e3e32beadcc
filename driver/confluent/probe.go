//go:build cgo

package confluent

import (
	"context"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
)

// openProbe opens a separate client with the config's credentials. It joins no group. The caller closes it with the
// function returned.
func openProbe(ctx context.Context, config driver.Config, user map[string]any) (*kafka.Consumer, func(), error) {
	logs := newLogPump(config.Logger)
	properties, err := configMap(config, user, logs)
	if err != nil {
		return nil, nil, err
	}
	client, err := kafka.NewConsumer(properties)
	if err != nil {
		return nil, nil, invalidConfig("librdkafka refuses the configuration", err)
	}
	logs.start()
	closeProbe := func() {
		_ = client.Close() // it never joined: there is nothing to leave
		logs.stop()
	}
	if err = giveLogin(client, config.Credentials); err != nil {
		err = classed(driver.TopicPartition{}, err)
	} else if bearer(config.Credentials) {
		err = probeToken(ctx, client, config.Credentials)
	}
	if err != nil {
		closeProbe()
		return nil, nil, err
	}
	return client, closeProbe, nil
}

// probeStep bounds one wait inside librdkafka while a probe listens for the reason of a failure.
const probeStep = 250 * time.Millisecond

// Probe tries the config's credentials with a separate client, which joins no group.
func (c *client) Probe(ctx context.Context, config driver.Config) error {
	client, closeProbe, err := openProbe(ctx, config, c.properties)
	if err != nil {
		return err
	}
	defer closeProbe()
	if needsVetting(config.Credentials) {
		if err := vet(ctx, config.BootstrapServers, config.Credentials); err != nil {
			return err
		}
	}
	var reason *driver.Error
	for {
		_, err := client.GetMetadata(nil, false, int(probeStep.Milliseconds()))
		if err == nil {
			return nil
		}
		if reason == nil {
			reason = classed(driver.TopicPartition{}, err)
		}
		// The reason arrives as an event, which does not end the wait for the metadata.
		for ev := client.Poll(0); ev != nil; ev = client.Poll(0) {
			if e, ok := ev.(kafka.Error); ok {
				if said := classed(driver.TopicPartition{}, e); auth.Classify(said).Stronger(auth.Classify(reason)) {
					reason = said
				}
			}
		}
		// Check the meaning too: if a broker hangs up during SASL, the error has a code for lost connections.
		if reason.Kind == driver.KindAuthentication || auth.Classify(reason).Code == auth.CodeAuthnError || ctx.Err() != nil {
			return reason
		}
	}
}
