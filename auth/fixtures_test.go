package auth

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"
)

const unicodePassword = "pässwörd€😀"

// passwordOf returns the password of a fixture, by its name.
func passwordOf(name string) string {
	switch {
	case strings.Contains(name, "unicode"):
		return unicodePassword
	case strings.Contains(name, "empty"):
		return ""
	}
	return "pass1234"
}

func der(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	out, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Every encrypted fixture decrypts to the plain key beside it, no wrong password decrypts it, and every truncation of
// it is refused.
func TestFixtures(t *testing.T) {
	plainOf := map[string]string{"openssl": "plain.pem", "jdk": "plain.pem", "bouncycastle": "plain-ec.pem"}
	count := 0
	for directory, plain := range plainOf {
		files, err := filepath.Glob("testdata/" + directory + "/*.pem")
		if err != nil || len(files) == 0 {
			t.Fatalf("no fixtures in %s: %v", directory, err)
		}
		for _, file := range files {
			name := filepath.Base(file)
			if strings.HasPrefix(name, "plain") {
				continue
			}
			count++
			t.Run(directory+"/"+name, func(t *testing.T) {
				expected := plain
				if strings.Contains(name, "ed25519") {
					expected = "plain-ed25519.pem"
				}
				want, err := openKey(fixture(t, directory+"/"+expected), password{})
				if err != nil {
					t.Fatal(err)
				}
				text := fixture(t, directory+"/"+name)
				got, err := openKey(text, given(passwordOf(name)))
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(der(t, got), der(t, want)) {
					t.Fatal("opens to another key")
				}
				for _, wrong := range []string{"", "wrong", passwordOf(name) + "x"} {
					if wrong == passwordOf(name) {
						continue
					}
					if _, err := openKey(text, given(wrong)); !errors.Is(err, ErrKeyPassword) || !errors.Is(err, ErrPrivateKey) {
						t.Errorf("password %q: %v", wrong, err)
					}
				}
				if _, err := openKey(text, password{}); !errors.Is(err, ErrKeyPassword) || !strings.Contains(err.Error(), "missing") {
					t.Errorf("no password: %v", err)
				}
			})
		}
	}
	if count < 42 {
		t.Errorf("%d fixtures: some are missing", count)
	}
}

// A truncated key is reported as damaged, not as a wrong password.
func TestTruncatedIsDamaged(t *testing.T) {
	for _, file := range []string{"openssl/pbes1-PBE-SHA1-3DES.pem", "openssl/pbes2-aes-256-cbc.pem", "openssl/pbes2-scrypt.pem", "bouncycastle/aes128-gcm.pem"} {
		block, _ := pem.Decode([]byte(fixture(t, file)))
		for n := range len(block.Bytes) {
			text := string(pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes[:n]}))
			_, err := openKey(text, given("pass1234"))
			if err == nil || errors.Is(err, ErrKeyPassword) {
				t.Fatalf("%s cut to %d bytes: %v", file, n, err)
			}
		}
	}
}

// Keys of each kind, created with this machine's OpenSSL.
func TestOpenSSLKeys(t *testing.T) {
	kinds := map[string][]string{
		"rsa":     {"genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
		"p256":    {"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
		"p384":    {"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"},
		"p521":    {"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"},
		"ed25519": {"genpkey", "-algorithm", "ED25519"},
	}
	all := [][]string{{"-v2", "aes-256-cbc"}, {"-scrypt"}, {"-v1", "PBE-SHA1-3DES"},
		{"-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512", "-iter", "100000"}}
	for kind, args := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel() // each openssl is a separate process
			encryptions := all
			if kind != "p256" {
				encryptions = all[:1]
			}
			plain := openssl(t, "", args...)
			want, err := openKey(plain, password{})
			if err != nil {
				t.Fatal(err)
			}
			for _, encryption := range encryptions {
				text := openssl(t, plain, append([]string{"pkcs8", "-topk8", "-passout", "pass:s3cret"}, encryption...)...)
				got, err := openKey(text, given("s3cret"))
				if err != nil {
					t.Fatalf("%v: %v", encryption, err)
				}
				if !bytes.Equal(der(t, got), der(t, want)) {
					t.Fatalf("%v opens to another key", encryption)
				}
			}
			// OpenSSL can read the key that is passed to the client.
			encoded, keyErr := encodeKey(want)
			if keyErr != nil {
				t.Fatal(keyErr)
			}
			openssl(t, encoded.Reveal(), "pkey", "-noout")
			if kind == "rsa" || strings.HasPrefix(kind, "p") {
				traditional := openssl(t, plain, "pkey", "-traditional")
				if !strings.Contains(traditional, "RSA PRIVATE KEY") && !strings.Contains(traditional, "EC PRIVATE KEY") {
					t.Fatal("openssl did not write the old form")
				}
				got, err := openKey(traditional, password{})
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(der(t, got), der(t, want)) {
					t.Fatal("the old form opens to another key")
				}
			}
		})
	}
}

