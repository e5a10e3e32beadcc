package auth

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
)

// clientCertificate reads CLIENT_CERTIFICATE_TLS_AUTH.
func (p *secretParser) clientCertificate(c *Credentials) error {
	text, errCertificate := p.required("certificate")
	keyText, errKey := p.required("privateKey")
	passText, given, errPassword := p.optional("privateKeyPassword")
	if err := errors.Join(errCertificate, errKey, errPassword); err != nil {
		return err
	}
	certificateBlocks, pemErr := parsePEM(text)
	if pemErr != nil {
		return p.asSecretError("certificate", pemErr)
	}
	certificates, pemErr := certificatesOf(certificateBlocks)
	if pemErr != nil {
		return p.asSecretError("certificate", pemErr)
	}
	for _, block := range certificateBlocks {
		if isKeyLabel(block.label) {
			p.warnf("certificate", "holds a private key, which is not used: remove it")
			break
		}
	}
	keyBlocks, pemErr := parsePEM(keyText)
	if pemErr != nil {
		return p.asSecretError("privateKey", pemErr)
	}
	block, keyErr := keyBlock(keyBlocks)
	if keyErr != nil {
		return p.asSecretError("privateKey", keyErr)
	}
	key, unneeded, keyErr := readKey(block, password{passText, given}, defaultBounds)
	if keyErr != nil {
		field := "privateKey"
		if errors.Is(keyErr.kind, ErrKeyPassword) {
			field = "privateKeyPassword"
		}
		return p.asSecretError(field, keyErr)
	}
	if unneeded && passText != "" {
		p.warnf("privateKeyPassword", "is not needed: the private key is not encrypted")
	}
	chain, err := p.chain(certificates, key)
	if err != nil {
		return err
	}
	encoded, keyErr := encodeKey(key)
	if keyErr != nil {
		return p.asSecretError("privateKey", keyErr)
	}
	if c.Protocol == ProtocolPlaintext {
		c.Protocol = ProtocolSSL
	}
	c.Certificate, c.PrivateKey = encodeCertificates(chain), encoded
	return nil
}

// chain finds the certificate of key, orders its issuers after it, and checks everything that can be checked before a
// broker does.
func (p *secretParser) chain(all []*x509.Certificate, key crypto.Signer) ([]*x509.Certificate, error) {
	const field = "certificate"
	leaf := -1
	for i, certificate := range all {
		if !sameKey(certificate.PublicKey, key) {
			continue
		}
		if leaf >= 0 {
			return nil, p.fail(ErrCertificate, field, "two certificates fit the private key", "keep the current one")
		}
		leaf = i
	}
	if leaf < 0 {
		return nil, p.fail(ErrKeyMismatch, "privateKey",
			fmt.Sprintf("the private key belongs to none of the certificates (the first is %s)", certificateName(all[0])),
			"store the key that the certificate was made with")
	}
	chain, rest, ok := link(all, leaf)
	if !ok {
		return nil, p.fail(ErrCertificate, field,
			fmt.Sprintf("%d certificates are not one chain: too many of them could have signed one another", len(all)),
			"store the client's certificate and the CAs above it alone")
	}
	if len(rest) > 0 {
		last := chain[len(chain)-1]
		return nil, p.fail(ErrCertificate, field,
			fmt.Sprintf("the chain does not link: certificate %s signed nothing before it, and %s is signed by %q",
				certificateName(rest[0]), certificateName(last), issuerName(last)),
			"store the client's certificate, then the CA that signed it, then the CA of that one")
	}
	for i := range chain {
		if !bytes.Equal(chain[i].Raw, all[i].Raw) {
			p.warnf(field, "the certificates are not in order (client, then its issuer, and so on): they were sorted")
			break
		}
	}
	if err := p.chainDates(field, chain); err != nil {
		return nil, err
	}
	for i, certificate := range chain {
		problem, fatal := weakness(certificate, i == 0)
		if fatal {
			return nil, p.fail(ErrCertificate, field, problem, "have the CA make one with "+goodKeys)
		}
		if problem != "" {
			p.warnf(field, "%s: have it reissued with "+goodKeys, problem)
		}
		if i > 0 && certificate.Version >= 3 && !certificate.IsCA {
			return nil, p.fail(ErrCertificate, field,
				fmt.Sprintf("certificate %s is in the place of an issuer but is not a CA", certificateName(certificate)), "store the CA's own certificate")
		}
	}
	if problem := clientUsage(chain[0]); problem != "" {
		return nil, p.fail(ErrCertificate, field, problem, "have the CA make one for TLS client authentication")
	}
	return chain, nil
}

// maxSignatureChecks bounds the cost of sorting. A chain needs one check per certificate; only certificates with equal
// names need more.
const maxSignatureChecks = 100

// link orders the certificates after all[leaf]. rest holds those that signed nothing in the chain. ok is false if that
// would take too many signature checks.
func link(all []*x509.Certificate, leaf int) (chain, rest []*x509.Certificate, ok bool) {
	chain = []*x509.Certificate{all[leaf]}
	for i, certificate := range all {
		if i != leaf {
			rest = append(rest, certificate)
		}
	}
	checks := 0
	// Each certificate of the chain looks for its issuers among the rest. A cross-signed CA has two, so the search
	// continues after the first one.
	for at := 0; at < len(chain); at++ {
		kept := rest[:0:0]
		for _, candidate := range rest {
			if !bytes.Equal(candidate.RawSubject, chain[at].RawIssuer) {
				kept = append(kept, candidate)
				continue
			}
			if checks++; checks > maxSignatureChecks {
				return nil, nil, false
			}
			if issued(candidate, chain[at]) {
				chain = append(chain, candidate)
			} else {
				kept = append(kept, candidate)
			}
		}
		rest = kept
	}
	return chain, rest, true
}

// issued reports whether parent, which has the name of child's issuer, signed child. If Go refuses to check the kind of
// signature, matching names and key identifiers are enough.
func issued(parent, child *x509.Certificate) bool {
	if key, ok := parent.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
		return false // checking it would take too long
	}
	// CheckSignatureFrom would also refuse a parent that is not a CA: chain reports that in a clearer way.
	err := parent.CheckSignature(child.SignatureAlgorithm, child.RawTBSCertificate, child.Signature)
	var insecure x509.InsecureAlgorithmError
	if errors.As(err, &insecure) || errors.Is(err, x509.ErrUnsupportedAlgorithm) {
		return len(child.AuthorityKeyId) == 0 || len(parent.SubjectKeyId) == 0 ||
			bytes.Equal(child.AuthorityKeyId, parent.SubjectKeyId)
	}
	return err == nil
}

// clientUsage returns why a broker would not accept the certificate from a client.
func clientUsage(leaf *x509.Certificate) string {
	if leaf.KeyUsage != 0 && leaf.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageKeyAgreement) == 0 {
		return fmt.Sprintf("certificate %s may not be used for signatures (key usage lacks digitalSignature)", certificateName(leaf))
	}
	if len(leaf.ExtKeyUsage) == 0 && len(leaf.UnknownExtKeyUsage) == 0 {
		return ""
	}
	for _, usage := range leaf.ExtKeyUsage {
		if usage == x509.ExtKeyUsageClientAuth || usage == x509.ExtKeyUsageAny {
			return ""
		}
	}
	return fmt.Sprintf("certificate %s is not for clients (extended key usage lacks clientAuth)", certificateName(leaf))
}
