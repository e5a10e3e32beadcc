package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// If a certificate that a handshake needs is expired or not yet valid, resolving fails; one that it does not need
// causes a warning. One that becomes valid in a few minutes gives a temporary error.
func TestExpiry(t *testing.T) {
	ended := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	expiredCA := func(c *x509.Certificate) { asCA(c); ended(c) }
	expiredClient := func(c *x509.Certificate) { asClient(c); ended(c) }
	in := func(d time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) { asClient(c); c.NotBefore = time.Now().Add(d) }
	}
	root := issue(nil, "root", asCA)
	oldRoot := issue(nil, "old root", expiredCA)
	middle, oldMiddle := issue(root, "middle", asCA), issue(root, "middle", expiredCA)
	lower := issue(oldMiddle, "lower", asCA)
	// The same CA, once signed by another root, which has expired.
	cross := &testCA{must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, func() *x509.Certificate {
		c := *middle.cert
		c.NotAfter, c.AuthorityKeyId = time.Now().Add(-time.Minute), nil
		return &c
	}(), oldRoot.cert, middle.key.Public(), oldRoot.key)))), middle.key}
	for name, c := range map[string]struct {
		leaf      *testCA
		above     []*testCA
		stops     string
		retryable bool
		warns     string
	}{
		"in date":              {issue(middle, "a", asClient), []*testCA{middle, root}, "", false, ""},
		"leaf":                 {issue(middle, "a", expiredClient), []*testCA{middle, root}, "expired on", false, ""},
		"its issuer":           {issue(oldMiddle, "a", asClient), []*testCA{oldMiddle, root}, `certificate "CN=middle" expired on`, false, ""},
		"the root":             {issue(oldRoot, "a", asClient), []*testCA{oldRoot}, "", false, "expired on"},
		"the issuer's issuer":  {issue(lower, "a", asClient), []*testCA{lower, oldMiddle}, "", false, `"CN=middle" expired on`},
		"a cross-sign":         {issue(middle, "a", asClient), []*testCA{middle, cross, root}, "", false, `"CN=middle" expired on`},
		"valid in two minutes": {issue(root, "a", in(2*time.Minute)), nil, "wait until then", true, ""},
		"valid in an hour":     {issue(root, "a", in(time.Hour)), nil, "not valid before", false, ""},
	} {
		text := c.leaf.pem()
		for _, above := range c.above {
			text += above.pem()
		}
		_, warnings, err := resolveOne(ClientCertificateTLSAuth, secretJSON(map[string]any{"certificate": text, "privateKey": c.leaf.keyPEM()}))
		if c.stops != "" {
			if d := Classify(err); err == nil || !strings.Contains(err.Error(), c.stops) || d.Cause != CauseCertificate || d.Retryable != c.retryable {
				t.Errorf("%s: %v, %+v", name, err, d)
			}
			continue
		}
		if err != nil || c.warns == "" && len(warnings) > 0 || c.warns != "" && (len(warnings) != 1 || !strings.Contains(warnings[0].String(), c.warns)) {
			t.Errorf("%s: %v, warnings %v", name, err, warnings)
		}
	}
	ca := func(c *testCA) (*Credentials, error) {
		credentials, _, err := resolveOne(ServerRootCACertificate, secretJSON(map[string]any{"certificate": c.pem()}))
		return credentials, err
	}
	if _, err := ca(issue(nil, "new CA", func(c *x509.Certificate) { asCA(c); c.NotBefore = time.Now().Add(time.Minute) })); !Classify(err).Retryable {
		t.Errorf("a CA that is valid in a minute: %v", err)
	}
}

// Credentials in use report when they expire, and warn when that is near.
func TestExpires(t *testing.T) {
	ca := issue(nil, "ca", asCA)
	leaf := issue(ca, "alice", func(c *x509.Certificate) { asClient(c); c.NotAfter = time.Now().Add(90 * 24 * time.Hour) })
	c := mtlsCredentials(leaf, ca)
	if got := c.Expires(); !got.Equal(leaf.cert.NotAfter) {
		t.Errorf("expires %v, want %v", got, leaf.cert.NotAfter)
	}
	if got := (&Credentials{Protocol: ProtocolSSL, RootCAs: []byte(ca.pem())}).Expires(); !got.Equal(ca.cert.NotAfter) {
		t.Errorf("expires %v, want %v", got, ca.cert.NotAfter)
	}
	if (*Credentials)(nil).Expires() != (time.Time{}) || (&Credentials{}).Expires() != (time.Time{}) {
		t.Error("what has no certificate expires")
	}
	for after, want := range map[time.Duration]int{0: 0, 59 * 24 * time.Hour: 0, 61 * 24 * time.Hour: 1, 91 * 24 * time.Hour: 1} {
		if got := c.ExpiryWarnings(time.Now().Add(after)); len(got) != want || want > 0 && !strings.Contains(got[0], `"CN=alice"`) {
			t.Errorf("after %v: %v", after, got)
		}
	}
}

