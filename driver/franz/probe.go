package franz

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
)

// Probe tries the config's credentials on a new connection.
func (d *franz) Probe(ctx context.Context, cfg driver.Config) error {
	c := &consumer{cfg: cfg} // only for its error handling; it never joins
	c.report.init(func() {})
	if err := c.security.set(cfg.Credentials); err != nil {
		return configError(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.life = ctx
	opts := append([]kgo.Opt{}, d.options.kgo...)
	if cfg.Dialer != nil {
		opts = append(opts, kgo.Dialer(cfg.Dialer))
	}
	opts = append(opts, c.security.options(cfg.Dialer)...)
	opts = append(opts, kgo.WithContext(ctx), kgo.WithLogger(newLogger(cfg.Logger)), kgo.SeedBrokers(cfg.BootstrapServers...),
		kgo.ClientID(cfg.ClientID), kgo.DisableClientMetrics(), kgo.WithHooks(&hooks{c: c}, refusal{c, cancel}))
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return configError(err)
	}
	defer client.Close()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // none: brokers answer that for every authenticated client
	if _, err = req.RequestWith(ctx, client); err == nil {
		return nil
	}
	// The reason why no connection was established says more than the request's own error.
	for _, e := range c.report.drain(nil) {
		if e.Kind == driver.KindAuthentication || e.Kind == driver.KindAuthorization {
			return e
		}
	}
	return c.classify(fmt.Errorf("trying the credentials: %w", err))
}

// refusal ends a probe that a broker refused: a retry would be refused too.
type refusal struct {
	c   *consumer
	end context.CancelFunc
}

// OnBrokerConnect runs after that of hooks, which records the reason.
func (r refusal) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil && r.c.classify(err).Kind == driver.KindAuthentication {
		r.end()
	}
}
