//go:build cgo

package integration

import (
	"context"
	"errors"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver/confluent"
	"github.com/esm-go/esm/internal/rdkafka"
)

func init() {
	describers["confluent"] = describeWithConfluent
	talkative["confluent"] = confluent.Driver(confluent.WithConfig(map[string]any{"debug": "all"}))
}

func describeWithConfluent(ctx context.Context, servers []string, c *auth.Credentials) error {
	client, err := kafka.NewAdminClient(&kafka.ConfigMap{
		"bootstrap.servers": strings.Join(servers, ","), "security.protocol": string(c.Protocol), "ssl.ca.pem": string(c.RootCAs),
		"sasl.mechanisms": string(c.Mechanism), "sasl.username": c.Username, "sasl.password": c.Password.Reveal(),
	})
	if err != nil {
		return err
	}
	defer client.Close()
	results, err := client.DescribeConfigs(ctx, []kafka.ConfigResource{{Type: kafka.ResourceBroker, Name: "1"}})
	for _, r := range results {
		if r.Error.Code() != kafka.ErrNoError {
			err = errors.Join(err, &rdkafka.Error{Code: int(r.Error.Code()), Text: r.Error.Error()})
		}
	}
	return err
}
