package auth

import (
	"encoding/json"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cheap keeps a fuzzer from spending its time in key derivation.
var cheap = costBounds{iterations: 5000, scryptMemory: 1 << 20, scryptWork: 1 << 14}

func fixtures(f *testing.F, add func(text string)) {
	files, err := filepath.Glob("testdata/*/*.pem")
	if err != nil || len(files) == 0 {
		f.Fatal("no fixtures", err)
	}
	for _, file := range files {
		add(fixture(f, strings.TrimPrefix(filepath.ToSlash(file), "testdata/")))
	}
}

// FuzzPEM checks that no text causes a panic, that no error quotes its content, and that this package reads everything
// that encoding/pem reads completely.
func FuzzPEM(f *testing.F) {
	fixtures(f, func(text string) { f.Add(text) })
	a := issue(nil, "a", nil)
	f.Add(a.pem() + a.keyPEM())
	f.Add(strings.ReplaceAll(a.pem(), "\n", `\n`))
	f.Add("-----BEGIN CERTIFICATE----------END CERTIFICATE-----")
	f.Add("-----BEGIN A-----\nDEK-Info: x\n\nAAAA\n-----END A-----")
	f.Fuzz(func(t *testing.T, text string) {
		blocks, err := parsePEM(text)
		if err != nil {
			if len(blocks) > 0 || err.problem == "" {
				t.Fatal("blocks and an error, or an error without words")
			}
			return
		}
		if len(blocks) == 0 {
			t.Fatal("neither blocks nor an error")
		}
		var again strings.Builder
		for i, block := range blocks {
			if block.number != i+1 || (len(block.der) == 0) != block.headers {
				t.Fatalf("block %d is wrong", i)
			}
			if !block.headers {
				again.Write(pem.EncodeToMemory(&pem.Block{Type: block.label, Bytes: block.der}))
			}
		}
		_, _ = certificatesOf(blocks)
		if again.Len() == 0 {
			return
		}
		second, err := parsePEM(again.String())
		if err != nil {
			t.Fatalf("does not read what it read, written anew: %v", err)
		}
		at := 0
		for _, block := range blocks {
			if block.headers {
				continue
			}
			if second[at].label != block.label || string(second[at].der) != string(block.der) {
				t.Fatal("reads something else the second time")
			}
			at++
		}
	})
}

// FuzzPKCS8 checks that no DER and no password cause a panic or take long, and that a decrypted key can be re-encoded.
func FuzzPKCS8(f *testing.F) {
	fixtures(f, func(text string) {
		block, _ := pem.Decode([]byte(text))
		for _, pass := range []string{"pass1234", "", unicodePassword} {
			f.Add(block.Bytes, pass, true)
		}
	})
	f.Add([]byte{0x30, 0}, "", false)
	f.Fuzz(func(t *testing.T, der []byte, pass string, isGiven bool) {
		for _, label := range []string{"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"} {
			key, _, err := readKey(pemBlock{label: label, der: der}, password{pass, isGiven}, cheap)
			if (key == nil) == (err == nil) {
				t.Fatalf("%s: key %v, error %v", label, key, err)
			}
			if err != nil {
				continue
			}
			encoded, err := encodeKey(key)
			if err != nil {
				t.Fatal(err)
			}
			second, err2 := openKey(encoded.Reveal(), password{})
			if err2 != nil || !sameKey(key.Public(), second) {
				t.Fatalf("what is handed on is another key: %v", err2)
			}
		}
	})
}

// FuzzSecret checks that no secret causes a panic, that what is accepted is valid and of the right kind, and that no
// error repeats a field's value.
func FuzzSecret(f *testing.F) {
	a := issue(nil, "a", asClient)
	f.Add([]byte(`{"username":"alice","password":"hunter2"}`), uint8(0))
	f.Add([]byte(`{"username":"alice","password":"hunter2","password":1}`), uint8(1))
	f.Add([]byte(secretJSON(map[string]any{"certificate": a.pem(), "privateKey": a.keyPEM(), "privateKeyPassword": nil})), uint8(3))
	f.Add([]byte(secretJSON(map[string]any{"certificate": a.pem()})), uint8(4))
	f.Add([]byte("\xef\xbb\xbf{}"), uint8(0))
	f.Add([]byte(`{"a":[{"b":"\ud800"}],"username":"\ud800"}`), uint8(0))
	types := []SourceAccessType{BasicAuth, SASLSCRAM256Auth, SASLSCRAM512Auth, ClientCertificateTLSAuth, ServerRootCACertificate}
	f.Fuzz(func(t *testing.T, value []byte, which uint8) {
		if strings.Contains(string(value), "ENCRYPTED") {
			return // left to FuzzPKCS8, which has bounds
		}
		kind := types[int(which)%len(types)]
		p := secretParser{config: SourceAccessConfiguration{kind, "s"}, now: time.Unix(1_900_000_000, 0)}
		credentials := &Credentials{Protocol: ProtocolPlaintext}
		err := p.into(credentials, value)
		if err == nil {
			if err := credentials.Validate(); err != nil || credentials.Protocol == ProtocolPlaintext {
				t.Fatalf("accepted %v: %v", credentials, err)
			}
			if _, err := credentials.TLSConfig(); err != nil {
				t.Fatalf("accepted what makes no TLS configuration: %v", err)
			}
			return
		}
		var fields map[string]any
		if json.Unmarshal(value, &fields) != nil {
			return
		}
		for _, name := range []string{"password", "privateKeyPassword"} {
			if text, ok := fields[name].(string); ok && len(text) > 12 && !knownWords(text) && strings.Contains(err.Error(), text) {
				t.Fatalf("the error repeats %s: %v", name, err)
			}
		}
	})
}

// knownWords keeps FuzzSecret from finding an error's own words, which are ASCII letters and spaces.
func knownWords(text string) bool {
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ") == ""
}
