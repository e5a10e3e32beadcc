package auth

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
)

// TLS alerts by their numbers (RFC 8446, B.2; RFC 5246, 7.2).
const (
	alertHandshakeFailure       = 40
	alertBadCertificate         = 42
	alertUnsupportedCertificate = 43
	alertRevokedCertificate     = 44
	alertExpiredCertificate     = 45
	alertUnknownCertificate     = 46
	alertUnknownCA              = 48
	alertAccessDenied           = 49
	alertProtocolVersion        = 70
	alertInsufficientSecurity   = 71
	alertUnrecognizedName       = 112
	alertCertificateRequired    = 116
)

// goAlerts maps the texts of crypto/tls for alerts, whose type is not exported, to their numbers.
func goAlerts() map[string]int {
	return map[string]int{
		"tls: handshake failure":              alertHandshakeFailure,
		"tls: bad certificate":                alertBadCertificate,
		"tls: unsupported certificate":        alertUnsupportedCertificate,
		"tls: revoked certificate":            alertRevokedCertificate,
		"tls: expired certificate":            alertExpiredCertificate,
		"tls: unknown certificate":            alertUnknownCertificate,
		"tls: unknown certificate authority":  alertUnknownCA,
		"tls: access denied":                  alertAccessDenied,
		"tls: protocol version not supported": alertProtocolVersion,
		"tls: insufficient security level":    alertInsufficientSecurity,
		"tls: unrecognized name":              alertUnrecognizedName,
		"tls: certificate required":           alertCertificateRequired,
	}
}

// classifyTLS classifies errors of crypto/tls: what this side refused, by type, and what the broker refused, by alert.
// In TLS 1.3 the alert about a client's certificate arrives with the first read, long after the handshake.
func (f facts) classifyTLS(err error) Diagnosis {
	if d := classifyVerification(err); d.Known() {
		return d
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, errPlaintextListener) {
		return plaintextListener()
	}
	if errors.Is(err, errTLSListener) {
		d := tlsListener()
		d.Detail = "the broker's listener speaks TLS, and the connection has none"
		return d
	}
	if sasl, ok := errors.AsType[*saslWantedError](err); ok {
		d := f.saslMissing()
		d.Detail += ", with one of " + strings.Join(sasl.mechanisms, ", ")
		return d
	}
	var remote *net.OpError
	if errors.As(err, &remote) && remote.Op == "remote error" && remote.Err != nil {
		if alert, ok := goAlerts()[remote.Err.Error()]; ok {
			return f.alert(alert)
		}
	}
	text := err.Error()
	if strings.Contains(text, "tls: server selected unsupported protocol version") ||
		strings.Contains(text, "tls: no supported versions") {
		return tlsVersion()
	}
	return Diagnosis{}
}

// classifyVerification classifies why this side did not accept the broker's certificate.
func classifyVerification(err error) Diagnosis {
	var verification *tls.CertificateVerificationError
	var leaf *x509.Certificate
	if errors.As(err, &verification) && len(verification.UnverifiedCertificates) > 0 {
		leaf = verification.UnverifiedCertificates[0]
	}
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var roots x509.SystemRootsError
	switch {
	case errors.As(err, &name):
		detail := fmt.Sprintf("the broker's certificate lacks the name %.200q", name.Host)
		if name.Certificate != nil {
			detail += " (it has " + namesOf(name.Certificate) + ")"
		}
		return refuseServer(CauseServerName, detail,
			"dial the broker by a name in its certificate (bootstrap.servers and advertised.listeners), or have it issued with that subjectAltName")
	case errors.As(err, &unknown):
		var sent []*x509.Certificate
		if verification != nil {
			sent = verification.UnverifiedCertificates
		}
		if unknown.Cert != nil && leaf == nil {
			leaf = unknown.Cert
		}
		if weak := weaklySigned(sent); weak != nil && strings.Contains(unknown.Error(), "insecure algorithm") {
			return refuseServer(CauseServerInvalid, weakDigest(weak), "have the broker's certificate reissued, signed with SHA-256 or better")
		}
		if top := lastSent(sent); top != nil && top != leaf && leaf != nil {
			return refuseServer(CauseServerCA, fmt.Sprintf("the broker's certificate %s leads to %.200q, which is not trusted",
				certificateName(leaf), issuerName(top)),
				"put that CA's certificate into a secret of Type "+string(ServerRootCACertificate))
		}
		detail := "the broker's certificate is signed by a CA that is not trusted"
		if leaf != nil {
			detail = fmt.Sprintf("the broker's certificate %s is signed by %.200q, which is not trusted", certificateName(leaf), issuerName(leaf))
		}
		return refuseServer(CauseServerCA, detail,
			"put that CA's certificate into a secret of Type "+string(ServerRootCACertificate)+", and have the broker send its intermediate certificates")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		detail := "a certificate of the broker has expired or is not valid yet"
		if invalid.Cert != nil {
			detail = fmt.Sprintf("certificate %s is valid from %s to %s", certificateName(invalid.Cert),
				stamp(invalid.Cert.NotBefore), stamp(invalid.Cert.NotAfter))
		}
		return refuseServer(CauseServerExpired, detail, "renew it on the brokers, or correct this machine's clock")
	case errors.As(err, &invalid):
		return refuseServer(CauseServerInvalid, invalid.Error(), "have the broker's certificate reissued")
	case errors.As(err, &roots):
		return refuseServer(CauseServerCA, "this machine has no root certificates",
			"install them (package ca-certificates), or configure "+string(ServerRootCACertificate))
	case verification != nil:
		return refuseServer(CauseServerInvalid, verification.Error(), "check the broker's certificate")
	}
	return Diagnosis{}
}

