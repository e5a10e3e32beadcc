package auth

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"
)

// readCertificates parses every CERTIFICATE block of text, in order, without duplicates. A block that cannot be read is
// an error, even after good ones: x509.CertPool.AppendCertsFromPEM would skip it.
func readCertificates(text string) ([]*x509.Certificate, *pemError) {
	blocks, err := parsePEM(text)
	if err != nil {
		return nil, err
	}
	return certificatesOf(blocks)
}

func certificatesOf(blocks []pemBlock) ([]*x509.Certificate, *pemError) {
	var all []*x509.Certificate
	for _, block := range blocks {
		fail := func(problem, hint string) ([]*x509.Certificate, *pemError) {
			return nil, &pemError{fmt.Sprintf("PEM block %d %s", block.number, problem), hint}
		}
		switch block.label {
		case "CERTIFICATE", "X509 CERTIFICATE":
		case "TRUSTED CERTIFICATE":
			return fail("is OpenSSL's TRUSTED CERTIFICATE", "convert it: openssl x509 -in FILE -out FILE")
		case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
			return fail("is a certificate request", "store the certificate that the CA made of it")
		case "PKCS7", "CMS":
			return fail("is PKCS#7", "convert it: openssl pkcs7 -print_certs -in FILE")
		default:
			continue // keys are handled by the caller; parameters and CRLs are ignored
		}
		certificate, err := x509.ParseCertificate(block.der)
		if err != nil {
			return fail("is not a certificate that can be read", err.Error())
		}
		if !containsCertificate(all, certificate) {
			all = append(all, certificate)
		}
	}
	if len(all) == 0 {
		return nil, &pemError{"holds no CERTIFICATE block", foundInstead(blocks)}
	}
	return all, nil
}

// foundInstead names what was found instead of what was expected.
func foundInstead(blocks []pemBlock) string {
	if len(blocks) == 0 {
		return "there is no PEM in it"
	}
	for _, b := range blocks {
		if isKeyLabel(b.label) {
			return "there is a private key in it"
		}
		if b.label == "CERTIFICATE" {
			return "there is a certificate in it"
		}
		if b.label == "PUBLIC KEY" {
			return "there is a public key in it"
		}
	}
	return "there are blocks of another kind in it"
}

func containsCertificate(all []*x509.Certificate, one *x509.Certificate) bool {
	for _, other := range all {
		if bytes.Equal(other.Raw, one.Raw) {
			return true
		}
	}
	return false
}

func encodeCertificates(all []*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, certificate := range all {
		// A bytes.Buffer accepts every write, and there are no headers to reject.
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	}
	return out.Bytes()
}

// certificateName returns how messages name a certificate: by its subject, or else its serial number.
func certificateName(c *x509.Certificate) string {
	if subject := subjectName(c); subject != "" {
		if len(subject) > 120 {
			subject = subject[:120] + "…"
		}
		return fmt.Sprintf("%q", subject)
	}
	return "with serial number " + c.SerialNumber.String()
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// rootCAs reads SERVER_ROOT_CA_CERTIFICATE.
func (p *secretParser) rootCAs(c *Credentials) error {
	const field = "certificate"
	text, err := p.required(field)
	if err != nil {
		return err
	}
	all, pemErr := readCertificates(text)
	if pemErr != nil {
		return p.fail(ErrCertificate, field, pemErr.problem, pemErr.hint)
	}
	if err := p.rootDates(field, all); err != nil {
		return err
	}
	for _, certificate := range all {
		selfIssued := bytes.Equal(certificate.RawSubject, certificate.RawIssuer)
		if !selfIssued {
			p.warnf(field, "certificate %s is not a root: it is signed by %q, and driver/confluent (OpenSSL) needs that one too",
				certificateName(certificate), issuerName(certificate))
		} else if certificate.Version >= 3 && !certificate.IsCA {
			p.warnf(field, "certificate %s is not marked as a CA: only a server that presents it is trusted", certificateName(certificate))
		}
		if problem := weakKey(certificate); problem != "" {
			p.warnf(field, "%s: clients may refuse what it signs", problem)
		}
	}
	c.RootCAs = encodeCertificates(all)
	if c.Protocol == ProtocolPlaintext {
		c.Protocol = ProtocolSSL
	}
	return nil
}
