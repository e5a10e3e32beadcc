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

// setupTimeout bounds connecting and shaking hands: the default of Kafka's socket.connection.setup.timeout.ms.
const setupTimeout = 10 * time.Second

// security holds the credentials in force. Every new connection reads them anew, so that they change in place: living
// connections stay, and the broker's own re-authentication or the next connection uses the new ones.
type security struct {
	current atomic.Pointer[secured]
	// changed holds a word when the credentials are others.
	changed chan struct{}
}

// secured are credentials with the TLS configuration that they make.
type secured struct {
	credentials *auth.Credentials
	tls         *tls.Config
}

// set puts credentials in force.
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

// options are what a client needs for credentials of this protocol. The protocol itself cannot change in place.
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

// dialTLS opens a connection and shakes hands, with the host as the name to check.
func (s *security) dialTLS(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), network, address string) (net.Conn, error) {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	// A listener that does not speak TLS may wait for more, for ever.
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

// mechanism is SASL with the credentials in force when a connection authenticates.
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

// ReplaceCredentials puts other credentials in force for every connection from now on, with no rebalance. The protocol
// and the mechanism must stay what they were.
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
