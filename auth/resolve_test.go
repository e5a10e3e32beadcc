package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// resolveOne resolves one entry whose secret is value.
func resolveOne(t SourceAccessType, value string) (*Credentials, []Warning, error) {
	return Resolve(context.Background(), NewStatic(map[string]string{"s": value}), []SourceAccessConfiguration{{t, "s"}})
}

func TestResolveProtocols(t *testing.T) {
	ca := issue(nil, "ca", asCA)
	client := issue(ca, "alice", asClient)
	store := NewStatic(map[string]string{
		"login": `{"username":"alice","password":"p","engine":"kafka","port":9094}`,
		"ca":    secretJSON(map[string]any{"certificate": ca.pem()}),
		"mtls":  secretJSON(map[string]any{"certificate": client.pem() + ca.pem(), "privateKey": client.keyPEM()}),
	})
	network := []SourceAccessConfiguration{{VPCSubnet, "subnet:subnet-0a"}, {VPCSecurityGroup, "security_group:sg-0a"}}
	root := SourceAccessConfiguration{ServerRootCACertificate, "ca"}
	for name, c := range map[string]struct {
		configs   []SourceAccessConfiguration
		protocol  SecurityProtocol
		mechanism SASLMechanism
		ca, cert  bool
	}{
		"nothing":         {nil, ProtocolPlaintext, "", false, false},
		"network":         {network, ProtocolPlaintext, "", false, false},
		"ca":              {[]SourceAccessConfiguration{root}, ProtocolSSL, "", true, false},
		"plain":           {[]SourceAccessConfiguration{{BasicAuth, "login"}}, ProtocolSASLSSL, MechanismPlain, false, false},
		"scram 256":       {[]SourceAccessConfiguration{{SASLSCRAM256Auth, "login"}}, ProtocolSASLSSL, MechanismSCRAMSHA256, false, false},
		"scram 512":       {[]SourceAccessConfiguration{{SASLSCRAM512Auth, "login"}, root}, ProtocolSASLSSL, MechanismSCRAMSHA512, true, false},
		"ca, scram":       {[]SourceAccessConfiguration{root, {SASLSCRAM512Auth, "login"}}, ProtocolSASLSSL, MechanismSCRAMSHA512, true, false},
		"mtls":            {[]SourceAccessConfiguration{{ClientCertificateTLSAuth, "mtls"}}, ProtocolSSL, "", false, true},
		"mtls, ca, a VPC": {append(network, root, SourceAccessConfiguration{ClientCertificateTLSAuth, "mtls"}), ProtocolSSL, "", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, warnings, err := Resolve(context.Background(), store, c.configs)
			if err != nil || len(warnings) > 0 {
				t.Fatal(err, warnings)
			}
			if got.Protocol != c.protocol || got.Mechanism != c.mechanism || (len(got.RootCAs) > 0) != c.ca ||
				(len(got.Certificate) > 0) != c.cert || got.PrivateKey.IsZero() == c.cert {
				t.Fatalf("got %v", got)
			}
			if c.mechanism != "" && (got.Username != "alice" || got.Password.Reveal() != "p") {
				t.Fatal("user name or password is wrong")
			}
			config, err := got.TLSConfig()
			if err != nil || (config == nil) != (c.protocol == ProtocolPlaintext) {
				t.Fatal(config, err)
			}
			if config != nil && (config.RootCAs != nil) != c.ca {
				t.Fatal("root CAs are wrong")
			}
		})
	}
}

// What works but needs attention.
func TestWarnings(t *testing.T) {
	ca := issue(nil, "root", asCA)
	middle := issue(ca, "middle", asCA)
	client := issue(middle, "alice", asClient)
	soon := issue(ca, "soon", func(c *x509.Certificate) { asClient(c); c.NotAfter = time.Now().Add(48 * time.Hour) })
	old := issue(nil, "old", func(c *x509.Certificate) { asCA(c); c.NotAfter = time.Now().Add(-time.Minute) })
	mtls := func(certificate string, of *testCA, more ...string) string {
		fields := map[string]any{"certificate": certificate, "privateKey": of.keyPEM()}
		for i := 0; i < len(more); i += 2 {
			fields[more[i]] = more[i+1]
		}
		return secretJSON(fields)
	}
	for name, c := range map[string]struct {
		kind  SourceAccessType
		value string
		want  string
	}{
		"order":         {ClientCertificateTLSAuth, mtls(ca.pem()+middle.pem()+client.pem(), client), "not in order"},
		"soon":          {ClientCertificateTLSAuth, mtls(soon.pem(), soon), "expires on"},
		"no password":   {ClientCertificateTLSAuth, mtls(client.pem(), client, "privateKeyPassword", "x"), "not needed"},
		"key in it":     {ClientCertificateTLSAuth, mtls(client.pem()+client.keyPEM(), client), "which is not used"},
		"one CA is old": {ServerRootCACertificate, secretJSON(map[string]any{"certificate": ca.pem() + old.pem()}), "expired on"},
		"no root":       {ServerRootCACertificate, secretJSON(map[string]any{"certificate": middle.pem()}), "not a root"},
		"no CA":         {ServerRootCACertificate, secretJSON(map[string]any{"certificate": issue(nil, "self", asServer).pem()}), "not marked as a CA"},
		"space":         {BasicAuth, `{"username":"alice","password":"p\n"}`, "white space"},
	} {
		credentials, warnings, err := resolveOne(c.kind, c.value)
		if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].String(), c.want) {
			t.Errorf("%s: warnings %v, error %v, want one with %q", name, warnings, err, c.want)
			continue
		}
		if name == "order" && string(credentials.Certificate) != client.pem()+middle.pem()+ca.pem() {
			t.Error("the chain is not sorted")
		}
	}
}

