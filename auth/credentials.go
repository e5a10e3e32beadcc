package auth

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"regexp"
)

// SecurityProtocol is Kafka's security.protocol.
type SecurityProtocol string

// The protocols that Credentials support. SASL_PLAINTEXT is missing on purpose: a password is never sent over an
// unencrypted connection.
const (
	ProtocolPlaintext SecurityProtocol = "PLAINTEXT"
	ProtocolSSL       SecurityProtocol = "SSL"
	ProtocolSASLSSL   SecurityProtocol = "SASL_SSL"
)

// SASLMechanism is Kafka's sasl.mechanism.
type SASLMechanism string

// The mechanisms that Credentials support.
const (
	MechanismPlain       SASLMechanism = "PLAIN"
	MechanismSCRAMSHA256 SASLMechanism = "SCRAM-SHA-256"
	MechanismSCRAMSHA512 SASLMechanism = "SCRAM-SHA-512"
	MechanismOAuthBearer SASLMechanism = "OAUTHBEARER"
	MechanismAWSMSKIAM   SASLMechanism = "AWS_MSK_IAM"
)

// Credentials are what a Kafka client needs to connect. The zero value means PLAINTEXT without authentication. Treat
// Credentials as immutable: a rotation creates new ones. They print without secrets in every format.
type Credentials struct {
	// Protocol is Kafka's security.protocol. "" means PLAINTEXT.
	Protocol SecurityProtocol
	// Mechanism is Kafka's sasl.mechanism, "" for none. It needs SASL_SSL.
	Mechanism SASLMechanism
	// Username is the SASL user name. It is printed, because it names a principal.
	Username string
	// Password is the SASL password.
	Password Secret
	// Tokens are those of OAUTHBEARER. With AWS_MSK_IAM they are for clients without that mechanism: Amazon MSK accepts
	// them with OAUTHBEARER.
	Tokens *Tokens
	// Extensions are the SASL extensions of OAUTHBEARER (RFC 7628, 3.1).
	Extensions map[string]string
	// IAM signs for AWS_MSK_IAM.
	IAM IAM
	// RootCAs are the CA certificates that brokers are checked against, as PEM
	// (CERTIFICATE blocks only, newline-terminated). They replace the system's
	// roots. Empty means the system's roots. librdkafka: ssl.ca.pem.
	RootCAs []byte
	// Certificate is the client's chain as PEM, leaf first, each followed by
	// its issuer. librdkafka: ssl.certificate.pem.
	Certificate []byte
	// PrivateKey is the key of the first certificate as unencrypted PKCS#8 PEM, re-encoded so that every client can read
	// it. librdkafka: ssl.key.pem.
	PrivateKey Secret
	// Version identifies the versions of the secrets. Two Credentials that one process resolved through the same Secrets
	// have the same values if they have the same Version. It is "" if no secret was read. It is printed.
	Version string

	scope, audience string // of the configurations, for those that make Tokens
}

// protocol is Protocol with its default.
func (c *Credentials) protocol() SecurityProtocol {
	if c == nil || c.Protocol == "" {
		return ProtocolPlaintext
	}
	return c.Protocol
}

// Validate reports whether the fields are consistent: SASL only over TLS and with what the mechanism needs, a key and a
// certificate only together, nothing secret with PLAINTEXT. [Resolve] returns only Credentials that pass. Call it for
// Credentials that you fill yourself; every driver calls it before it connects. The error is [ErrInvalidCredentials].
func (c *Credentials) Validate() error {
	invalid := func(text string) error { return fmt.Errorf("%w: %s", ErrInvalidCredentials, text) }
	if c == nil {
		return nil
	}
	switch c.protocol() {
	case ProtocolPlaintext, ProtocolSSL:
		if c.Mechanism != "" || c.Username != "" || !c.Password.IsZero() || c.Tokens != nil || c.IAM != nil {
			return invalid(fmt.Sprintf("a SASL mechanism, user name, password or tokens with Protocol %s: use %s",
				c.protocol(), ProtocolSASLSSL))
		}
	case ProtocolSASLSSL:
		if problem := c.mechanismProblem(); problem != "" {
			return invalid(problem)
		}
	case "SASL_PLAINTEXT":
		return invalid("Protocol SASL_PLAINTEXT would send the password over a connection that is not encrypted: use SASL_SSL")
	default:
		return invalid(fmt.Sprintf("Protocol %.20q: use %s, %s or %s", string(c.Protocol),
			ProtocolPlaintext, ProtocolSSL, ProtocolSASLSSL))
	}
	if (len(c.Certificate) == 0) != c.PrivateKey.IsZero() {
		return invalid("Certificate and PrivateKey go together: give both or neither")
	}
	if c.protocol() == ProtocolPlaintext && (len(c.RootCAs) > 0 || len(c.Certificate) > 0) {
		return invalid("certificates with Protocol PLAINTEXT: use SSL")
	}
	return nil
}

