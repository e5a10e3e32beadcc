//go:build cgo

package confluent

import (
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/auth"
)

// secure sets what connects: after the user's own properties, so that none of those can take the encryption off.
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
	m["ssl.endpoint.identification.algorithm"] = "https"
	m["enable.ssl.certificate.verification"] = true
	if len(c.RootCAs) > 0 {
		m["ssl.ca.pem"] = string(c.RootCAs)
	}
	if len(c.Certificate) > 0 {
		m["ssl.certificate.pem"] = string(c.Certificate)
		m["ssl.key.pem"] = c.PrivateKey.Reveal()
	}
	if c.Mechanism != "" {
		m["sasl.mechanisms"] = string(c.Mechanism)
		m["sasl.username"] = c.Username
		m["sasl.password"] = c.Password.Reveal()
	}
	return nil
}
