//go:build cgo

package confluent

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
)

// giveLogin sets a user name or a password that begins with white space, which librdkafka trims from its properties'
// values. It runs before the client's first connection can have reached SASL.
func giveLogin(client *kafka.Consumer, c *auth.Credentials) error {
	if c == nil || c.Username == "" || !blankFirst(c.Username) && !blankFirst(c.Password.Reveal()) {
		return nil
	}
	return client.SetSaslCredentials(c.Username, c.Password.Reveal())
}

func blankFirst(s string) bool { return strings.TrimLeftFunc(s, unicode.IsSpace) != s }

const (
	// vetTimeout bounds the handshakes that try a client certificate; vetInterval is the delay before the next trial after
	// a refusal.
	vetTimeout  = 5 * time.Second
	vetInterval = 10 * time.Second
)

// vetting tries a client certificate before the member joins. librdkafka sends none to a broker whose list of CAs lacks
// its issuer. If the broker requests a certificate without requiring one (ssl.client.auth=requested), the member would
// continue silently as ANONYMOUS.
type vetting struct {
	subscribe func() error
	verdict   chan error
	next      time.Time // when the next trial may begin, if the last one refused
}

// needsVetting reports whether the client authenticates with a certificate only.
func needsVetting(c *auth.Credentials) bool {
	return c != nil && len(c.Certificate) > 0 && c.Mechanism == ""
}

// vet does a TLS handshake with the certificate and returns the error of a broker that does not accept it. Brokers that
// cannot be reached, and other errors, are left to librdkafka.
func vet(ctx context.Context, servers []string, c *auth.Credentials) error {
	ctx, cancel := context.WithTimeout(ctx, vetTimeout)
	defer cancel()
	for _, server := range servers {
		err := auth.ProbeTLS(ctx, server, c, nil)
		if err == nil {
			return nil
		}
		switch c.Classify(err, "", "").Cause {
		case auth.CauseClientCertificateRejected, auth.CauseClientCertificateExpired:
			return &driver.Error{Kind: driver.KindAuthentication, Broker: server, Offset: -1, Err: err}
		}
	}
	return nil
}

// beginVetting starts a trial.
func (c *consumer) beginVetting() {
	v := c.vetting
	if !c.gate.enter() {
		return
	}
	v.verdict = make(chan error, 1)
	go func() {
		defer c.gate.leave()
		v.verdict <- vet(c.life, c.config.BootstrapServers, c.config.Credentials)
	}()
}

// admitted subscribes once the certificate was accepted, or no broker could tell. Until then it waits, at most for the
// duration of a Poll.
func (c *consumer) admitted(ctx context.Context) bool {
	v := c.vetting
	wait := time.NewTimer(pollFor)
	defer wait.Stop()
	if v.verdict == nil {
		if time.Now().Before(v.next) {
			select {
			case <-ctx.Done():
			case <-wait.C:
			}
			return false
		}
		c.beginVetting()
	}
	select {
	case err := <-v.verdict:
		v.verdict = nil
		if refused, ok := err.(*driver.Error); ok { //nolint:errorlint // vet returns no other
			v.next = time.Now().Add(vetInterval)
			c.report(refused)
			return false
		}
	case <-ctx.Done():
		return false
	case <-wait.C:
		return false
	}
	c.vetting = nil
	if err := v.subscribe(); err != nil {
		c.fatal = &driver.Error{Kind: driver.KindInvalidConfig, Offset: -1, Err: err}
		return false
	}
	return true
}
