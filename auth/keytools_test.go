package auth

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"
	"golang.org/x/crypto/ssh"
)

// tool runs a program. It skips the test if that is not installed.
func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed, and CI=true wants it", name)
		}
		t.Skipf("%s is not installed", name)
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// A key in ssh-keygen's own format is read if it has no password; otherwise the error names the format, because
// openssl, which converts all others, does not support it. The remedy in the error works.
func TestOpenSSHKeys(t *testing.T) {
	for _, kind := range []string{"rsa", "ecdsa", "ed25519"} {
		file := filepath.Join(t.TempDir(), kind)
		tool(t, "ssh-keygen", "-q", "-t", kind, "-N", "sesame", "-f", file)
		_, err := openKey(string(must(os.ReadFile(file))), given("sesame"))
		if err == nil || !strings.Contains(err.Error(), "is an OpenSSH key with a password") || !strings.Contains(err.Error(), "ssh-keygen -p -N '' -f FILE") {
			t.Errorf("%s: %v", kind, err)
		}
		tool(t, "ssh-keygen", "-q", "-p", "-P", "sesame", "-N", "", "-f", file)
		text := string(must(os.ReadFile(file)))
		key, err := openKey(text, password{})
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		want, _, _, _, err := ssh.ParseAuthorizedKey(must(os.ReadFile(file + ".pub")))
		if err != nil {
			t.Fatal(err)
		}
		if got := must(ssh.NewPublicKey(key.Public())); !bytes.Equal(got.Marshal(), want.Marshal()) {
			t.Errorf("%s: another key was read", kind)
		}
		if encoded, keyErr := encodeKey(key); keyErr != nil || !strings.Contains(encoded.Reveal(), "BEGIN PRIVATE KEY") {
			t.Errorf("%s is not written as PKCS#8: %v", kind, keyErr)
		}
	}
}

// An encrypted key may contain an old form of a key, which is read, or another encrypted key, which the error names.
// Neither is reported as a wrong password, but a wrong password still is.
func TestInsideEncryptedKeys(t *testing.T) {
	encrypt := func(inner []byte, opts *pkcs8.Opts) string {
		return encryptDER(t, "sesame", opts.Cipher.OID().String(), opts.Cipher.IVSize(), func(key, iv []byte) []byte {
			return must(opts.Cipher.Encrypt(key, iv, inner))
		})
	}
	ec := newKey()
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plain := must(x509.MarshalPKCS8PrivateKey(ec))
	twice, _ := pem.Decode([]byte(encrypt(plain, pkcs8.DefaultOpts)))
	youmark := &pkcs8.Opts{Cipher: pkcs8.AES256GCM} // which is AES-CBC
	gcm := func(inner []byte, nonce int) string {
		return encryptDER(t, "sesame", "2.16.840.1.101.3.4.1.46", nonce, func(key, iv []byte) []byte {
			return must(cipher.NewGCMWithNonceSize(must(aes.NewCipher(key)), nonce)).Seal(nil, iv, inner, nil)
		})
	}
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"PKCS#8":                    {encrypt(plain, pkcs8.DefaultOpts), ""},
		"SEC 1":                     {encrypt(must(x509.MarshalECPrivateKey(ec)), pkcs8.DefaultOpts), ""},
		"PKCS#1":                    {encrypt(x509.MarshalPKCS1PrivateKey(rsaKey), pkcs8.DefaultOpts), ""},
		"Ed25519":                   {encrypt(must(x509.MarshalPKCS8PrivateKey(edKey)), pkcs8.DefaultOpts), ""},
		"AES-GCM with a bare nonce": {gcm(plain, 12), ""},
		"a bare nonce of 16":        {gcm(plain, 16), ""},
		"AES-GCM that is AES-CBC":   {encrypt(plain, youmark), ""},
		"encrypted twice":           {encrypt(twice.Bytes, pkcs8.DefaultOpts), "is encrypted twice"},
		"SEC 1, AES-GCM":            {gcm(must(x509.MarshalECPrivateKey(ec)), 12), ""},
		"encrypted twice, AES-GCM":  {gcm(twice.Bytes, 12), "is encrypted twice"},
		"something that is no key":  {encrypt([]byte("0\x03\x02\x01\x01"), pkcs8.DefaultOpts), "does not open the private key"},
	} {
		_, err := openKey(c.text, given("sesame"))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if _, err := openKey(c.text, given("wrong")); !errors.Is(err, ErrKeyPassword) {
			t.Errorf("%s with a wrong password: %v", name, err)
		}
	}
}

// encryptDER encrypts anything as a key with PBES2; the cipher's parameters are only the IV.
func encryptDER(t *testing.T, password, oid string, ivSize int, encrypt func(key, iv []byte) []byte) string {
	t.Helper()
	salt, iv := []byte("saltsalt"), make([]byte, ivSize)
	if _, err := rand.Read(iv); err != nil {
		t.Fatal(err)
	}
	kdf := algorithm(oidPBKDF2, struct {
		Salt       []byte
		Iterations int
		PRF        pkix.AlgorithmIdentifier
	}{salt, 1000, algorithm("1.2.840.113549.2.9", asn1.NullRawValue)})
	data := encrypt(must(pbkdf2.Key(sha256.New, password, salt, 1000, 32)), iv)
	return encryptedPEM(algorithm(oidPBES2, pbes2Parameters{kdf, algorithm(oid, iv)}), data)
}
