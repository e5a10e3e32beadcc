package drivertest

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/esm-go/esm/driver"
)

// lacksTopicIDs and lacksNetwork return the feature's name if the driver lacks it, else "".
func lacksTopicIDs(f driver.Features) string {
	if f.TopicIDs {
		return ""
	}
	return "TopicIDs"
}

func lacksNetwork(f driver.Features) string {
	if f.Network {
		return ""
	}
	return "Network"
}

// The Features that a driver returns must be correct: the engine and the cases above rely on them.
var featureCases = []testCase{
	{name: "features/topic ids", needs: []string{needTopicIDs}, lacks: lacksTopicIDs, run: func(k *kit) {
		topic := k.topic(1)
		second := topic + "-2"
		k.env.CreateTopic(k, second, 1)
		m := k.open(topic)
		m.waitOwns(tp(topic, 0))
		got, err := m.c.Topics(k.ctx(), topic, second)
		if err != nil || len(got) != 2 || got[0].ID == [16]byte{} || got[1].ID == [16]byte{} || got[0].ID == got[1].ID {
			k.Errorf("Topics() = %+v, %v, want two ids", got, err)
		}
	}},
	{name: "features/credentials", run: func(k *kit) {
		m := k.open(k.topic(1))
		_, can := m.c.(driver.CredentialsReplacer)
		if says := k.target.Driver(k.env).Features().ReplaceCredentials; says != can {
			k.Errorf("Features.ReplaceCredentials is %t, and that the consumer is a CredentialsReplacer %t", says, can)
		}
	}},
	{name: "features/dialer", lacks: lacksNetwork, run: func(k *kit) {
		topic := k.topic(1)
		var dials atomic.Int32
		d := k.target.Driver(k.env)
		dialing := func(c *driver.Config) {
			c.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
				dials.Add(1)
				return new(net.Dialer).DialContext(ctx, network, address)
			}
		}
		if d.Features().VirtualNetwork {
			m := k.open(topic, config(dialing))
			m.waitOwns(tp(topic, 0))
			if dials.Load() == 0 {
				k.Error("a driver with Features.VirtualNetwork passed Config.Dialer over")
			}
			return
		}
		cfg := k.config(topic)
		dialing(&cfg)
		var e *driver.Error
		if _, err := d.Open(cfg, newMember(k)); !errors.As(err, &e) || e.Kind != driver.KindInvalidConfig {
			k.Errorf("Open with a Dialer that the driver cannot use: %v, want %v", err, driver.KindInvalidConfig)
		}
	}},
}