// All errors are reported at once.
func TestResolveSaysAll(t *testing.T) {
	configs := []SourceAccessConfiguration{{BasicAuth, "login"}, {ServerRootCACertificate, "ca"}}
	_, _, err := Resolve(context.Background(), NewStatic(map[string]string{"login": "{}"}), configs)
	for _, want := range []string{"username: is missing", "password: is missing", "not among the static secrets"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
	if _, _, err := Resolve(context.Background(), nil, configs); !errors.Is(err, ErrSecretUnavailable) {
		t.Errorf("without a store: %v", err)
	}
	failing := SecretsFunc(func(context.Context, string) ([]byte, string, error) { return nil, "", errors.New("broken pipe") })
	if _, _, err := Resolve(context.Background(), failing, configs); !errors.Is(err, ErrSecretUnavailable) || !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("a store that fails: %v", err)
	}
	_, _, err = Resolve(context.Background(), nil, []SourceAccessConfiguration{{BasicAuth, "a"}, {SASLSCRAM256Auth, "b"}})
	var problem *Problem
	if !errors.Is(err, ErrSourceAccess) || !errors.As(err, &problem) || problem.Index != 1 || problem.Other != 0 {
		t.Errorf("a bad combination: %v", err)
	}
}

// The version changes with each secret and with nothing else.
func TestVersion(t *testing.T) {
	values := map[string]string{"login": `{"username":"a","password":"b"}`, "ca": secretJSON(map[string]any{"certificate": issue(nil, "ca", asCA).pem()})}
	versions := map[string]string{"login": "1", "ca": "1"}
	store := SecretsFunc(func(_ context.Context, uri string) ([]byte, string, error) {
		return []byte(values[uri]), versions[uri], nil
	})
	resolve := func() *Credentials {
		c, _, err := Resolve(context.Background(), store, []SourceAccessConfiguration{{BasicAuth, "login"}, {ServerRootCACertificate, "ca"}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := resolve()
	if again := resolve(); again.Version != first.Version || !again.Equal(first) || first.Version == "" {
		t.Error("the same secrets have another version")
	}
	versions["ca"] = "2"
	second := resolve()
	if second.Version == first.Version || !second.Equal(first) {
		t.Error("a new version of the CA is not seen")
	}
	values["login"] = `{"username":"a","password":"c"}`
	if resolve().Equal(first) {
		t.Error("another password is equal")
	}
}

func TestCredentialsValidate(t *testing.T) {
	p := NewSecret("p")
	for name, c := range map[string]Credentials{
		"sasl plaintext":    {Protocol: "SASL_PLAINTEXT", Mechanism: MechanismPlain, Username: "a", Password: p},
		"plaintext, sasl":   {Mechanism: MechanismPlain, Username: "a", Password: p},
		"ssl, password":     {Protocol: ProtocolSSL, Password: p},
		"no mechanism":      {Protocol: ProtocolSASLSSL, Username: "a", Password: p},
		"gssapi":            {Protocol: ProtocolSASLSSL, Mechanism: "GSSAPI", Username: "a", Password: p},
		"no password":       {Protocol: ProtocolSASLSSL, Mechanism: MechanismPlain, Username: "a"},
		"key alone":         {Protocol: ProtocolSSL, PrivateKey: p},
		"certificate alone": {Protocol: ProtocolSSL, Certificate: []byte("x")},
		"plaintext, CA":     {RootCAs: []byte("x")},
		"unknown":           {Protocol: "TLS"},
	} {
		if err := c.Validate(); !errors.Is(err, ErrInvalidCredentials) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.TLSConfig(); err == nil {
			t.Errorf("%s: TLSConfig takes it", name)
		}
	}
	for _, c := range []Credentials{{}, {Protocol: ProtocolSSL}} {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
	bad := Credentials{Protocol: ProtocolSSL, RootCAs: []byte("x")}
	if _, err := bad.TLSConfig(); err == nil {
		t.Error("root CAs that are no PEM are taken")
	}
	bad = Credentials{Protocol: ProtocolSSL, Certificate: []byte(issue(nil, "a", nil).pem()), PrivateKey: NewSecret(issue(nil, "b", nil).keyPEM())}
	if _, err := bad.TLSConfig(); !errors.Is(err, ErrInvalidCredentials) {
		t.Error("a key of another certificate is taken")
	}
	var none *Credentials
	if config, err := none.TLSConfig(); config != nil || err != nil || !none.Equal(&Credentials{}) {
		t.Error("nil Credentials are not PLAINTEXT")
	}
	tlsOnly, err := (&Credentials{Protocol: ProtocolSSL}).TLSConfig()
	if err != nil || tlsOnly.MinVersion != tls.VersionTLS12 || tlsOnly.InsecureSkipVerify {
		t.Error("TLS without certificates is wrong", err)
	}
}

func TestStores(t *testing.T) {
	directory := t.TempDir()
	write := func(name, value string) string {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write("a.json", "one")
	outside := filepath.Join(t.TempDir(), "b.json")
	if err := os.WriteFile(outside, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(directory, "link")); err != nil {
		t.Fatal(err)
	}
	write("large", strings.Repeat("x", 70_000))
	t.Setenv("ESM_TEST_SECRET", "three")
	inside, anywhere := NewFiles(directory), NewFiles("")
	all := Prefixes{"": NewStatic(map[string]string{"name": "four"}), "file:": inside, "env:": NewEnv(), "file:///": anywhere}
	ctx := context.Background()
	for _, c := range []struct {
		store Secrets
		uri   string
		value string
		is    error
	}{
		{inside, "a.json", "one", nil}, {inside, "file:a.json", "one", nil}, {inside, "file:" + path, "one", nil},
		{anywhere, path, "one", nil}, {anywhere, "file://" + path, "one", nil},
		{inside, "none", "", ErrSecretNotFound}, {inside, ".", "", ErrSecretInvalid},
		{inside, "../" + filepath.Base(filepath.Dir(outside)) + "/b.json", "", ErrSecretUnavailable},
		{inside, outside, "", ErrSecretUnavailable}, {inside, "link", "", ErrSecretUnavailable},
		{inside, "large", "", ErrSecretTooLarge}, {NewFiles(filepath.Join(directory, "none")), "a", "", ErrSecretUnavailable},
		{all, "env:ESM_TEST_SECRET", "three", nil}, {all, "env:ESM_TEST_NONE", "", ErrSecretNotFound},
		{all, "name", "four", nil}, {all, "other", "", ErrSecretNotFound}, {all, "file:a.json", "one", nil},
		{all, "file://" + path, "one", nil}, {Prefixes{"file:": inside}, "arn:x", "", ErrSecretNotFound},
	} {
		value, version, err := c.store.Secret(ctx, c.uri)
		if !errors.Is(err, c.is) || string(value) != c.value || (version == "") != (c.is != nil) {
			t.Errorf("%q: %q, %q, %v, want %q, %v", c.uri, value, version, err, c.value, c.is)
		}
		var named *SecretError
		if err != nil && (!errors.As(err, &named) || named.URI != c.uri) {
			t.Errorf("%q: the error does not name it: %v", c.uri, err)
		}
	}
	_, before, err1 := inside.Secret(ctx, "a.json")
	write("a.json", "ONE")
	_, after, err2 := inside.Secret(ctx, "a.json")
	if before == after || err1 != nil || err2 != nil {
		t.Error("a file that changed has the same version")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := inside.Secret(cancelled, "a.json"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if mkfifo, err := exec.LookPath("mkfifo"); err == nil {
		if err := exec.Command(mkfifo, filepath.Join(directory, "pipe")).Run(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := inside.Secret(ctx, "pipe"); !errors.Is(err, ErrSecretInvalid) {
			t.Errorf("a pipe: %v", err)
		}
	}
}

func TestCheck(t *testing.T) {
	ca := issue(nil, "ca", asCA)
	client := issue(ca, "alice", func(c *x509.Certificate) { asClient(c); c.NotAfter = time.Now().Add(time.Hour) })
	store := NewStatic(map[string]string{"m": secretJSON(map[string]any{"certificate": client.pem(), "privateKey": client.keyPEM()}),
		"ca": secretJSON(map[string]any{"certificate": ca.pem()})})
	report, err := Check(context.Background(), store, []SourceAccessConfiguration{{ClientCertificateTLSAuth, "m"}, {ServerRootCACertificate, "ca"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"protocol SSL", `client certificate "CN=alice", signed by "CN=ca"`, `root CA "CN=ca"`, "warning: secret \"m\""} {
		if !strings.Contains(report.String(), want) {
			t.Errorf("report lacks %q:\n%s", want, report)
		}
	}
	if _, err := Check(context.Background(), store, []SourceAccessConfiguration{{BasicAuth, "none"}}); !errors.Is(err, ErrSecretNotFound) {
		t.Error(err)
	}
}
