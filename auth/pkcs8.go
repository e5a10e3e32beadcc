package auth

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// encryptedPrivateKeyInfo is PKCS#8's EncryptedPrivateKeyInfo (RFC 5208, 6).
type encryptedPrivateKeyInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// costBounds limit what a hostile secret can make this process do.
type costBounds struct {
	iterations   int // of PBKDF2, PBKDF1 and the PKCS#12 KDF
	scryptMemory int // bytes, 128·N·r
	scryptWork   int // N·r·p
}

// defaultBounds leave room above common values: OWASP recommends 1.3 million rounds of PBKDF2-HMAC-SHA1, and OpenSSL's
// scrypt takes 16 MiB. At the bounds a decryption takes some seconds.
var defaultBounds = costBounds{iterations: 2_000_000, scryptMemory: 256 << 20, scryptWork: 1 << 22}

// maxSalt bounds salts. PKCS#5 requires at least 8 bytes, and a few dozen are the most in use.
const maxSalt = 1024

// decryptor is a password-based scheme whose parameters are parsed and bounded. It may return several results, because
// implementations encode passwords differently; the right one is a key.
type decryptor func(pass []byte, data []byte) ([][]byte, *keyError)

// decryptPKCS8 decrypts an EncryptedPrivateKeyInfo to a PrivateKeyInfo.
func decryptPKCS8(der []byte, pass password, bounds costBounds) ([]byte, *keyError) {
	if err := checkSequence(der); err != nil {
		return nil, err
	}
	var info encryptedPrivateKeyInfo
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		if looksPlain(der) {
			return nil, badKey("is not encrypted, and its BEGIN line says ENCRYPTED PRIVATE KEY", "it must say PRIVATE KEY")
		}
		return nil, badKey("is damaged or cut off", "store it whole")
	}
	if len(info.Data) == 0 {
		return nil, badKey("holds no encrypted data", "store it whole")
	}
	decrypt, err := scheme(info.Algorithm, bounds)
	if err != nil {
		return nil, err
	}
	if !pass.given {
		return nil, badPassword("is missing: the private key is encrypted", "add privateKeyPassword to the secret")
	}
	candidates, err := decrypt([]byte(pass.value), info.Data)
	if err != nil {
		return nil, err
	}
	// A wrong password passes the padding check once in 256 times, and RC4 has no such check, so a result must parse as a
	// key.
	for _, candidate := range candidates {
		if looksPlain(candidate) {
			return candidate, nil
		}
		if wrapped, ok := wrapOldForm(candidate); ok {
			return wrapped, nil
		}
		if encryptedTwice(candidate) {
			return nil, badKey("is encrypted twice", "remove one encryption: openssl pkcs8 -in FILE -topk8 -nocrypt -out FILE")
		}
	}
	return nil, wrongPassword()
}

// encryptedTwice reports whether the decrypted data is again an encrypted key, by a known scheme: other data may have
// the same structure.
func encryptedTwice(der []byte) bool {
	var info encryptedPrivateKeyInfo
	rest, err := asn1.Unmarshal(der, &info)
	if err != nil || len(rest) > 0 {
		return false
	}
	oid := info.Algorithm.Algorithm.String()
	_, old := pbes1Schemes()[oid]
	return old || oid == oidPBES2
}

// wrapOldForm converts a SEC 1 or PKCS#1 key, which some tools encrypt directly, into PKCS#8.
func wrapOldForm(der []byte) ([]byte, bool) {
	if checkSequence(der) != nil {
		return nil, false
	}
	var key any
	if ec, err := x509.ParseECPrivateKey(der); err == nil {
		key = ec
	} else if rsaKey, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		key = rsaKey
	} else {
		return nil, false
	}
	wrapped, err := x509.MarshalPKCS8PrivateKey(key)
	return wrapped, err == nil
}

func wrongPassword() *keyError {
	return badPassword("does not open the private key", "check the password, and that the key is whole")
}

// scheme returns the decryptor for an algorithm identifier.
func scheme(algorithm pkix.AlgorithmIdentifier, bounds costBounds) (decryptor, *keyError) {
	oid := algorithm.Algorithm.String()
	if oid == oidPBES2 {
		return newPBES2(algorithm.Parameters.FullBytes, bounds)
	}
	if kind, ok := pbes1Schemes()[oid]; ok {
		return newPBES1(kind, algorithm.Parameters.FullBytes, bounds)
	}
	return nil, badKey(fmt.Sprintf("is encrypted with an algorithm that is not supported (OID %s)", oid),
		"encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc")
}

// looksPlain reports whether der is exactly one PrivateKeyInfo or OneAsymmetricKey (RFC 5958): version 0 or 1, an
// algorithm, a key.
func looksPlain(der []byte) bool {
	var info struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		PrivateKey []byte
	}
	rest, err := asn1.Unmarshal(der, &info)
	return err == nil && len(rest) == 0 && info.Version >= 0 && info.Version <= 1 && len(info.PrivateKey) > 0
}

func looksEncrypted(der []byte) bool {
	var info encryptedPrivateKeyInfo
	rest, err := asn1.Unmarshal(der, &info)
	return err == nil && len(rest) == 0
}

// unpad checks every byte of the PKCS#7 padding and removes it.
func unpad(plain []byte, blockSize int) ([]byte, *keyError) {
	if len(plain) == 0 || len(plain)%blockSize != 0 {
		return nil, badKey("is damaged: its encrypted data is not whole blocks", "store it whole")
	}
	n := int(plain[len(plain)-1])
	if n < 1 || n > blockSize {
		return nil, wrongPassword()
	}
	for _, b := range plain[len(plain)-n:] {
		if int(b) != n {
			return nil, wrongPassword()
		}
	}
	return plain[:len(plain)-n], nil
}

func checkIterations(n int, bounds costBounds) *keyError {
	if n < 1 || n > bounds.iterations {
		return badKey(fmt.Sprintf("asks for %d rounds of key derivation, 1 to %d are allowed", n, bounds.iterations),
			"encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc -iter 600000")
	}
	return nil
}

func checkSalt(salt []byte) *keyError {
	if len(salt) < 1 || len(salt) > maxSalt {
		return badKey(fmt.Sprintf("has a salt of %d bytes, 1 to %d are allowed", len(salt), maxSalt),
			"encrypt it again: openssl pkcs8 -topk8")
	}
	return nil
}
