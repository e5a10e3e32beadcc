package auth

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// mount puts a version of a secret in place as Kubernetes does: files are links to ..data, which is a link that is
// swapped.
func mount(t *testing.T, directory, version string, files map[string]string) {
	t.Helper()
	try := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	at := filepath.Join(directory, "..2026_"+version)
	try(os.MkdirAll(at, 0o700))
	for name, content := range files {
		try(os.WriteFile(filepath.Join(at, name), []byte(content), 0o600))
		link := filepath.Join(directory, name)
		if _, err := os.Lstat(link); err != nil {
			try(os.Symlink(filepath.Join("..data", name), link))
		}
	}
	old, _ := os.Readlink(filepath.Join(directory, "..data"))
	try(os.Symlink("..2026_"+version, filepath.Join(directory, "..data_tmp")))
	try(os.Rename(filepath.Join(directory, "..data_tmp"), filepath.Join(directory, "..data")))
	if old != "" {
		try(os.RemoveAll(filepath.Join(directory, old)))
	}
}

// Secrets of Kubernetes and Strimzi are read as they are mounted.
func TestDirectory(t *testing.T) {
	ca := issue(nil, "ca", asCA)
	alice := issue(ca, "alice", asClient)
	encrypted := encryptedKey(t, alice, "sesame")
	files := map[string]map[string]string{
		"strimzi":   {"ca.crt": ca.pem(), "user.crt": alice.pem(), "user.key": alice.keyPEM(), "user.p12": "binary", "user.password": "of the p12"},
		"tls":       {"ca.crt": ca.pem(), "tls.crt": alice.pem() + ca.pem(), "tls.key": alice.keyPEM()},
		"encrypted": {"tls.crt": alice.pem(), "tls.key": encrypted, "tls.password": "sesame\n"},
		"login":     {"username": "alice", "password": " sesame "},
		"ca":        {"ca.crt": ca.pem(), "ca.password": "x"},
		"json":      {"secret.json": `{"username":"alice","password":"sesame"}`},
	}
	root := t.TempDir()
	for name, content := range files {
		mount(t, filepath.Join(root, name), "1", content)
	}
	if err := os.WriteFile(filepath.Join(root, "outside"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	store := Prefixes{"dir:": NewDirectory(root)}
	for uri, c := range map[string]struct {
		kind      SourceAccessType
		principal string
		kindOf    error
	}{
		"dir:strimzi":          {ClientCertificateTLSAuth, "User:CN=alice", nil},
		"dir:tls":              {ClientCertificateTLSAuth, "User:CN=alice", nil},
		"dir:encrypted":        {ClientCertificateTLSAuth, "User:CN=alice", nil},
		"dir:login":            {SASLSCRAM512Auth, "User:alice", nil},
		"dir:json/secret.json": {BasicAuth, "User:alice", nil},
		"dir:ca":               {ServerRootCACertificate, "User:ANONYMOUS", nil},
		"dir:strimzi/ca.crt":   {ServerRootCACertificate, "User:ANONYMOUS", nil},
		"dir:json":             {BasicAuth, "", ErrSecretInvalid},
		"dir:nowhere":          {BasicAuth, "", ErrSecretNotFound},
		"dir:../" + filepath.Base(root) + "/login": {BasicAuth, "", ErrSecretUnavailable},
	} {
		report, err := Check(t.Context(), store, []SourceAccessConfiguration{{c.kind, uri}})
		if !errors.Is(err, c.kindOf) || c.kindOf == nil && (err != nil || report.Principal != c.principal) {
			t.Errorf("%s: %v, %+v", uri, err, report)
		}
		for _, w := range report.Warnings {
			if !strings.Contains(w.String(), "white space") {
				t.Errorf("%s: %s", uri, w)
			}
		}
	}
}

// While Kubernetes swaps a secret, certificate and key are always of one version, and the version changes with them.
func TestDirectorySwap(t *testing.T) {
	root := t.TempDir()
	at := filepath.Join(root, "user")
	version := func(i int) map[string]string {
		return map[string]string{"tls.crt": strings.Repeat(string(rune('a'+i%26)), 2000), "tls.key": strings.Repeat(string(rune('a'+i%26)), 1000)}
	}
	mount(t, at, "0", version(0))
	store := NewDirectory(root)
	var wait sync.WaitGroup
	done := make(chan struct{})
	wait.Go(func() {
		defer close(done)
		for i := 1; i <= 200; i++ {
			mount(t, at, string(rune('A'+i%26))+strings.Repeat("x", i/26), version(i))
		}
	})
	seen := map[string]string{}
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		value, v, err := store.Secret(context.Background(), "dir:user")
		if err != nil {
			t.Error(err)
			break
		}
		var fields map[string]string
		if err := json.Unmarshal(value, &fields); err != nil || fields["certificate"][:1] != fields["privateKey"][:1] {
			t.Errorf("%v: certificate %.1q with key %.1q", err, fields["certificate"], fields["privateKey"])
		}
		if before, ok := seen[v]; ok && before != fields["certificate"] {
			t.Error("two values have one version")
		}
		seen[v] = fields["certificate"]
	}
	wait.Wait()
}

// Resolve reads what FromPEM makes, and FromPEM refuses at once what Resolve would refuse.
func TestFromPEM(t *testing.T) {
	ca := issue(nil, "ca", asCA)
	alice, bob := issue(ca, "alice", asClient), issue(ca, "bob", asClient)
	for _, c := range []struct{ key, password string }{{alice.keyPEM(), ""}, {encryptedKey(t, alice, hidden), hidden}} {
		value, err := FromPEM([]byte(alice.pem()+ca.pem()), []byte(c.key), c.password)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := resolveOne(ClientCertificateTLSAuth, string(value))
		if err != nil || got.Principal() != "User:CN=alice" {
			t.Errorf("%v, %v", got, err)
		}
	}
	if _, err := FromPEM([]byte(alice.pem()), []byte(bob.keyPEM()), ""); !errors.Is(err, ErrKeyMismatch) {
		t.Error(err)
	}
	if _, err := FromPEM([]byte(alice.pem()), []byte(encryptedKey(t, alice, "x")), hidden); !errors.Is(err, ErrKeyPassword) || strings.Contains(err.Error(), hidden) {
		t.Error(err)
	}
	value, err := RootCAFromPEM([]byte(ca.pem()))
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := resolveOne(ServerRootCACertificate, string(value)); err != nil || len(got.RootCAs) == 0 {
		t.Error(err)
	}
	if _, err := RootCAFromPEM([]byte("x")); !errors.Is(err, ErrCertificate) {
		t.Error(err)
	}
}

// encryptedKey encrypts a key with openssl.
func encryptedKey(t *testing.T, c *testCA, password string) string {
	t.Helper()
	return openssl(t, c.keyPEM(), "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:"+password)
}