// weakCertificate creates, with openssl, what crypto/x509 refuses to: a certificate with a weak key or digest.
func weakCertificate(t *testing.T, digest string, keyArgs ...string) (certificate, key string) {
	t.Helper()
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "key.pem")
	openssl(t, "", append([]string{"genpkey", "-out", keyFile}, keyArgs...)...)
	caKey := filepath.Join(dir, "ca.key")
	openssl(t, "", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", caKey)
	ca := filepath.Join(dir, "ca.pem")
	openssl(t, "", "req", "-x509", "-key", caKey, "-subj", "/CN=weak CA", "-out", ca)
	request := filepath.Join(dir, "request.pem")
	openssl(t, "", "req", "-new", "-key", keyFile, "-subj", "/CN=weak", "-out", request)
	certificate = openssl(t, "", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", caKey, "-CAcreateserial", "-"+digest, "-days", "90")
	return certificate, string(must(os.ReadFile(keyFile)))
}

// What no broker accepts is refused before it is tried, and what some refuse causes a warning. OpenSSL's default level
// is stricter.
func TestWeakKeysAndDigests(t *testing.T) {
	ec := func(curve string) []string {
		return []string{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve}
	}
	rsaKey := func(bits string) []string {
		return []string{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:" + bits}
	}
	for name, c := range map[string]struct {
		digest  string
		key     []string
		stops   string
		warns   string
		openSSL string
	}{
		"P-256":          {"sha256", ec("P-256"), "", "", ""},
		"P-521, SHA-512": {"sha512", ec("P-521"), "", "", ""},
		"P-224":          {"sha256", ec("P-224"), "P-224", "", ""},
		"RSA 512":        {"sha256", rsaKey("512"), "512 bits, and TLS needs at least 1024", "", ""},
		"RSA 1024":       {"sha256", rsaKey("1024"), "", "no longer considered safe", ""},
		"RSA 2048":       {"sha256", rsaKey("2048"), "", "", ""},
		"SHA-1":          {"sha1", ec("P-256"), "", "no longer trusted (SHA1-RSA)", "SHA1-RSA"},
		"MD5":            {"md5", ec("P-256"), "MD5-RSA, which Java and OpenSSL refuse", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			certificate, key := weakCertificate(t, c.digest, c.key...)
			credentials, warnings, err := resolveOne(ClientCertificateTLSAuth, secretJSON(map[string]any{"certificate": certificate, "privateKey": key}))
			if c.stops != "" {
				if err == nil || !strings.Contains(err.Error(), c.stops) || Classify(err).Code != CodeConfigNotValid {
					t.Errorf("error %v, want one with %q", err, c.stops)
				}
				return
			}
			if err != nil || c.warns == "" && len(warnings) > 0 || c.warns != "" && (len(warnings) != 1 || !strings.Contains(warnings[0].String(), c.warns)) {
				t.Fatalf("%v, warnings %v", err, warnings)
			}
			err = credentials.CheckOpenSSL()
			if (err == nil) != (c.openSSL == "") || err != nil && (!strings.Contains(err.Error(), c.openSSL) || !errors.Is(err, ErrCertificate)) {
				t.Errorf("OpenSSL: %v, want %q", err, c.openSSL)
			}
		})
	}
	root := issue(nil, "root", asCA)
	middle := issue(root, "middle", asCA)
	for text, fits := range map[string]bool{root.pem(): true, middle.pem(): false, middle.pem() + root.pem(): true} {
		if err := (&Credentials{Protocol: ProtocolSSL, RootCAs: []byte(text)}).CheckOpenSSL(); (err == nil) != fits {
			t.Errorf("OpenSSL: %v", err)
		}
	}
}

// A secret full of CAs with the same name is refused before sorting them takes seconds.
func TestSortingIsBounded(t *testing.T) {
	var text strings.Builder
	var last *testCA
	for range 80 {
		last = issue(nil, "CA", asCA)
		text.WriteString(last.pem())
	}
	alice := issue(last, "alice", asClient)
	_, _, err := resolveOne(ClientCertificateTLSAuth, secretJSON(map[string]any{"certificate": alice.pem() + text.String(), "privateKey": alice.keyPEM()}))
	if !errors.Is(err, ErrCertificate) || !strings.Contains(err.Error(), "81 certificates") {
		t.Errorf("%.300v", err)
	}
	all := must2(readCertificates(alice.pem() + text.String()))
	if _, _, ok := link(all, 0); ok {
		t.Error("sorting them goes on")
	}
}

func must2[T any](value T, err *pemError) T {
	if err != nil {
		panic(err)
	}
	return value
}

// The chain that the broker sent is followed to its end, and a digest that is not accepted is not reported as an
// unknown CA.
func TestServerChains(t *testing.T) {
	root, other := issue(nil, "the root", asCA), issue(nil, "other", asCA)
	upper := issue(root, "upper", asCA)
	lower := issue(upper, "lower", asCA)
	broker := issue(lower, "broker", asServer)
	common := issue(root, "localhost", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	dir := t.TempDir()
	rsaCA := must(rsa.GenerateKey(rand.Reader, 2048))
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "old CA"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	caDER := must(x509.CreateCertificate(rand.Reader, template, template, rsaCA.Public(), rsaCA))
	old := &testCA{must(x509.ParseCertificate(caDER)), rsaCA}
	for file, content := range map[string]string{"ca.pem": old.pem(), "ca.key": old.keyPEM(), "key.pem": broker.keyPEM(), "ext": "subjectAltName=DNS:localhost,IP:127.0.0.1\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	openssl(t, "", "req", "-new", "-key", at("key.pem"), "-subj", "/CN=sha1 broker", "-out", at("request"))
	sha1Text := openssl(t, "", "x509", "-req", "-in", at("request"), "-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial", "-sha1", "-extfile", at("ext"), "-days", "9")
	sha1 := &testCA{must2(readCertificates(sha1Text))[0], broker.key}
	trust := func(c *testCA) *Credentials { return &Credentials{Protocol: ProtocolSSL, RootCAs: []byte(c.pem())} }
	for name, c := range map[string]struct {
		key         *testCA
		sent        []*testCA
		host        string
		credentials *Credentials
		cause       Cause
		detail      string
	}{
		"whole":                   {broker, []*testCA{broker, lower, upper}, "localhost", trust(root), "", ""},
		"unknown root":            {broker, []*testCA{broker, lower, upper}, "localhost", trust(other), CauseServerCA, `leads to "CN=the root", which is not trusted`},
		"unknown root, mixed up":  {broker, []*testCA{broker, upper, lower}, "127.0.0.1", trust(other), CauseServerCA, `leads to "CN=the root", which is not trusted`},
		"root sent too":           {broker, []*testCA{broker, lower, upper, root}, "localhost", trust(other), CauseServerCA, `leads to "CN=the root", which is not trusted`},
		"one intermediate sent":   {broker, []*testCA{broker, lower}, "localhost", trust(root), CauseServerCA, `leads to "CN=upper", which is not trusted`},
		"SHA-1":                   {sha1, []*testCA{sha1}, "localhost", trust(old), CauseServerInvalid, `"CN=sha1 broker" is signed with an algorithm that is no longer trusted (SHA1-RSA)`},
		"SHA-1, by address":       {sha1, []*testCA{sha1}, "127.0.0.1", trust(old), CauseServerInvalid, "SHA1-RSA"},
		"SHA-1 of an unknown CA":  {sha1, []*testCA{sha1}, "localhost", trust(other), CauseServerCA, "is not trusted"},
		"common name":             {common, []*testCA{common}, "localhost", trust(root), "", ""},
		"common name, other host": {common, []*testCA{common}, "elsewhere", trust(root), CauseServerName, `lacks the name "elsewhere"`},
		"common name, other CA":   {common, []*testCA{common}, "localhost", trust(other), CauseServerCA, "is not trusted"},
		"common name, address":    {common, []*testCA{common}, "127.0.0.1", trust(root), CauseServerName, "lacks the name"},
	} {
		t.Run(name, func(t *testing.T) {
			config := &tls.Config{Certificates: []tls.Certificate{{PrivateKey: c.key.key}}}
			for _, one := range c.sent {
				config.Certificates[0].Certificate = append(config.Certificates[0].Certificate, one.cert.Raw)
			}
			client, err := c.credentials.TLSConfigFor(c.host)
			if err != nil {
				t.Fatal(err)
			}
			err = handshake(t, config, c.credentials, func(config *tls.Config) { *config = *client.Clone() })
			if d := Classify(err); d.Cause != c.cause || !strings.Contains(d.Detail, c.detail) || (err == nil) != (c.cause == "") {
				t.Errorf("%v: %q, %q", err, d.Cause, d.Detail)
			}
		})
	}
}
