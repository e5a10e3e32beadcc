package auth

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"time"
)

// Report is the result of [Check]. It can be printed: it holds no secret value.
type Report struct {
	Protocol  SecurityProtocol
	Mechanism SASLMechanism
	// Username is the SASL user name.
	Username string
	// Principal is [Credentials.Principal], which ACLs must name.
	Principal string
	// Tokens describes the tokens that OAUTHBEARER and AWS_MSK_IAM use, and their source. Check requests none.
	Tokens string
	// Certificates is the client's chain, leaf first. RootCAs are what brokers are checked against; if there are none, the
	// system's roots are used.
	Certificates, RootCAs []CertificateInfo
	// Warnings are about things that work but need attention.
	Warnings []Warning
	// Version is [Credentials.Version].
	Version string
}

// CertificateInfo describes a certificate.
type CertificateInfo struct {
	// Subject and Issuer have the form of Java's X500Principal.getName(). "User:" followed by the Subject of a client
	// certificate is its Kafka principal.
	Subject, Issuer     string
	DNSNames            []string
	NotBefore, NotAfter time.Time
}

// Check does what [Resolve] does and returns a report for humans: the protocol, the principal, the certificates with
// their expiry, and warnings. Its errors are those of Resolve; the Report's Warnings are set even then.
func Check(ctx context.Context, secrets Secrets, configs []SourceAccessConfiguration) (*Report, error) {
	credentials, warnings, err := Resolve(ctx, secrets, configs)
	report := &Report{Warnings: warnings}
	if err != nil {
		return report, err
	}
	report.Protocol, report.Mechanism = credentials.protocol(), credentials.Mechanism
	report.Username, report.Version = credentials.Username, credentials.Version
	report.Principal, report.Tokens = credentials.Principal(), credentials.Tokens.String()
	report.Certificates = infos(credentials.Certificate)
	report.RootCAs = infos(credentials.RootCAs)
	return report, nil
}

// infos describes PEM text that Resolve wrote.
func infos(pemText []byte) []CertificateInfo {
	if len(pemText) == 0 {
		return nil
	}
	certificates, err := readCertificates(string(pemText))
	if err != nil {
		return nil
	}
	all := make([]CertificateInfo, len(certificates))
	for i, certificate := range certificates {
		all[i] = infoOf(certificate)
	}
	return all
}

func infoOf(c *x509.Certificate) CertificateInfo {
	return CertificateInfo{Subject: subjectName(c), Issuer: issuerName(c), DNSNames: c.DNSNames,
		NotBefore: c.NotBefore, NotAfter: c.NotAfter}
}

// String returns the report as a few lines of text.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "protocol %s", r.Protocol)
	if r.Mechanism != "" {
		fmt.Fprintf(&b, ", mechanism %s", r.Mechanism)
	}
	if r.Username != "" {
		fmt.Fprintf(&b, ", user %s", r.Username)
	}
	if r.Tokens != "" {
		fmt.Fprintf(&b, ", %s", r.Tokens)
	}
	b.WriteByte('\n')
	if r.Principal != "" {
		fmt.Fprintf(&b, "principal %s\n", r.Principal)
	}
	for _, c := range r.Certificates {
		fmt.Fprintf(&b, "client certificate %q, signed by %q, until %s\n", c.Subject, c.Issuer, stamp(c.NotAfter))
	}
	for _, c := range r.RootCAs {
		fmt.Fprintf(&b, "root CA %q, until %s\n", c.Subject, stamp(c.NotAfter))
	}
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	return b.String()
}
