package auth

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
)

func oidOf(dotted string) asn1.ObjectIdentifier {
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(dotted, ".") {
		n, _ := new(big.Int).SetString(part, 10)
		oid = append(oid, int(n.Int64()))
	}
	return oid
}

func algorithm(oid string, parameters any) pkix.AlgorithmIdentifier {
	return pkix.AlgorithmIdentifier{Algorithm: oidOf(oid), Parameters: asn1.RawValue{FullBytes: must(asn1.Marshal(parameters))}}
}

func encryptedPEM(a pkix.AlgorithmIdentifier, data []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY",
		Bytes: must(asn1.Marshal(encryptedPrivateKeyInfo{a, data}))}))
}

// Parameters that demand too much, or have the wrong size, are refused before anything is computed, and without a
// panic.
func TestHostileParameters(t *testing.T) {
	salt := []byte("saltsalt")
	aes := "2.16.840.1.101.3.4.1.42"
	iv16 := make([]byte, 16)
	kdf := func(iterations int) pkix.AlgorithmIdentifier {
		return algorithm(oidPBKDF2, struct {
			Salt       []byte
			Iterations int
		}{salt, iterations})
	}
	scrypt := func(n, r, p int) pkix.AlgorithmIdentifier {
		return algorithm(oidScrypt, struct {
			Salt    []byte
			N, R, P int
		}{salt, n, r, p})
	}
	pbes2 := func(kdf, cipher pkix.AlgorithmIdentifier) pkix.AlgorithmIdentifier {
		return algorithm(oidPBES2, pbes2Parameters{kdf, cipher})
	}
	type gcmShape struct {
		Nonce []byte
		Tag   int
	}
	for name, c := range map[string]struct {
		algorithm pkix.AlgorithmIdentifier
		data      int
		want      string
	}{
		"pbkdf2 iterations":          {pbes2(kdf(1<<30), algorithm(aes, iv16)), 64, "rounds"},
		"pbkdf2 no iterations":       {pbes2(kdf(0), algorithm(aes, iv16)), 64, "rounds"},
		"pbkdf2 negative iterations": {pbes2(kdf(-1), algorithm(aes, iv16)), 64, "rounds"},
		"pbes1 iterations":           {algorithm("1.2.840.113549.1.5.3", pbes1Parameter{salt, 1 << 30}), 64, "rounds"},
		"md2 iterations":             {algorithm("1.2.840.113549.1.5.1", pbes1Parameter{salt, 1_000_000}), 64, "rounds"},
		"pkcs12 iterations":          {algorithm("1.2.840.113549.1.12.1.3", pbes1Parameter{salt, 1 << 30}), 64, "rounds"},
		"pkcs12 no salt":             {algorithm("1.2.840.113549.1.12.1.3", pbes1Parameter{nil, 1}), 64, "salt"},
		"pkcs12 long salt":           {algorithm("1.2.840.113549.1.12.1.3", pbes1Parameter{make([]byte, 2000), 1}), 64, "salt"},
		"scrypt memory":              {pbes2(scrypt(1<<24, 8, 1), algorithm(aes, iv16)), 64, "scrypt"},
		"scrypt overflow":            {pbes2(scrypt(1<<29, 1000, 1000), algorithm(aes, iv16)), 64, "scrypt"},
		"scrypt work":                {pbes2(scrypt(1<<14, 8, 1000), algorithm(aes, iv16)), 64, "scrypt"},
		"scrypt not a power":         {pbes2(scrypt(1000, 8, 1), algorithm(aes, iv16)), 64, "scrypt"},
		"scrypt zero":                {pbes2(scrypt(0, 8, 1), algorithm(aes, iv16)), 64, "scrypt"},
		"scrypt r":                   {pbes2(scrypt(1024, 0, 1), algorithm(aes, iv16)), 64, "scrypt"},
		"short iv":                   {pbes2(kdf(1), algorithm(aes, make([]byte, 8))), 64, "parameters of its cipher"},
		"long iv":                    {pbes2(kdf(1), algorithm(aes, make([]byte, 17))), 64, "parameters of its cipher"},
		"des iv":                     {pbes2(kdf(1), algorithm("1.2.840.113549.3.7", iv16)), 64, "parameters of its cipher"},
		"no blocks":                  {pbes2(kdf(1), algorithm(aes, iv16)), 63, "length"},
		"no data":                    {pbes2(kdf(1), algorithm(aes, iv16)), 0, "no encrypted data"},
		"pbes1 no blocks":            {algorithm("1.2.840.113549.1.5.3", pbes1Parameter{salt, 1}), 63, "whole blocks"},
		"gcm bare nonce":             {pbes2(kdf(1), algorithm("2.16.840.1.101.3.4.1.46", make([]byte, 11))), 64, "parameters of its cipher"},
		"gcm tag":                    {pbes2(kdf(1), algorithm("2.16.840.1.101.3.4.1.46", gcmShape{make([]byte, 12), 4})), 64, "parameters of its cipher"},
		"gcm empty nonce":            {pbes2(kdf(1), algorithm("2.16.840.1.101.3.4.1.46", gcmShape{nil, 16})), 64, "parameters of its cipher"},
		"gcm short":                  {pbes2(kdf(1), algorithm("2.16.840.1.101.3.4.1.46", gcmShape{make([]byte, 12), 16})), 16, "length"},
		"key length":                 {pbes2(algorithm(oidPBKDF2, pbkdf2Shape{salt, 1, 16}), algorithm(aes, iv16)), 64, "derives 16 bytes"},
		"unknown cipher":             {pbes2(kdf(1), algorithm("1.2.3.4", iv16)), 64, "OID 1.2.3.4"},
		"unknown kdf":                {pbes2(algorithm("1.2.3.5", iv16), algorithm(aes, iv16)), 64, "OID 1.2.3.5"},
		"unknown scheme":             {algorithm("1.2.3.6", iv16), 64, "OID 1.2.3.6"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openKey(encryptedPEM(c.algorithm, make([]byte, c.data)), given("x"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			if !errors.Is(err, ErrPrivateKey) || errors.Is(err, ErrKeyPassword) {
				t.Fatalf("wrong kind: %v", err)
			}
		})
	}
}

type pbkdf2Shape struct {
	Salt       []byte
	Iterations int
	KeyLength  int
}

// Unsupported forms of keys are refused with a hint.
func TestKeyForms(t *testing.T) {
	ec := fixture(t, "openssl/plain.pem")
	relabel := strings.ReplaceAll
	huge := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(asn1.Marshal([][]byte{make([]byte, 20000)}))}))
	for name, c := range map[string]struct{ text, want string }{
		"old encryption": {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----", "topk8"},
		"openssh":        {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "OpenSSH key that cannot be read"},
		"label pkcs1":    {relabel(ec, "PRIVATE KEY", "RSA PRIVATE KEY"), "BEGIN line must say PRIVATE KEY"},
		"label plain":    {relabel(ec, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), "is not encrypted"},
		"label enc":      {relabel(fixture(t, "openssl/pbes2-scrypt.pem"), "ENCRYPTED PRIVATE KEY", "PRIVATE KEY"), "is encrypted"},
		"public":         {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "public key"},
		"certificate":    {issue(nil, "x", nil).pem(), "certificate in it"},
		"two":            {ec + fixture(t, "jdk/plain.pem"), "2 private keys"},
		"huge":           {huge, "larger than any key"},
		"garbage":        {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "damaged"},
	} {
		_, err := openKey(c.text, given("pass1234"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}
