package franz

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
)

// ConnectOpts returns the options for a kgo.Client of the caller that connects as a mapping's clients do: servers,
// client ID, credentials, dialer and logger. The error says what is wrong with the credentials.
func ConnectOpts(cfg driver.ProducerConfig) ([]kgo.Opt, error) {
	var s security
	if err := s.set(cfg.Credentials); err != nil {
		return nil, configError(err)
	}
	var opts []kgo.Opt
	if cfg.Dialer != nil {
		opts = append(opts, kgo.Dialer(cfg.Dialer))
	}
	opts = append(opts, s.options(cfg.Dialer)...)
	return append(opts, kgo.SeedBrokers(cfg.BootstrapServers...), kgo.ClientID(cfg.ClientID), kgo.WithLogger(newLogger(cfg.Logger)),
		kgo.DisableClientMetrics()), nil
}
