package auth

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"
)

// readCertificates parses every CERTIFICATE block of text, in order, without
// repetitions. Any block that cannot be read is an error, also behind good
// ones: x509.CertPool.AppendCertsFromPEM would pass it over.
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
			continue // keys are the caller's affair; parameters and CRLs are nobody's
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

// foundInstead names what stands where something else was looked for.
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
		// A bytes.Buffer takes every write, and there are no headers to refuse.
		_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
	}
	return out.Bytes()
}

// name is how messages name a certificate: by its subject, or its number.
func certificateName(c *x509.Certificate) string {
	if subject := subjectName(c); subject != "" {
		if len(subject) > 120 {
			subject = subject[:120] + "…"
		}
		return fmt.Sprintf("%q", subject)
	}
	return "with serial number " + c.SerialNumber.String()
}

// expiryNotice is how long before its end a certificate is worth a warning.
const expiryNotice = 30 * 24 * time.Hour

// dates says what is wrong with a certificate's dates. fatal is false for one
// that merely ends soon; problem is "" when all is well.
func dates(c *x509.Certificate, now time.Time) (problem string, fatal bool) {
	switch {
	case now.After(c.NotAfter):
		return fmt.Sprintf("certificate %s expired on %s", certificateName(c), stamp(c.NotAfter)), true
	case now.Before(c.NotBefore):
		return fmt.Sprintf("certificate %s is not valid before %s (this machine's clock says %s)",
			certificateName(c), stamp(c.NotBefore), stamp(now)), true
	case c.NotAfter.Sub(now) < expiryNotice:
		return fmt.Sprintf("certificate %s expires on %s", certificateName(c), stamp(c.NotAfter)), false
	}
	return "", false
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
	var dead string
	alive := 0
	for _, certificate := range all {
		problem, fatal := dates(certificate, p.now)
		if !fatal {
			alive++
		}
		if problem != "" {
			p.warnf(field, "%s: renew it", problem)
		}
		if fatal {
			dead = problem
		}
		selfIssued := bytes.Equal(certificate.RawSubject, certificate.RawIssuer)
		if !selfIssued {
			p.warnf(field, "certificate %s is not a root: it is signed by %q, and OpenSSL clients want that one too",
				certificateName(certificate), issuerName(certificate))
		} else if certificate.Version >= 3 && !certificate.IsCA {
			p.warnf(field, "certificate %s is not marked as a CA: it trusts that one server alone", certificateName(certificate))
		}
	}
	if alive == 0 {
		return p.fail(ErrCertificate, field, dead, "store the CA's current certificate")
	}
	c.RootCAs = encodeCertificates(all)
	if c.Protocol == ProtocolPlaintext {
		c.Protocol = ProtocolSSL
	}
	return nil
}
