package auth

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/esm-go/esm/internal/rdkafka"
)

// librdkafka's own error codes (rdkafka.h, rd_kafka_resp_err_t).
const (
	rdkafkaResolve        = -193
	rdkafkaTransport      = -195
	rdkafkaUnknownTopic   = -188
	rdkafkaAllBrokersDown = -187
	rdkafkaInvalidArg     = -186
	rdkafkaTimedOut       = -185
	rdkafkaSSL            = -181
	rdkafkaAuthentication = -169
)

// opensslAlert finds the alert number in OpenSSL's text.
var opensslAlert = regexp.MustCompile(`SSL alert number ([0-9]{1,3})`)

// classifyClient classifies librdkafka's errors. One refusal comes under several codes, sometimes with a helpful
// sentence and sometimes without: OpenSSL's text, which all of them contain, says more than the code.
func (f facts) classifyClient(err error) Diagnosis {
	var client *rdkafka.Error
	if !errors.As(err, &client) {
		return Diagnosis{}
	}
	if client.Code > 0 {
		return f.brokerCode(client.Code, client.Text)
	}
	text := client.Text
	switch {
	case client.Code == rdkafkaInvalidArg:
		return f.clientConfiguration(text)
	case client.Code == rdkafkaAllBrokersDown:
		return connection(CauseAllBrokersDown, "no broker can be reached", "see the errors before this one")
	case client.Code == rdkafkaAuthentication && strings.Contains(text, "not valid in current SASL state"):
		return f.brokerCode(brokerSASLState, text)
	case strings.Contains(text, "mechanism handshake failed: Local:"):
		return f.disconnected() // the broker went away during the handshake
	case client.Code == rdkafkaAuthentication && strings.Contains(text, "mechanism handshake"):
		return f.mechanismRefused(text)
	case client.Code == rdkafkaAuthentication:
		return f.saslRefused(text)
	}
	if d := f.opensslText(text); d.Known() {
		return d
	}
	return f.clientText(client)
}

// opensslText classifies OpenSSL's text, in the forms of versions 1.1 and 3.
func (f facts) opensslText(text string) Diagnosis {
	has := func(part string) bool { return strings.Contains(text, part) }
	if match := opensslAlert.FindStringSubmatch(text); match != nil {
		number, err := strconv.Atoi(match[1])
		if err == nil {
			if d := f.alert(number); d.Known() {
				return d
			}
		}
	}
	switch {
	case has("hostname mismatch"), has("IP address mismatch"):
		return refuseServer(CauseServerName, "the broker's certificate lacks the name that was dialled", "dial the broker by a name in its certificate")
	case has("certificate has expired"), has("certificate is not yet valid"):
		return refuseServer(CauseServerExpired, "the broker's certificate has expired or is not valid yet", "renew it on the brokers, or correct this machine's clock")
	case has("certificate verify failed"), has("0A000086"), has("certificate could not be verified"),
		has("Failed to verify broker certificate"), has("Broker did not provide a certificate"):
		// OpenSSL knows which one, but librdkafka does not report it.
		return refuseServer(CauseServerUnverified, "the broker's certificate could not be verified: its CA is not trusted, "+
			"or it lacks the name that was dialled, or it has expired or is not valid yet",
			"check the CA in the secret of Type "+string(ServerRootCACertificate)+", then the certificate's names and dates")
	case has("client SSL authentication might be required"):
		return f.alert(alertCertificateRequired)
	case has("wrong version number"), has("packet length too long"), has("http request"), has("connecting to a PLAINTEXT broker listener"):
		return plaintextListener()
	case has("unsupported protocol"), has("no protocols available"), has("no shared cipher"):
		return tlsVersion()
	}
	return Diagnosis{}
}

// clientText classifies librdkafka's own text.
func (f facts) clientText(client *rdkafka.Error) Diagnosis {
	has := func(part string) bool { return strings.Contains(client.Text, part) }
	switch {
	case has("SASL authentication error") && f.bearer():
		return f.disconnected() // brokers that accept tokens say why they refuse one
	case has("SASL authentication error"):
		// The broker hung up during SASL: old ones (before 1.0) and some proxies do that on a wrong password.
		d := f.saslRefused(client.Text)
		d.Detail = "the broker closed the connection during SASL, as some do on a wrong user name or password"
		return d
	case has("broker might require SASL authentication"):
		return f.saslMissing()
	case has("connecting to a SSL listener?"):
		return tlsListener()
	case client.Code == rdkafkaResolve, has("Failed to resolve"):
		return dns("a broker's name cannot be resolved")
	case has("Connection refused"):
		return refusedConnection()
	case client.Code == rdkafkaTimedOut, has("timed out"), has("Connection timed out"):
		return timeout()
	case client.Code == rdkafkaUnknownTopic:
		return f.brokerCode(brokerUnknownTopic, client.Text)
	case client.Code == rdkafkaTransport:
		return f.disconnected()
	case client.Code == rdkafkaSSL:
		return connection(CauseTLSVersion, "the TLS handshake with the broker failed", "check that the port is a TLS listener, and its ssl settings")
	}
	return Diagnosis{}
}

