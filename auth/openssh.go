package auth

import (
	"crypto"
	"crypto/ed25519"
	"encoding/pem"
	"errors"

	"golang.org/x/crypto/ssh"
)

// openSSHKey parses a key in OpenSSH's own format, which ssh-keygen writes and openssl cannot read. An encrypted one is
// refused, because the cost of its key derivation, bcrypt, cannot be bounded.
func openSSHKey(der []byte) (crypto.Signer, *keyError) {
	if len(der) > maxKeySize {
		return nil, badKey("is larger than any key in use", "use RSA up to 16 384 bits, ECDSA or Ed25519")
	}
	parsed, err := ssh.ParseRawPrivateKey(pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: der}))
	if _, encrypted := errors.AsType[*ssh.PassphraseMissingError](err); encrypted {
		return nil, badKey("is an OpenSSH key with a password",
			"remove the password (ssh-keygen -p -N '' -f FILE): an OpenSSH key without one is read; openssl does not know the format")
	}
	if err != nil {
		return nil, badKey("is an OpenSSH key that cannot be read", "store it whole, or make a PKCS#8 key: openssl genpkey")
	}
	if key, ok := parsed.(*ed25519.PrivateKey); ok {
		return *key, nil
	}
	return asSigner(parsed)
}
