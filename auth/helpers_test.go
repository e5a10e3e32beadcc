package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// testCA signs certificates for tests.
type testCA struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var serial = big.NewInt(1)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func newKey() *ecdsa.PrivateKey {
	return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

// issue creates a certificate; with a nil parent it is self-signed.
func issue(parent *testCA, name string, change func(*x509.Certificate)) *testCA {
	serial = new(big.Int).Add(serial, big.NewInt(1))
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		BasicConstraintsValid: true}
	if change != nil {
		change(template)
	}
	key := newKey()
	signer := &testCA{template, key}
	if parent != nil {
		signer = parent
	}
	der := must(x509.CreateCertificate(rand.Reader, template, signer.cert, key.Public(), signer.key))
	return &testCA{must(x509.ParseCertificate(der)), key}
}

func asCA(c *x509.Certificate)     { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }
func asClient(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
func asServer(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	c.DNSNames = []string{"localhost"}
}

func (c *testCA) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}))
}

func (c *testCA) keyPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(c.key))}))
}

func secretJSON(fields map[string]any) string { return string(must(json.Marshal(fields))) }

// openssl runs openssl. It skips the test if that is not installed.
func openssl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("openssl is not installed, and CI=true wants it")
		}
		t.Skip("openssl is not installed")
	}
	command := exec.Command("openssl", args...)
	command.Stdin = bytes.NewBufferString(stdin)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("openssl %v: %v: %s", args, err, stderr.String())
	}
	return string(out)
}

func fixture(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// openKey parses a key with a password.
func openKey(text string, pass password) (crypto.Signer, error) {
	blocks, pemErr := parsePEM(text)
	if pemErr != nil {
		return nil, pemErr
	}
	block, keyErr := keyBlock(blocks)
	if keyErr != nil {
		return nil, keyErr
	}
	key, _, keyErr := readKey(block, pass, defaultBounds)
	if keyErr != nil {
		return nil, keyErr
	}
	return key, nil
}

func given(value string) password { return password{value: value, given: true} }