// clientConfiguration classifies errors about settings that keep a consumer from being created.
func (f facts) clientConfiguration(text string) Diagnosis {
	invalid := func(cause Cause, detail string) Diagnosis {
		return Diagnosis{Text: TextCertificateOrKey, Code: CodeConfigNotValid, Cause: cause, Detail: detail,
			Hint: "check the secret with auth.Check"}
	}
	switch {
	case strings.Contains(text, "key values mismatch"):
		return invalid(CauseKeyMismatch, "the private key does not fit the certificate")
	case strings.Contains(text, "ssl.key."):
		return invalid(CausePrivateKey, "the client cannot read the private key")
	case strings.Contains(text, "ssl.certificate."):
		return invalid(CauseCertificate, "the client cannot read the certificate")
	case strings.Contains(text, "ssl.ca."):
		return invalid(CauseCertificate, "the client cannot read the CA certificate")
	}
	return Diagnosis{}
}

// classifyNetwork classifies Go's network errors and franz-go's texts about them.
func (f facts) classifyNetwork(err error) Diagnosis {
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return dns("the name " + strconv.Quote(lookup.Name) + " cannot be resolved")
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return refusedConnection()
	}
	// These are franz-go's guesses why a broker hung up (kgo.ErrFirstReadEOF). They are matched by text because its kinds
	// are not exported.
	text, encrypted, sasl := err.Error(), false, false
	if f.Credentials != nil {
		encrypted, sasl = f.Credentials.protocol() != ProtocolPlaintext, f.Credentials.Mechanism != ""
	}
	switch {
	case strings.Contains(text, "closed the connection immediately after a dial"):
		return plaintextListener()
	case strings.Contains(text, "closed the connection immediately during api versions") && !encrypted:
		return tlsListener()
	case strings.Contains(text, "is SASL missing?") && sasl:
		d := f.saslRefused(text)
		d.Detail = "the broker closed the connection, as some do on a wrong user name or password"
		return d
	case strings.Contains(text, "is SASL missing?"):
		return f.saslMissing()
	}
	var network net.Error
	var operation *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT),
		errors.As(err, &network) && network.Timeout():
		return timeout()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return f.disconnected()
	case errors.As(err, &operation) && operation.Op == "dial":
		return connection(CauseTimeout, "the broker cannot be reached", "check routes, security groups and firewalls")
	case operation != nil && operation.Op == "remote error":
		return connection(CauseDisconnected, "the broker ended the TLS connection with an alert", "see the broker's log")
	}
	return Diagnosis{}
}

// bearer reports whether the client authenticates with tokens or signatures.
func (f facts) bearer() bool {
	return f.Credentials != nil && (f.Credentials.Mechanism == MechanismOAuthBearer || f.Credentials.Mechanism == MechanismAWSMSKIAM)
}

func (f facts) saslMissing() Diagnosis {
	if f.hasCertificate() {
		return Diagnosis{Text: TextServerAuthenticate, Code: CodeAuthnError, Cause: CauseSASLMissing,
			Detail: "the broker's listener wants SASL, not a client certificate",
			Hint:   "use the port of a listener with security protocol SSL and ssl.client.auth=required"}
	}
	return Diagnosis{Text: TextSASL, Code: CodeAuthnError, Cause: CauseSASLMissing,
		Detail: "the broker's listener wants SASL, and none is configured",
		Hint:   "add " + string(BasicAuth) + ", " + string(SASLSCRAM256Auth) + " or " + string(SASLSCRAM512Auth) + ", or use another listener"}
}

func tlsListener() Diagnosis {
	return connection(CauseTLSListener, "the broker closed a connection without TLS: its listener may want TLS",
		"add an authentication, or "+string(ServerRootCACertificate)+", or use the port of the PLAINTEXT listener")
}

func dns(detail string) Diagnosis {
	return connection(CauseDNS, detail, "check bootstrap servers and the brokers' advertised.listeners, and DNS")
}

func refusedConnection() Diagnosis {
	return connection(CauseRefused, "nothing listens on the broker's port", "check host and port, and that the broker runs")
}

func timeout() Diagnosis {
	return connection(CauseTimeout, "the broker does not answer in time",
		"check security groups, routes and firewalls; TLS spoken to a plaintext port can end so as well")
}

func (f facts) disconnected() Diagnosis {
	hint := "check that the port's listener has the security protocol that is used here"
	if f.Credentials != nil && f.Credentials.Mechanism != "" {
		hint += "; some brokers close the connection on a wrong password without an error"
	}
	return connection(CauseDisconnected, "the broker closed the connection", hint)
}