// mechanismProblem returns what is wrong with the fields of a SASL mechanism, "" for nothing.
func (c *Credentials) mechanismProblem() string {
	login := c.Username != "" || !c.Password.IsZero()
	switch c.Mechanism {
	case MechanismPlain, MechanismSCRAMSHA256, MechanismSCRAMSHA512:
		switch {
		case c.Username == "" || c.Password.IsZero():
			return "Mechanism " + string(c.Mechanism) + " needs Username and Password"
		case c.Tokens != nil || c.IAM != nil || len(c.Extensions) > 0:
			return "Mechanism " + string(c.Mechanism) + " has no Tokens, IAM or Extensions"
		}
	case MechanismOAuthBearer, MechanismAWSMSKIAM:
		switch {
		case login:
			return "Mechanism " + string(c.Mechanism) + " has no Username or Password"
		case c.Mechanism == MechanismOAuthBearer && c.Tokens == nil:
			return "Mechanism OAUTHBEARER needs Tokens"
		case c.Mechanism == MechanismAWSMSKIAM && c.IAM == nil:
			return "Mechanism AWS_MSK_IAM needs IAM"
		}
		for name, value := range c.Extensions {
			if !extensionName.MatchString(name) || name == "auth" || !extensionValue.MatchString(value) {
				return fmt.Sprintf("Extensions: %.40q and its value are not allowed by RFC 7628", name)
			}
		}
	default:
		return fmt.Sprintf("Protocol %s with Mechanism %.20q: use %s, %s, %s, %s or %s", ProtocolSASLSSL, string(c.Mechanism),
			MechanismPlain, MechanismSCRAMSHA256, MechanismSCRAMSHA512, MechanismOAuthBearer, MechanismAWSMSKIAM)
	}
	return ""
}

var (
	extensionName  = regexp.MustCompile(`^[A-Za-z]+$`)
	extensionValue = regexp.MustCompile(`^[\x21-\x7E \t\r\n]*$`)
)

// TLSConfig returns the configuration for a Go client, nil for PLAINTEXT.
//
// ServerName is empty: the client sets it to the host of the broker that it dials (franz-go's DialTLSConfig does). The
// minimum version is TLS 1.2. The client certificate is offered to every broker that asks, whatever CAs the broker
// accepts, so that a broker that does not trust it reports that instead of "no certificate". The caller owns the
// result.
func (c *Credentials) TLSConfig() (*tls.Config, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.protocol() == ProtocolPlaintext {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(c.RootCAs) > 0 {
		certificates, err := readCertificates(string(c.RootCAs))
		if err != nil {
			return nil, fmt.Errorf("%w: RootCAs: %w", ErrInvalidCredentials, err)
		}
		pool := x509.NewCertPool()
		for _, certificate := range certificates {
			pool.AddCert(certificate)
		}
		config.RootCAs = pool
	}
	if len(c.Certificate) > 0 {
		pair, err := tls.X509KeyPair(c.Certificate, []byte(c.PrivateKey.Reveal()))
		if err != nil {
			// The text may come from the key's parser, so it is not passed on.
			return nil, fmt.Errorf("%w: Certificate and PrivateKey are not a pair of PEM that belong together",
				ErrInvalidCredentials)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &pair, nil
		}
	}
	return config, nil
}

// TLSConfigFor is [Credentials.TLSConfig] for connections to one host, which it sets as ServerName. If a broker's
// certificate has no DNS name in its subjectAltName, its common name counts. Java and OpenSSL do the same, but
// crypto/tls does not; brokers that Kafka's own clients accept are accepted this way. All other checks are those of
// crypto/tls.
func (c *Credentials) TLSConfigFor(host string) (*tls.Config, error) {
	config, err := c.TLSConfig()
	if err != nil || config == nil {
		return config, err
	}
	config.ServerName = host
	if net.ParseIP(host) != nil {
		return config, nil // a common name does not count for an address
	}
	roots := config.RootCAs
	config.InsecureSkipVerify = true //nolint:gosec // VerifyConnection does it, with the same means
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if err := verifyServer(state.PeerCertificates, roots, host); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		return nil
	}
	return config, nil
}

