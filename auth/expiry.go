package auth

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"
)

const (
	// expiryNotice is how long before its end a certificate is worth a warning.
	expiryNotice = 30 * 24 * time.Hour
	// clockSkew is how far a clock may be behind that of the CA which has just made a certificate.
	clockSkew = 10 * time.Minute
)

// dates says what is wrong with a certificate's dates, "" when all is well. out is true for one that is not in date, false
// for one that merely ends soon.
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

// soon reports whether a certificate that is not valid yet is going to be in a few minutes: clocks differ by as much.
func soon(c *x509.Certificate, now time.Time) bool {
	return now.Before(c.NotBefore) && c.NotBefore.Sub(now) <= clockSkew
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// chainDates checks the dates of a client's chain, leaf first. The leaf must be in date, and one of the intermediates that
// signed it where there are any; the others, such as an old root or the old one of two cross-signed CAs, a handshake does
// not need: brokers go by the roots that they have.
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

// rootDates checks the dates of the CAs that brokers are checked against: one must be in date.
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

// Expires returns when the credentials stop working because a certificate expires: the client's, or the last of the CAs that
// brokers are checked against, whichever is first. It is zero without certificates.
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

// ExpiryWarnings returns a warning for each certificate that has expired or expires within 30 days of now. [Resolve] warns
// about the same; a process that runs for months calls this again.
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