// lastSent follows the chain of the certificates that a broker sent, from its own up to the last.
func lastSent(sent []*x509.Certificate) *x509.Certificate {
	if len(sent) == 0 {
		return nil
	}
	at := sent[0]
	for range sent { // no more steps than certificates: they may form a cycle
		next := at
		for _, c := range sent {
			if c != at && !selfIssued(at) && bytes.Equal(c.RawSubject, at.RawIssuer) {
				next = c
				break
			}
		}
		if next == at {
			break
		}
		at = next
	}
	return at
}

// weaklySigned returns the first certificate whose signature algorithm is no longer accepted.
func weaklySigned(sent []*x509.Certificate) *x509.Certificate {
	for _, c := range sent {
		if !selfIssued(c) && c.SignatureAlgorithm != x509.UnknownSignatureAlgorithm && weakDigest(c) != "" {
			return c
		}
	}
	return nil
}

func refuseServer(cause Cause, detail, hint string) Diagnosis {
	return Diagnosis{Text: TextLambdaAuthenticate, Code: CodeAuthnError, Cause: cause, Detail: detail, Hint: hint}
}

// namesOf lists up to eight names of a certificate.
func namesOf(c *x509.Certificate) string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no subjectAltName at all"
	}
	const most = 8
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("%d more", len(names)-most))
	}
	return fmt.Sprintf("%.300s", strings.Join(names, ", "))
}

// alert returns what a broker's refusal means.
//
// Servers disagree about which alert to send. To a client without a certificate Java sends bad_certificate in both
// versions, while Go sends handshake_failure in TLS 1.2 and certificate_required in 1.3. And librdkafka sends no
// certificate if the broker's list of CAs lacks its issuer. So for these three alerts, the result depends on whether a
// certificate was configured.
func (f facts) alert(number int) Diagnosis {
	refused := func(cause Cause, detail, hint string) Diagnosis {
		return Diagnosis{Text: TextServerAuthenticate, Code: CodeAuthnError, Cause: cause, Detail: detail, Hint: hint}
	}
	const sign = "use a certificate signed by a CA in the brokers' truststore, with clientAuth in its extended key usage"
	switch number {
	case alertBadCertificate, alertCertificateRequired, alertHandshakeFailure:
		if f.hasCertificate() {
			return refused(CauseClientCertificateRejected, "the broker does not accept the client certificate", sign)
		}
		hint := "add a " + string(ClientCertificateTLSAuth) + " secret, or use a listener without ssl.client.auth=required"
		if number == alertHandshakeFailure {
			hint += "; if it asks for none, broker and client have no cipher suite in common"
		}
		return refused(CauseClientCertificateMissing, "the broker asks for a client certificate", hint)
	case alertExpiredCertificate:
		return refused(CauseClientCertificateExpired, "the broker considers the client certificate expired", "renew it, and check the brokers' clocks")
	case alertRevokedCertificate:
		return refused(CauseClientCertificateRejected, "the client certificate is revoked", "have it reissued")
	case alertUnknownCertificate, alertUnknownCA, alertUnsupportedCertificate, alertAccessDenied:
		return refused(CauseClientCertificateRejected, "the broker does not trust the client certificate", sign)
	case alertProtocolVersion, alertInsufficientSecurity:
		return tlsVersion()
	case alertUnrecognizedName:
		return refuseServer(CauseServerName, "the broker does not know the name that was dialled", "dial it by one of its own names")
	}
	return Diagnosis{}
}

func plaintextListener() Diagnosis {
	return connection(CausePlaintextListener, "the broker does not answer in TLS: its listener is plaintext",
		"use the port of its SSL or SASL_SSL listener")
}

func tlsVersion() Diagnosis {
	return connection(CauseTLSVersion, "broker and client have no version of TLS or cipher suite in common",
		"enable TLSv1.2 or TLSv1.3 on the brokers (ssl.enabled.protocols)")
}