// verifyServer does what crypto/tls does by itself, except that the common name may count.
func verifyServer(sent []*x509.Certificate, roots *x509.CertPool, host string) error {
	if len(sent) == 0 {
		return errors.New("the broker sent no certificate")
	}
	options := x509.VerifyOptions{Roots: roots, DNSName: host, Intermediates: x509.NewCertPool()}
	for _, c := range sent[1:] {
		options.Intermediates.AddCert(c)
	}
	_, err := sent[0].Verify(options)
	if _, misnamed := errors.AsType[x509.HostnameError](err); misnamed && commonNameFits(sent[0], host) {
		options.DNSName = ""
		_, err = sent[0].Verify(options)
	}
	return err
}

// commonNameFits reports whether a certificate without DNS names has a subject whose common name matches host.
func commonNameFits(c *x509.Certificate, host string) bool {
	if len(c.DNSNames) > 0 || c.Subject.CommonName == "" {
		return false
	}
	return (&x509.Certificate{DNSNames: []string{c.Subject.CommonName}}).VerifyHostname(host) == nil
}

// Equal reports whether both hold the same values, ignoring Version.
func (c *Credentials) Equal(other *Credentials) bool {
	a, b := c, other
	if a == nil {
		a = &Credentials{}
	}
	if b == nil {
		b = &Credentials{}
	}
	return a.protocol() == b.protocol() && a.Mechanism == b.Mechanism && a.Username == b.Username &&
		a.Tokens.Equal(b.Tokens) && (a.IAM == nil) == (b.IAM == nil) && (a.IAM == nil || a.IAM.Identity() == b.IAM.Identity()) &&
		maps.Equal(a.Extensions, b.Extensions) && a.Password.Equal(b.Password) && a.PrivateKey.Equal(b.PrivateKey) &&
		bytes.Equal(a.RootCAs, b.RootCAs) && bytes.Equal(a.Certificate, b.Certificate)
}

// summary is the printed form of Credentials.
type summary struct {
	Protocol    SecurityProtocol
	Mechanism   SASLMechanism `json:",omitempty"`
	Username    string        `json:",omitempty"`
	Password    Secret        `json:",omitzero"`
	Tokens      string        `json:",omitempty"`
	Certificate bool          `json:",omitempty"`
	PrivateKey  Secret        `json:",omitzero"`
	RootCAs     bool          `json:",omitempty"`
	Version     string        `json:",omitempty"`
}

func (c Credentials) summary() summary {
	return summary{Protocol: c.protocol(), Mechanism: c.Mechanism, Username: c.Username, Password: c.Password, Tokens: c.Tokens.String(),
		Certificate: len(c.Certificate) > 0, PrivateKey: c.PrivateKey, RootCAs: len(c.RootCAs) > 0, Version: c.Version}
}

// String describes the credentials without secrets.
func (c Credentials) String() string {
	text, err := json.Marshal(c.summary())
	if err != nil {
		return redacted
	}
	return string(text)
}

// GoString implements [fmt.GoStringer].
func (c Credentials) GoString() string { return "auth.Credentials(" + c.String() + ")" }

// Format implements [fmt.Formatter]: every verb prints String or GoString.
func (c Credentials) Format(f fmt.State, verb rune) {
	text := c.String()
	if verb == 'v' && f.Flag('#') {
		text = c.GoString()
	}
	_, _ = io.WriteString(f, text) // fmt.State has no way to report an error
}

// MarshalJSON returns the printed form. Credentials cannot be read back from it.
func (c Credentials) MarshalJSON() ([]byte, error) { return json.Marshal(c.summary()) }

// LogValue implements [slog.LogValuer].
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }
