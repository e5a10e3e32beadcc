//go:build cgo

package confluent

import (
	"bytes"
	"errors"
	"maps"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
)

// secure sets how to connect. It runs after the user's own properties, so that none of those can turn off encryption.
func secure(m kafka.ConfigMap, c *auth.Credentials) error {
	if c == nil {
		c = new(auth.Credentials)
	}
	if err := c.Validate(); err != nil {
		return invalidConfig("bad credentials", err)
	}
	protocol := c.Protocol
	if protocol == "" {
		protocol = auth.ProtocolPlaintext
	}
	m["security.protocol"] = string(protocol)
	if protocol == auth.ProtocolPlaintext {
		return nil
	}
	if err := c.CheckOpenSSL(); err != nil {
		return invalidConfig("librdkafka cannot use these certificates", err)
	}
	m["ssl.endpoint.identification.algorithm"] = "https"
	m["enable.ssl.certificate.verification"] = true
	if len(c.RootCAs) > 0 {
		m["ssl.ca.pem"] = string(c.RootCAs)
	}
	if len(c.Certificate) > 0 {
		m["ssl.certificate.pem"] = string(c.Certificate)
		m["ssl.key.pem"] = c.PrivateKey.Reveal()
	}
	switch {
	case bearer(c):
		if c.Tokens == nil {
			return invalidConfig("bad credentials", errors.New("librdkafka does not support AWS_MSK_IAM: set Credentials.Tokens for OAUTHBEARER instead, or use driver/franz"))
		}
		m["sasl.mechanisms"] = string(auth.MechanismOAuthBearer)
	case c.Mechanism != "":
		m["sasl.mechanisms"] = string(c.Mechanism)
		m["sasl.username"] = c.Username
		m["sasl.password"] = c.Password.Reveal()
	}
	return nil
}

// ReplaceCredentials makes the next authentication use another user name and password, or tokens from another source.
// librdkafka cannot change the certificates of a running client.
func (c *consumer) ReplaceCredentials(next *auth.Credentials) error {
	now := c.config.Credentials
	if now == nil || next == nil || next.Mechanism == "" || next.Protocol != now.Protocol || next.Mechanism != now.Mechanism ||
		!bytes.Equal(next.RootCAs, now.RootCAs) || !bytes.Equal(next.Certificate, now.Certificate) || !next.PrivateKey.Equal(now.PrivateKey) {
		return &driver.Error{Kind: driver.KindInvalidConfig, Offset: -1, Err: driver.ErrNotInPlace}
	}
	if err := next.Validate(); err != nil {
		return invalidConfig("bad credentials", err)
	}
	if !c.gate.enter() {
		return errClosed
	}
	defer c.gate.leave()
	if bearer(next) {
		if !maps.Equal(next.Extensions, now.Extensions) {
			return &driver.Error{Kind: driver.KindInvalidConfig, Offset: -1, Err: driver.ErrNotInPlace}
		}
		c.login.Store(next)
		c.renewToken()
		return nil
	}
	if err := c.client.SetSaslCredentials(next.Username, next.Password.Reveal()); err != nil {
		return classed(driver.TopicPartition{}, err)
	}
	c.login.Store(next)
	return nil
}
