package auth

import (
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"
)

// Every bad secret has its own error. It names the secret, the field, and what to do, and quotes nothing of the value.
func TestBadSecrets(t *testing.T) {
	ca := issue(nil, "ca", asCA)
	client, other := issue(ca, "alice", asClient), issue(ca, "bob", asClient)
	encrypted := fixture(t, "openssl/pbes2-aes-256-cbc.pem")
	mtls := func(certificate, key any, more ...string) string {
		fields := map[string]any{"certificate": certificate, "privateKey": key}
		for i := 0; i < len(more); i += 2 {
			fields[more[i]] = more[i+1]
		}
		return secretJSON(fields)
	}
	expired := issue(ca, "old", func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Unix(1, 0), time.Unix(2, 0) })
	future := issue(ca, "new", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })
	server := issue(ca, "srv", asServer)
	signOnly := issue(ca, "sign", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment })
	notCA := issue(client, "child", asClient)
	stranger := issue(nil, "stranger", asCA)
	const login, cert = SASLSCRAM512Auth, ClientCertificateTLSAuth
	errs := map[string]string{}
	for name, c := range map[string]struct {
		kind  SourceAccessType
		value string
		is    error
		want  string
	}{
		"empty":              {login, "", ErrSecretInvalid, "is empty"},
		"not JSON":           {login, "hunter2hunter2", ErrSecretInvalid, "not a JSON object"},
		"bad JSON":           {login, `{"username":"alice","password":hunter2}`, ErrSecretInvalid, "not valid JSON, near byte"},
		"cut JSON":           {login, `{"username":"alice","password":"hunter2`, ErrSecretInvalid, "not valid JSON"},
		"base64 of JSON":     {login, "eyJ1c2VybmFtZSI6ImEiLCJwYXNzd29yZCI6Imh1bnRlcjIifQ==", ErrSecretInvalid, "is base64 of what belongs here"},
		"array":              {login, `["hunter2"]`, ErrSecretInvalid, "not a JSON object"},
		"two objects":        {login, `{"username":"alice","password":"x"}{"a":"hunter2"}`, ErrSecretInvalid, "after the JSON object"},
		"bare PEM":           {ServerRootCACertificate, ca.pem(), ErrSecretInvalid, "bare PEM"},
		"not UTF-8":          {login, "{\"username\":\"\xff\xfe\"}", ErrSecretInvalid, "UTF-8"},
		"no user":            {login, `{"password":"hunter2"}`, ErrSecretInvalid, "field username: is missing"},
		"no password":        {login, `{"username":"alice"}`, ErrSecretInvalid, "the secret has username"},
		"null password":      {login, `{"username":"alice","password":null}`, ErrSecretInvalid, "password: is missing"},
		"empty password":     {login, `{"username":"alice","password":""}`, ErrSecretInvalid, "field password: is empty"},
		"number":             {login, `{"username":"alice","password":1234567}`, ErrSecretInvalid, "JSON number, not a string"},
		"object":             {login, `{"username":"alice","password":{"a":"hunter2"}}`, ErrSecretInvalid, "JSON object, not a string"},
		"bool":               {login, `{"username":true,"password":"hunter2"}`, ErrSecretInvalid, "JSON boolean"},
		"other letters":      {login, `{"Username":"alice","password":"hunter2"}`, ErrSecretInvalid, "the name is username"},
		"snake":              {cert, `{"certificate":"x","private_key":"hunter2"}`, ErrSecretInvalid, "the name is privateKey"},
		"twice":              {login, `{"username":"a","password":"hunter2","password":"hunter3"}`, ErrSecretInvalid, "given twice"},
		"zero byte":          {login, `{"username":"alice","password":"hunter2\u0000"}`, ErrSecretInvalid, "zero byte"},
		"half a pair":        {login, `{"username":"alice","password":"hunter2\ud83d"}`, ErrSecretInvalid, "surrogate"},
		"too large":          {login, `{"username":"alice","password":"` + strings.Repeat("x", 70_000) + `"}`, ErrSecretTooLarge, "bytes, 65536 are allowed"},
		"CA not PEM":         {ServerRootCACertificate, `{"certificate":"hunter2"}`, ErrCertificate, "not PEM"},
		"CA expired":         {ServerRootCACertificate, secretJSON(map[string]any{"certificate": expired.pem()}), ErrCertificate, "expired on"},
		"CA broken second":   {ServerRootCACertificate, secretJSON(map[string]any{"certificate": ca.pem() + "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"}), ErrCertificate, "block 2"},
		"no key":             {cert, secretJSON(map[string]any{"certificate": client.pem()}), ErrSecretInvalid, "field privateKey: is missing"},
		"key in certificate": {cert, mtls(client.keyPEM(), client.keyPEM()), ErrCertificate, "private key in it"},
		"other key":          {cert, mtls(client.pem(), other.keyPEM()), ErrKeyMismatch, "belongs to none"},
		"no key password":    {cert, mtls(client.pem(), encrypted), ErrKeyPassword, "add privateKeyPassword"},
		"bad key password":   {cert, mtls(client.pem(), encrypted, "privateKeyPassword", "hunter2"), ErrKeyPassword, "does not open"},
		"broken key":         {cert, mtls(client.pem(), "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----"), ErrPrivateKey, "damaged"},
		"expired":            {cert, mtls(expired.pem(), expired.keyPEM()), ErrCertificate, "expired on"},
		"not yet":            {cert, mtls(future.pem(), future.keyPEM()), ErrCertificate, "not valid before"},
		"server certificate": {cert, mtls(server.pem(), server.keyPEM()), ErrCertificate, "clientAuth"},
		"key usage":          {cert, mtls(signOnly.pem(), signOnly.keyPEM()), ErrCertificate, "digitalSignature"},
		"unlinked":           {cert, mtls(client.pem()+stranger.pem(), client.keyPEM()), ErrCertificate, "does not link"},
		"issuer no CA":       {cert, mtls(notCA.pem()+client.pem()+ca.pem(), notCA.keyPEM()), ErrCertificate, "is not a CA"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := resolveOne(c.kind, c.value)
			if !errors.Is(err, c.is) {
				t.Fatalf("error %v, want %v", err, c.is)
			}
			text := err.Error()
			if !strings.Contains(text, c.want) || !strings.Contains(text, `secret "s" (`+string(c.kind)+`)`) {
				t.Errorf("error %q lacks %q or the secret's name", text, c.want)
			}
			if strings.Contains(text, "hunter") || strings.Contains(text, "1234567") {
				t.Errorf("error tells the secret: %s", text)
			}
			if before, same := errs[text]; same && name != "array" && name != "not JSON" {
				t.Errorf("the same message as %s: %s", before, text)
			}
			errs[text] = name
			if d := Classify(err); !d.Known() || d.Code != CodeConfigNotValid || d.Retryable {
				t.Errorf("classified as %+v", d)
			}
		})
	}
}
