package auth

import (
	"crypto/cipher"
	"crypto/des" //nolint:gosec // PBES1 has no better ciphers
	"crypto/md5" //nolint:gosec // and no better hashes
	"crypto/rc4" //nolint:gosec // the same
	"crypto/sha1"
	"encoding/asn1"
	"hash"
	"strings"
	"unicode/utf16"
)

// pbes1Parameter is PKCS#5's PBEParameter and PKCS#12's pkcs-12PbeParams.
type pbes1Parameter struct {
	Salt       []byte
	Iterations int
}

// pbes1Scheme is a scheme whose OID names hash and cipher together.
type pbes1Scheme struct {
	pkcs12  bool // PKCS#12's key derivation (RFC 7292, B), else PBKDF1
	newHash func() hash.Hash
	keySize int
	ivSize  int
	block   func(key []byte) (cipher.Block, error) // nil: RC4
}

// md2Slowness is how much slower a round of MD2 is than one of the other hashes; its iteration bound is lower by the
// same factor.
const md2Slowness = 25

// pbes1Schemes are the schemes of RFC 8018, A.3 and RFC 7292, C, by OID.
func pbes1Schemes() map[string]pbes1Scheme {
	desBlock := des.NewCipher
	rc2With := func(bits int) func([]byte) (cipher.Block, error) {
		return func(key []byte) (cipher.Block, error) { return newRC2(key, bits), nil }
	}
	twoKey := func(key []byte) (cipher.Block, error) {
		return des.NewTripleDESCipher(append(append([]byte{}, key...), key[:8]...))
	}
	const pkcs5, pkcs12 = "1.2.840.113549.1.5.", "1.2.840.113549.1.12.1."
	return map[string]pbes1Scheme{
		pkcs5 + "1":  {false, newMD2, 8, 8, desBlock},                 // pbeWithMD2AndDES-CBC
		pkcs5 + "4":  {false, newMD2, 8, 8, rc2With(64)},              // pbeWithMD2AndRC2-CBC
		pkcs5 + "3":  {false, md5.New, 8, 8, desBlock},                // pbeWithMD5AndDES-CBC
		pkcs5 + "6":  {false, md5.New, 8, 8, rc2With(64)},             // pbeWithMD5AndRC2-CBC
		pkcs5 + "10": {false, sha1.New, 8, 8, desBlock},               // pbeWithSHA1AndDES-CBC
		pkcs5 + "11": {false, sha1.New, 8, 8, rc2With(64)},            // pbeWithSHA1AndRC2-CBC
		pkcs12 + "1": {true, sha1.New, 16, 0, nil},                    // pbeWithSHAAnd128BitRC4
		pkcs12 + "2": {true, sha1.New, 5, 0, nil},                     // pbeWithSHAAnd40BitRC4
		pkcs12 + "3": {true, sha1.New, 24, 8, des.NewTripleDESCipher}, // …3-KeyTripleDES-CBC
		pkcs12 + "4": {true, sha1.New, 16, 8, twoKey},                 // …2-KeyTripleDES-CBC
		pkcs12 + "5": {true, sha1.New, 16, 8, rc2With(128)},           // pbeWithSHAAnd128BitRC2-CBC
		pkcs12 + "6": {true, sha1.New, 5, 8, rc2With(40)},             // pbewithSHAAnd40BitRC2-CBC
	}
}

func newPBES1(scheme pbes1Scheme, parameters []byte, bounds costBounds) (decryptor, *keyError) {
	var p pbes1Parameter
	if rest, err := asn1.Unmarshal(parameters, &p); err != nil || len(rest) > 0 {
		return nil, badKey("is damaged: its PBES1 parameters cannot be read", "store it whole")
	}
	if _, slow := scheme.newHash().(*md2); slow {
		bounds.iterations /= md2Slowness
	}
	if err := checkIterations(p.Iterations, bounds); err != nil {
		return nil, err
	}
	if err := checkSalt(p.Salt); err != nil {
		return nil, err
	}
	return func(pass, data []byte) ([][]byte, *keyError) {
		var plain [][]byte
		var failure *keyError
		for _, derived := range scheme.derive(pass, p) {
			one, err := scheme.open(derived, data)
			if err != nil {
				failure = err
				continue
			}
			plain = append(plain, one)
		}
		if len(plain) == 0 {
			return nil, failure
		}
		return plain, nil
	}, nil
}

// derive returns key and IV, concatenated, for each way to encode pass.
func (s pbes1Scheme) derive(pass []byte, p pbes1Parameter) [][]byte {
	if !s.pkcs12 {
		return [][]byte{pbkdf1(s.newHash, pass, p.Salt, p.Iterations)}
	}
	var all [][]byte
	for _, encoded := range bmpPasswords(string(pass)) {
		key := pkcs12Derive(s.newHash, 1, encoded, p.Salt, p.Iterations, s.keySize)
		iv := pkcs12Derive(s.newHash, 2, encoded, p.Salt, p.Iterations, s.ivSize)
		all = append(all, append(key, iv...))
	}
	return all
}

// open decrypts data with key and IV as returned by derive.
func (s pbes1Scheme) open(derived, data []byte) ([]byte, *keyError) {
	key, iv := derived[:s.keySize], derived[s.keySize:s.keySize+s.ivSize]
	plain := make([]byte, len(data))
	if s.block == nil {
		stream, err := rc4.NewCipher(key) //nolint:gosec // see above
		if err != nil {
			return nil, badKey("cannot be decrypted with RC4", "encrypt it again: openssl pkcs8 -topk8")
		}
		stream.XORKeyStream(plain, data)
		return plain, nil
	}
	block, err := s.block(key)
	if err != nil {
		return nil, badKey("cannot be decrypted", "encrypt it again: openssl pkcs8 -topk8")
	}
	if len(data)%block.BlockSize() != 0 {
		return nil, badKey("is damaged: its encrypted data is not whole blocks", "store it whole")
	}
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	return unpad(plain, block.BlockSize())
}

// pbkdf1 is RFC 8018, 5.1. It returns the whole hash, of which 16 bytes are used.
func pbkdf1(newHash func() hash.Hash, pass, salt []byte, iterations int) []byte {
	h := newHash()
	h.Write(pass)
	h.Write(salt)
	t := h.Sum(nil)
	for range iterations - 1 {
		h.Reset()
		h.Write(t)
		t = h.Sum(t[:0])
	}
	return t
}

// bmpPasswords encodes a password as PKCS#12 requires: UTF-16, big endian, with two zero bytes at the end. For the
// empty password OpenSSL keeps these two bytes and BouncyCastle does not, so both are tried. A password that is not
// UTF-8 is treated as Latin-1.
func bmpPasswords(pass string) [][]byte {
	runes := []rune(pass)
	if strings.ToValidUTF8(pass, "") != pass {
		runes = runes[:0]
		for _, b := range []byte(pass) {
			runes = append(runes, rune(b))
		}
	}
	var encoded []byte
	for _, unit := range utf16.Encode(runes) {
		encoded = append(encoded, byte(unit>>8), byte(unit))
	}
	all := [][]byte{append(encoded, 0, 0)}
	if pass == "" {
		all = append(all, nil)
	}
	return all
}
