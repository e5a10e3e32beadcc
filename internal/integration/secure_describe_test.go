package integration

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/esm-go/esm/auth"
)

// describers query a broker's configuration with one of the clients, by the driver's name.
var describers = map[string]func(ctx context.Context, servers []string, c *auth.Credentials) error{"franz": describeWithFranz}

func describeWithFranz(ctx context.Context, servers []string, c *auth.Credentials) error {
	config, err := c.TLSConfig()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(servers...), kgo.DialTLSConfig(config),
		kgo.SASL(scram.Auth{User: c.Username, Pass: c.Password.Reveal()}.AsSha512Mechanism()))
	if err != nil {
		return err
	}
	defer client.Close()
	configs, err := kadm.NewClient(client).DescribeBrokerConfigs(ctx, 1)
	for _, c := range configs {
		err = errors.Join(err, c.Err)
	}
	return err
}
