package franz

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
)

// setupTimeout bounds connecting and the TLS handshake: the default of Kafka's socket.connection.setup.timeout.ms.
const setupTimeout = 10 * time.Second

// security holds the current credentials. Every new connection reads them, so they can change in place: open
// connections stay, and re-authentication by the broker or the next connection uses the new ones.
type security struct {
	current atomic.Pointer[secured]
	// changed holds a value when the credentials have changed.
	changed chan struct{}
}

// secured holds credentials and the TLS configuration made from them.
type secured struct {
	credentials *auth.Credentials
	tls         *tls.Config
}

// set makes c the current credentials.
func (s *security) set(c *auth.Credentials) error {
	if c == nil {
		c = new(auth.Credentials)
	}
	if err := c.Validate(); err != nil {
		return err
	}
	config, err := c.TLSConfig()
	if err != nil {
		return err
	}
	s.current.Store(&secured{c, config})
	return nil
}

// options returns the client's options for credentials of this protocol. The protocol itself cannot change in place.
func (s *security) options(dial func(context.Context, string, string) (net.Conn, error)) []kgo.Opt {
	now := s.current.Load()
	var opts []kgo.Opt
	if now.tls != nil {
		opts = append(opts, kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
			return s.dialTLS(ctx, dial, network, address)
		}))
	}
	if now.credentials.Mechanism != "" {
		opts = append(opts, kgo.SASL(mechanism{s, now.credentials.Mechanism}))
	}
	return opts
}

// dialTLS opens a connection and does the TLS handshake, checking the certificate against the host.
func (s *security) dialTLS(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), network, address string) (net.Conn, error) {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	// A listener that does not speak TLS may wait for more bytes forever.
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	config, err := s.current.Load().credentials.TLSConfigFor(host)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	client := tls.Client(conn, config)
	if err := client.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("TLS with %s: %w", address, err)
	}
	return client, nil
}

// mechanism is SASL with the credentials that are current when a connection authenticates.
type mechanism struct {
	s    *security
	name auth.SASLMechanism
}

// Name is Kafka's name of the mechanism.
func (m mechanism) Name() string { return string(m.name) }

// Authenticate begins one authentication.
func (m mechanism) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	c := m.s.current.Load().credentials
	var inner sasl.Mechanism
	switch m.name {
	case auth.MechanismOAuthBearer:
		return authenticateToken(ctx, host, c)
	case auth.MechanismAWSMSKIAM:
		return authenticateIAM(ctx, host, c)
	case auth.MechanismPlain:
		inner = plain.Auth{User: c.Username, Pass: c.Password.Reveal()}.AsMechanism()
	case auth.MechanismSCRAMSHA256:
		inner = scram.Auth{User: c.Username, Pass: c.Password.Reveal()}.AsSha256Mechanism()
	case auth.MechanismSCRAMSHA512:
		inner = scram.Auth{User: c.Username, Pass: c.Password.Reveal()}.AsSha512Mechanism()
	default:
		return nil, nil, fmt.Errorf("franz: SASL mechanism %s is not supported", m.name)
	}
	return inner.Authenticate(ctx, host)
}

// ReplaceCredentials makes every later connection use other credentials, without a rebalance. The protocol and the
// mechanism must stay the same.
func (c *consumer) ReplaceCredentials(next *auth.Credentials) error {
	now := c.security.current.Load().credentials
	if next == nil || next.Protocol != now.Protocol || next.Mechanism != now.Mechanism {
		return &driver.Error{Kind: driver.KindInvalidConfig, Offset: -1,
			Err: fmt.Errorf("%w: the protocol and the mechanism stay %s %s", driver.ErrNotInPlace, now.Protocol, now.Mechanism)}
	}
	if err := c.security.set(next); err != nil {
		return err
	}
	select {
	case c.security.changed <- struct{}{}:
	default:
	}
	return nil
}