// OpenSSL cannot read BouncyCastle's Ed25519 key, but it can read the re-encoded one.
func TestBouncyCastleEd25519IsMadeReadable(t *testing.T) {
	key, err := openKey(fixture(t, "bouncycastle/plain-ed25519.pem"), password{})
	if err != nil {
		t.Fatal(err)
	}
	encoded, keyErr := encodeKey(key)
	if keyErr != nil {
		t.Fatal(keyErr)
	}
	openssl(t, encoded.Reveal(), "pkey", "-noout")
}

// This package reads everything that youmark/pkcs8 writes and reads itself.
func TestAgreesWithYoumark(t *testing.T) {
	key := newKey()
	for _, options := range []*pkcs8.Opts{
		pkcs8.DefaultOpts,
		{Cipher: pkcs8.AES128CBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 16, IterationCount: 100, HMACHash: crypto.SHA1}},
		{Cipher: pkcs8.AES192CBC, KDFOpts: pkcs8.ScryptOpts{SaltSize: 16, CostParameter: 1 << 10, BlockSize: 8, ParallelizationParameter: 2}},
		{Cipher: pkcs8.TripleDESCBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 1, HMACHash: crypto.SHA256}},
	} {
		encrypted, err := pkcs8.MarshalPrivateKey(key, []byte("pass1234"), options)
		if err != nil {
			t.Fatal(err)
		}
		plain, keyErr := decryptPKCS8(encrypted, given("pass1234"), defaultBounds)
		if keyErr != nil {
			t.Fatal(keyErr)
		}
		if !bytes.Equal(plain, der(t, key)) {
			t.Fatal("decrypts to something else")
		}
	}
}

// RFC 1319, A.5.
func TestMD2(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "8350e5a3e24c153df2275c9f80692773",
		"a":                          "32ec01ec4a6dac72c0ab96fb34c0b5d1",
		"abc":                        "da853b0d3f88d99b30283a69e6ded6bb",
		"message digest":             "ab4f496bfb2a530b219ff33031fe06b0",
		"abcdefghijklmnopqrstuvwxyz": "4e8ddff3650292ab5a4108c3aa47940b",
		"12345678901234567890123456789012345678901234567890123456789012345678901234567890": "d5976f79d83d3a0dc9806c3c66f3efd8",
	} {
		for _, step := range []int{1, 7, 16, 100} {
			h := newMD2()
			for rest := []byte(text); len(rest) > 0; {
				n := min(step, len(rest))
				if _, err := h.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if got := hex.EncodeToString(h.Sum(nil)); got != want {
				t.Errorf("MD2(%q) in steps of %d = %s, want %s", text, step, got, want)
			}
		}
	}
}

// RFC 2268, 5.
func TestRC2(t *testing.T) {
	for _, c := range []struct {
		key, plain, cipher string
		bits               int
	}{
		{"0000000000000000", "0000000000000000", "ebb773f993278eff", 63},
		{"ffffffffffffffff", "ffffffffffffffff", "278b27e42e2f0d49", 64},
		{"3000000000000000", "1000000000000001", "30649edf9be7d2c2", 64},
		{"88", "0000000000000000", "61a8a244adacccf0", 64},
		{"88bca90e90875a", "0000000000000000", "6ccf4308974c267f", 64},
		{"88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "1a807d272bbe5db1", 64},
		{"88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "2269552ab0f85ca6", 128},
	} {
		block := newRC2(must(hex.DecodeString(c.key)), c.bits)
		out := make([]byte, 8)
		block.Encrypt(out, must(hex.DecodeString(c.plain)))
		if got := hex.EncodeToString(out); got != c.cipher {
			t.Errorf("key %s, %d bits: %s, want %s", c.key, c.bits, got, c.cipher)
		}
		block.Decrypt(out, out)
		if got := hex.EncodeToString(out); got != c.plain {
			t.Errorf("key %s, %d bits does not decrypt", c.key, c.bits)
		}
	}
}
