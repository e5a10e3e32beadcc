package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// maxKeySize bounds the DER of an unencrypted private key. RSA with 16 384 bits, the largest size for which OpenSSL
// checks signatures, takes 9.3 KB; the cost of parsing grows faster than the square of the size.
const maxKeySize = 10 * 1024

// keyError describes what is wrong with a private key. It never wraps the error of a parser, whose text could reveal
// parts of the key.
type keyError struct {
	kind    error // ErrPrivateKey or ErrKeyPassword
	problem string
	hint    string
}

func (e *keyError) Error() string {
	if e.hint == "" {
		return e.problem
	}
	return e.problem + ": " + e.hint
}

func (e *keyError) Unwrap() []error {
	if errors.Is(e.kind, ErrKeyPassword) {
		return []error{ErrKeyPassword, ErrPrivateKey}
	}
	return []error{ErrPrivateKey}
}

func badKey(problem, hint string) *keyError {
	return &keyError{kind: ErrPrivateKey, problem: problem, hint: hint}
}

func badPassword(problem, hint string) *keyError {
	return &keyError{kind: ErrKeyPassword, problem: problem, hint: hint}
}

// password is a privateKeyPassword: absent differs from empty.
type password struct {
	value string
	given bool
}

func isKeyLabel(label string) bool { return strings.HasSuffix(label, "PRIVATE KEY") }

// keyBlock returns the only private key among blocks.
func keyBlock(blocks []pemBlock) (pemBlock, *keyError) {
	var found []pemBlock
	for _, block := range blocks {
		if isKeyLabel(block.label) {
			found = append(found, block)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return pemBlock{}, badKey("holds no PRIVATE KEY block", foundInstead(blocks))
	}
	return pemBlock{}, badKey(fmt.Sprintf("holds %d private keys", len(found)), "keep the one of the certificate")
}

// readKey parses the key of a block and decrypts it if necessary. unneeded is true if a password was given for a key
// that is not encrypted.
func readKey(block pemBlock, pass password, bounds costBounds) (key crypto.Signer, unneeded bool, err *keyError) {
	if block.headers {
		return nil, false, badKey("is encrypted in OpenSSL's old way (Proc-Type: 4,ENCRYPTED)",
			"convert it: openssl pkcs8 -topk8 -in FILE -out FILE")
	}
	switch block.label {
	case "OPENSSH PRIVATE KEY":
		key, err := openSSHKey(block.der)
		return key, pass.given, err
	case "ENCRYPTED PRIVATE KEY":
		der, err := decryptPKCS8(block.der, pass, bounds)
		if err != nil {
			return nil, false, err
		}
		key, err := parsePKCS8(der)
		return key, false, err
	case "PRIVATE KEY":
		key, err := parsePKCS8(block.der)
		return key, pass.given, err
	case "RSA PRIVATE KEY":
		return oldForm(block.der, pass, func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) })
	case "EC PRIVATE KEY":
		return oldForm(block.der, pass, func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) })
	}
	return nil, false, badKey("has a format that is not supported", "convert it: openssl pkcs8 -topk8 -in FILE -out FILE")
}

// oldForm parses PKCS#1 and SEC 1.
func oldForm(der []byte, pass password, parse func([]byte) (any, error)) (crypto.Signer, bool, *keyError) {
	if err := checkSequence(der); err != nil {
		return nil, false, err
	}
	parsed, err := parse(der)
	if err != nil {
		return nil, false, badKey("cannot be read", parseHint(err))
	}
	key, keyErr := asSigner(parsed)
	return key, pass.given, keyErr
}

// parsePKCS8 parses an unencrypted PKCS#8 key.
func parsePKCS8(der []byte) (crypto.Signer, *keyError) {
	if err := checkSequence(der); err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if looksEncrypted(der) {
			return nil, badKey("is encrypted, and its BEGIN line says PRIVATE KEY", "it must say ENCRYPTED PRIVATE KEY")
		}
		return nil, badKey("cannot be read", parseHint(err))
	}
	return asSigner(parsed)
}

// checkSequence checks that der is one complete SEQUENCE of a reasonable size.
func checkSequence(der []byte) *keyError {
	if len(der) > maxKeySize {
		return badKey(fmt.Sprintf("is larger than any key in use (%d bytes)", len(der)), "use RSA up to 16 384 bits, ECDSA or Ed25519")
	}
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(der, &outer)
	switch {
	case err != nil || outer.Tag != asn1.TagSequence || outer.Class != asn1.ClassUniversal:
		return badKey("is damaged or cut off", "store it whole")
	case len(rest) > 0:
		return badKey("has something after its end", "store the key alone")
	}
	return nil
}

// parseHint turns an error of x509 into a hint that reveals nothing about the key.
func parseHint(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "use ParsePKCS1PrivateKey"):
		return "it is PKCS#1: its BEGIN line must say RSA PRIVATE KEY"
	case strings.Contains(text, "use ParseECPrivateKey"):
		return "it is SEC 1: its BEGIN line must say EC PRIVATE KEY"
	case strings.Contains(text, "use ParsePKCS8PrivateKey"):
		return "it is PKCS#8: its BEGIN line must say PRIVATE KEY"
	case strings.Contains(text, "unknown algorithm"), strings.Contains(text, "unknown elliptic curve"):
		return "use RSA, ECDSA on P-256, P-384 or P-521, or Ed25519"
	case strings.Contains(text, "insecure"):
		return "RSA keys need at least 1 024 bits"
	}
	return "it is damaged"
}

func asSigner(parsed any) (crypto.Signer, *keyError) {
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, badKey(fmt.Sprintf("is of a kind that TLS certificates do not have (%T)", parsed), "use RSA, ECDSA or Ed25519")
}

// encodeKey re-encodes a key: OpenSSL does not read every form that Go does, such as the Ed25519 keys that BouncyCastle
// writes.
func encodeKey(key crypto.Signer) (Secret, *keyError) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Secret{}, badKey("cannot be written as PKCS#8", "use RSA, ECDSA or Ed25519")
	}
	return NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))), nil
}

// sameKey reports whether key belongs to a certificate's public key.
func sameKey(public any, key crypto.Signer) bool {
	own, ok := public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && own.Equal(key.Public())
}

// asSecretError adds secret and field to a PEM or key error.
func (p *secretParser) asSecretError(field string, err error) error {
	if key, ok := errors.AsType[*keyError](err); ok {
		return p.fail(key.kind, field, key.problem, key.hint)
	}
	if inPEM, ok := errors.AsType[*pemError](err); ok {
		kind := ErrCertificate
		if field == "privateKey" {
			kind = ErrPrivateKey
		}
		return p.fail(kind, field, inPEM.problem, inPEM.hint)
	}
	return err
}
