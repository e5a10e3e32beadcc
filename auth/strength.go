package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
)

const (
	// leastRSABits is the minimum of crypto/rsa, Java and OpenSSL's default security level; goodRSABits is the minimum
	// that CAs may sign since 2014.
	leastRSABits, goodRSABits = 1024, 2048
	// maxRSABits is the largest key for which OpenSSL checks signatures.
	maxRSABits = 16384
	goodKeys   = "ECDSA on P-256, P-384 or P-521, RSA of 2 048 bits or more, or Ed25519, signed with SHA-256 or better"
)

// weakness returns why brokers or clients refuse a certificate of a client's chain because of its key or its signature.
// fatal is true if none accepts it: only for the leaf, whose key signs the handshake.
func weakness(c *x509.Certificate, leaf bool) (problem string, fatal bool) {
	if problem := weakKey(c); problem != "" {
		return problem, leaf && !usableKey(c)
	}
	if selfIssued(c) {
		return "", false // a root's own signature is not checked
	}
	if problem := weakDigest(c); problem != "" {
		return problem, leaf && !isSHA1(c.SignatureAlgorithm)
	}
	return "", false
}

// weakKey returns what is wrong with a certificate's public key, "" for nothing.
func weakKey(c *x509.Certificate) string {
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		switch {
		case bits < leastRSABits:
			return fmt.Sprintf("certificate %s has an RSA key of %d bits, and TLS needs at least %d", certificateName(c), bits, leastRSABits)
		case bits > maxRSABits:
			return fmt.Sprintf("certificate %s has an RSA key of %d bits, and OpenSSL accepts at most %d", certificateName(c), bits, maxRSABits)
		case bits < goodRSABits:
			return fmt.Sprintf("certificate %s has an RSA key of %d bits, which is no longer considered safe", certificateName(c), bits)
		}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P224() {
			return fmt.Sprintf("certificate %s has a key on P-224, which TLS 1.3 has no signature for and Java no longer supports", certificateName(c))
		}
	}
	return ""
}

// usableKey reports whether a weak key can still sign a handshake.
func usableKey(c *x509.Certificate) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	return ok && key.N.BitLen() >= leastRSABits && key.N.BitLen() <= maxRSABits
}

// weakDigest returns what is wrong with a certificate's signature, "" for nothing.
func weakDigest(c *x509.Certificate) string {
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA:
		return fmt.Sprintf("certificate %s is signed with %s, which Java and OpenSSL refuse", certificateName(c), c.SignatureAlgorithm)
	case x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return fmt.Sprintf("certificate %s is signed with an algorithm that is no longer trusted (%s): driver/confluent (OpenSSL) refuses it",
			certificateName(c), c.SignatureAlgorithm)
	case x509.UnknownSignatureAlgorithm:
		return fmt.Sprintf("certificate %s is signed with an algorithm that is not known here", certificateName(c))
	}
	return ""
}

func isSHA1(a x509.SignatureAlgorithm) bool {
	return a == x509.SHA1WithRSA || a == x509.DSAWithSHA1 || a == x509.ECDSAWithSHA1 || a == x509.UnknownSignatureAlgorithm
}

// CheckOpenSSL returns why a client that uses OpenSSL, such as librdkafka, cannot use these certificates although Go
// can. At its default security level OpenSSL accepts only self-signed CAs as roots, no certificate that is signed with
// SHA-1, and no RSA key under 1,024 bits. It returns nil if the client can use them. The error is [ErrCertificate].
func (c *Credentials) CheckOpenSSL() error {
	if c == nil {
		return nil
	}
	const other = ", or use driver/franz"
	var all []error
	refuse := func(text string) { all = append(all, fmt.Errorf("%w: %s", ErrCertificate, text)) }
	if roots, err := readCertificates(string(c.RootCAs)); err == nil {
		rooted := false
		for _, root := range roots {
			rooted = rooted || selfIssued(root)
		}
		if !rooted {
			refuse(fmt.Sprintf("none of the CA certificates is a root (%s is signed by %q), and OpenSSL trusts roots alone: "+
				"store the root's certificate too"+other, certificateName(roots[0]), issuerName(roots[0])))
		}
	}
	if chain, err := readCertificates(string(c.Certificate)); err == nil {
		for _, certificate := range chain {
			problem := weakDigest(certificate)
			if selfIssued(certificate) || certificate.SignatureAlgorithm == x509.UnknownSignatureAlgorithm {
				problem = ""
			}
			if key, ok := certificate.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < leastRSABits {
				problem = weakKey(certificate)
			}
			if problem != "" {
				refuse(problem + ": have it reissued with " + goodKeys + other)
			}
		}
	}
	return errors.Join(all...)
}
