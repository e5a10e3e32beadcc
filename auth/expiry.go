package auth

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"
)

const (
	// expiryNotice is how long before its expiry a certificate causes a warning.
	expiryNotice = 30 * 24 * time.Hour
	// clockSkew is how far this clock may be behind that of the CA that has just issued a certificate.
	clockSkew = 10 * time.Minute
)

// dates returns what is wrong with a certificate's dates, "" if nothing is. out is true if the certificate is not valid
// now, and false if it only expires soon.
func dates(c *x509.Certificate, now time.Time) (problem string, out bool) {
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

// soon reports whether a certificate that is not valid yet becomes valid within clockSkew.
func soon(c *x509.Certificate, now time.Time) bool {
	return now.Before(c.NotBefore) && c.NotBefore.Sub(now) <= clockSkew
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// chainDates checks the dates of a client's chain, leaf first. The leaf must be valid now and, if there are
// intermediates that signed it, one of those. A handshake does not need the others, such as an old root or the old one
// of two cross-signed CAs: brokers use the roots that they have.
func (p *secretParser) chainDates(field string, chain []*x509.Certificate) error {
	needed := map[*x509.Certificate]bool{chain[0]: true}
	if !selfIssued(chain[0]) {
		var issuers []*x509.Certificate
		alive := false
		for _, c := range chain[1:] {
			if selfIssued(c) || !bytes.Equal(c.RawSubject, chain[0].RawIssuer) {
				continue
			}
			issuers = append(issuers, c)
			_, out := dates(c, p.now)
			alive = alive || !out
		}
		for _, c := range issuers {
			needed[c] = !alive
		}
	}
	for _, c := range chain {
		problem, out := dates(c, p.now)
		switch {
		case problem == "":
		case out && needed[c]:
			return p.outOfDate(field, problem, soon(c, p.now), "store a certificate that is in date")
		case out:
			p.warnf(field, "%s: take it out, or store the one that took its place", problem)
		default:
			p.warnf(field, "%s: renew it", problem)
		}
	}
	return nil
}

// rootDates checks the dates of the CAs that brokers are checked against: at least one must be valid now.
func (p *secretParser) rootDates(field string, all []*x509.Certificate) error {
	var dead string
	alive, waiting := false, false
	for _, c := range all {
		problem, out := dates(c, p.now)
		if problem != "" {
			p.warnf(field, "%s: renew it", problem)
		}
		if !out {
			alive = true
			continue
		}
		dead, waiting = problem, waiting || soon(c, p.now)
	}
	if alive {
		return nil
	}
	return p.outOfDate(field, dead, waiting, "store the CA's current certificate")
}

func (p *secretParser) outOfDate(field, problem string, waiting bool, hint string) error {
	if waiting {
		hint = "wait until then, or correct this machine's clock"
	}
	err := p.fail(ErrCertificate, field, problem, hint)
	err.Temporary = waiting
	return err
}

// Expires returns when the credentials stop working because a certificate expires: the client's, or the last of the CAs
// that brokers are checked against, whichever comes first. It is zero without certificates.
func (c *Credentials) Expires() time.Time {
	if c == nil {
		return time.Time{}
	}
	var first time.Time
	if chain, err := readCertificates(string(c.Certificate)); err == nil {
		first = chain[0].NotAfter
	}
	if roots, err := readCertificates(string(c.RootCAs)); err == nil {
		var last time.Time
		for _, root := range roots {
			if root.NotAfter.After(last) {
				last = root.NotAfter
			}
		}
		if first.IsZero() || last.Before(first) {
			first = last
		}
	}
	return first
}

// ExpiryWarnings returns a warning for each certificate that has expired or expires within 30 days of now. [Resolve]
// returns the same warnings; a process that runs for months should call this again.
func (c *Credentials) ExpiryWarnings(now time.Time) []string {
	if c == nil {
		return nil
	}
	var all []string
	for _, of := range []struct {
		what string
		pem  []byte
	}{{"client", c.Certificate}, {"CA", c.RootCAs}} {
		certificates, err := readCertificates(string(of.pem))
		if err != nil {
			continue // there are none
		}
		for _, certificate := range certificates {
			if problem, _ := dates(certificate, now); problem != "" {
				all = append(all, fmt.Sprintf("%s %s: renew it", of.what, problem))
			}
		}
	}
	return all
}
