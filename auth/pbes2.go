package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // keys in use are encrypted with it
	"crypto/md5" //nolint:gosec // the same, through HMAC
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"hash"

	"github.com/youmark/pkcs8"
)

const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
	oidScrypt = "1.3.6.1.4.1.11591.4.11"
)

type pbes2Parameters struct {
	KeyDerivation pkix.AlgorithmIdentifier
	Encryption    pkix.AlgorithmIdentifier
}

// derivation derives a key of size bytes from a password.
type derivation func(pass []byte, size int) ([]byte, error)

// newPBES2 parses PBES2's parameters (RFC 8018, A.4) and bounds them. Ciphers in CBC mode and scrypt come from
// youmark/pkcs8. That package trusts lengths, costs and padding in its input, so its parser is not used, and everything
// is checked before it is called.
func newPBES2(parameters []byte, bounds costBounds) (decryptor, *keyError) {
	var p pbes2Parameters
	if rest, err := asn1.Unmarshal(parameters, &p); err != nil || len(rest) > 0 {
		return nil, badKey("is damaged: its PBES2 parameters cannot be read", "store it whole")
	}
	encryption, err := newEncryption(p.Encryption)
	if err != nil {
		return nil, err
	}
	derive, err := newDerivation(p.KeyDerivation, encryption.keySize, bounds)
	if err != nil {
		return nil, err
	}
	return func(pass, data []byte) ([][]byte, *keyError) {
		if err := encryption.check(data); err != nil {
			return nil, err // before the expensive part
		}
		key, deriveErr := derive(pass, encryption.keySize)
		if deriveErr != nil {
			return nil, badKey("is encrypted with a key derivation that does not work here", "encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc")
		}
		plain, err := encryption.open(key, data)
		if err != nil {
			return nil, err
		}
		return [][]byte{plain}, nil
	}, nil
}

// pbkdf2Parameters are RFC 8018's PBKDF2-params. Most keys that a JDK writes have a KeyLength.
type pbkdf2Parameters struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// scryptParameters are RFC 7914's scrypt-params.
type scryptParameters struct {
	Salt      []byte
	N, R, P   int
	KeyLength int `asn1:"optional"`
}

func newDerivation(algorithm pkix.AlgorithmIdentifier, size int, bounds costBounds) (derivation, *keyError) {
	damaged := badKey("is damaged: the parameters of its key derivation cannot be read", "store it whole")
	switch oid := algorithm.Algorithm.String(); oid {
	case oidPBKDF2:
		var p pbkdf2Parameters
		if rest, err := asn1.Unmarshal(algorithm.Parameters.FullBytes, &p); err != nil || len(rest) > 0 {
			return nil, damaged
		}
		newHash, err := prf(p.PRF)
		if err == nil {
			err = checkIterations(p.Iterations, bounds)
		}
		if err == nil {
			err = checkDerived(p.Salt, p.KeyLength, size)
		}
		return func(pass []byte, size int) ([]byte, error) {
			return pbkdf2.Key(newHash, string(pass), p.Salt, p.Iterations, size)
		}, err
	case oidScrypt:
		var p scryptParameters
		if rest, err := asn1.Unmarshal(algorithm.Parameters.FullBytes, &p); err != nil || len(rest) > 0 {
			return nil, damaged
		}
		err := checkScrypt(p, bounds)
		if err == nil {
			err = checkDerived(p.Salt, p.KeyLength, size)
		}
		return func(pass []byte, size int) ([]byte, error) {
			options := pkcs8.ScryptOpts{CostParameter: p.N, BlockSize: p.R, ParallelizationParameter: p.P}
			key, _, err := options.DeriveKey(pass, p.Salt, size)
			return key, err
		}, err
	default:
		return nil, badKey(fmt.Sprintf("is encrypted with a key derivation that is not supported (OID %s)", oid),
			"encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc")
	}
}

func checkDerived(salt []byte, keyLength, size int) *keyError {
	if keyLength != 0 && keyLength != size {
		return badKey(fmt.Sprintf("is damaged: it derives %d bytes for a cipher that takes %d", keyLength, size), "store it whole")
	}
	return checkSalt(salt)
}

func checkScrypt(p scryptParameters, bounds costBounds) *keyError {
	const most = 1 << 30 // keeps the products below within an int64
	legal := p.N > 1 && p.N < most && p.N&(p.N-1) == 0 && p.R > 0 && p.R < 1<<10 && p.P > 0 && p.P < 1<<10
	if !legal || int64(p.N)*int64(p.R)*128 > int64(bounds.scryptMemory) ||
		int64(p.N)*int64(p.R)*int64(p.P) > int64(bounds.scryptWork) {
		return badKey(fmt.Sprintf("asks for scrypt with N=%d, r=%d, p=%d, which is illegal or over %d MiB of memory",
			p.N, p.R, p.P, bounds.scryptMemory>>20), "encrypt it again: openssl pkcs8 -topk8 -scrypt")
	}
	return nil
}

// prf returns the HMAC's hash. RFC 8018's default is SHA-1.
func prf(algorithm pkix.AlgorithmIdentifier) (func() hash.Hash, *keyError) {
	switch oid := algorithm.Algorithm.String(); oid {
	case "", "1.2.840.113549.2.7":
		return sha1.New, nil
	case "1.2.840.113549.2.6", "1.3.6.1.5.5.8.1.1":
		return md5.New, nil
	case "1.2.840.113549.2.8":
		return sha256.New224, nil
	case "1.2.840.113549.2.9":
		return sha256.New, nil
	case "1.2.840.113549.2.10":
		return sha512.New384, nil
	case "1.2.840.113549.2.11":
		return sha512.New, nil
	case "1.2.840.113549.2.12":
		return sha512.New512_224, nil
	case "1.2.840.113549.2.13":
		return sha512.New512_256, nil
	case "2.16.840.1.101.3.4.2.13":
		return func() hash.Hash { return sha3.New224() }, nil
	case "2.16.840.1.101.3.4.2.14":
		return func() hash.Hash { return sha3.New256() }, nil
	case "2.16.840.1.101.3.4.2.15":
		return func() hash.Hash { return sha3.New384() }, nil
	case "2.16.840.1.101.3.4.2.16":
		return func() hash.Hash { return sha3.New512() }, nil
	default:
		return nil, badKey(fmt.Sprintf("is encrypted with an HMAC that is not supported (OID %s)", oid),
			"encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256")
	}
}

// encryption is a cipher of PBES2 with its parameters.
type encryption struct {
	keySize   int
	blockSize int // 1 for GCM
	least     int // minimum number of bytes of data
	decrypt   func(key, data []byte) ([]byte, error)
}

func (e encryption) check(data []byte) *keyError {
	if len(data) < e.least || len(data)%e.blockSize != 0 {
		return badKey("is damaged: its encrypted data has a length that its cipher cannot produce", "store it whole")
	}
	return nil
}

func (e encryption) open(key, data []byte) ([]byte, *keyError) {
	plain, err := e.decrypt(key, data)
	if err != nil {
		return nil, wrongPassword() // GCM's tag is wrong: the password, or damage
	}
	if e.blockSize == 1 {
		return plain, nil
	}
	return unpad(plain, e.blockSize)
}

func newEncryption(algorithm pkix.AlgorithmIdentifier) (encryption, *keyError) {
	raw := algorithm.Parameters.FullBytes
	switch oid := algorithm.Algorithm.String(); oid {
	case "2.16.840.1.101.3.4.1.2":
		return cbc(pkcs8.AES128CBC, raw)
	case "2.16.840.1.101.3.4.1.22":
		return cbc(pkcs8.AES192CBC, raw)
	case "2.16.840.1.101.3.4.1.42":
		return cbc(pkcs8.AES256CBC, raw)
	case "1.2.840.113549.3.7":
		return cbc(pkcs8.TripleDESCBC, raw)
	case "2.16.840.1.101.3.4.1.6":
		return gcm(16, raw)
	case "2.16.840.1.101.3.4.1.26":
		return gcm(24, raw)
	case "2.16.840.1.101.3.4.1.46":
		return gcm(32, raw)
	case "1.3.14.3.2.7":
		return desCBC(raw)
	case "1.2.840.113549.3.2":
		return rc2CBC(raw)
	default:
		return encryption{}, badKey(fmt.Sprintf("is encrypted with a cipher that is not supported (OID %s)", oid),
			"encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc")
	}
}

func badCipher() *keyError {
	return badKey("is damaged: the parameters of its cipher cannot be read", "store it whole")
}

func cbc(c pkcs8.Cipher, raw []byte) (encryption, *keyError) {
	var iv []byte
	if rest, err := asn1.Unmarshal(raw, &iv); err != nil || len(rest) > 0 || len(iv) != c.IVSize() {
		return encryption{}, badCipher()
	}
	size := c.IVSize() // a CBC cipher's IV has its block size
	return encryption{c.KeySize(), size, size, func(key, data []byte) ([]byte, error) {
		return c.Decrypt(key, iv, data)
	}}, nil
}

func desCBC(raw []byte) (encryption, *keyError) {
	var iv []byte
	if rest, err := asn1.Unmarshal(raw, &iv); err != nil || len(rest) > 0 || len(iv) != des.BlockSize {
		return encryption{}, badCipher()
	}
	return ownCBC(des.BlockSize, iv, des.NewCipher), nil
}

// rc2Parameters are RFC 8018's RC2-CBC-Parameter. Its version encodes the effective key bits (RFC 2268, 6).
type rc2Parameters struct {
	Version int
	IV      []byte
}

func rc2CBC(raw []byte) (encryption, *keyError) {
	var p rc2Parameters
	rest, err := asn1.Unmarshal(raw, &p)
	bits := map[int]int{160: 40, 120: 64, 58: 128}[p.Version]
	if err != nil || len(rest) > 0 || len(p.IV) != rc2BlockSize || bits == 0 {
		return encryption{}, badCipher()
	}
	return ownCBC(bits/8, p.IV, func(key []byte) (cipher.Block, error) { return newRC2(key, bits), nil }), nil
}

// ownCBC is CBC with a cipher that youmark/pkcs8 lacks.
func ownCBC(keySize int, iv []byte, newBlock func([]byte) (cipher.Block, error)) encryption {
	return encryption{keySize, len(iv), len(iv), func(key, data []byte) ([]byte, error) {
		block, err := newBlock(key)
		if err != nil {
			return nil, err
		}
		plain := make([]byte, len(data))
		cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
		return plain, nil
	}}
}

// gcmParameters are RFC 5084's GCMParameters.
type gcmParameters struct {
	Nonce  []byte
	ICVLen int `asn1:"optional,default:12"`
}

func gcm(keySize int, raw []byte) (encryption, *keyError) {
	var p gcmParameters
	rest, err := asn1.Unmarshal(raw, &p)
	var nonce []byte
	bare := false
	if more, bareErr := asn1.Unmarshal(raw, &nonce); bareErr == nil && len(more) == 0 && (len(nonce) == 12 || len(nonce) == aes.BlockSize) {
		// Some libraries write only the nonce where RFC 5084 has a sequence; they use a full tag.
		p, rest, err, bare = gcmParameters{Nonce: nonce, ICVLen: 16}, nil, nil, true
	}
	// Tags have 12 to 16 bytes, by RFC 5084, and crypto/cipher accepts no others. It cannot combine a nonce of other than
	// 12 bytes with a shorter tag.
	if err != nil || len(rest) > 0 || p.ICVLen < 12 || p.ICVLen > 16 || len(p.Nonce) < 1 || len(p.Nonce) > 64 {
		return encryption{}, badCipher()
	}
	if p.ICVLen != 16 && len(p.Nonce) != 12 {
		return encryption{}, badKey("is encrypted with an AES-GCM nonce and tag that are not supported together",
			"encrypt it again: openssl pkcs8 -topk8 -v2 aes-256-cbc")
	}
	return encryption{keySize, 1, p.ICVLen + 1, func(key, data []byte) ([]byte, error) {
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		var aead cipher.AEAD
		if p.ICVLen == 16 {
			aead, err = cipher.NewGCMWithNonceSize(block, len(p.Nonce))
		} else {
			aead, err = cipher.NewGCMWithTagSize(block, p.ICVLen)
		}
		if err != nil {
			return nil, err
		}
		plain, err := aead.Open(nil, p.Nonce, data, nil)
		if err != nil && bare && len(nonce) == aes.BlockSize && len(data)%aes.BlockSize == 0 {
			return openMislabelled(block, nonce, data)
		}
		return plain, err
	}}, nil
}

// openMislabelled opens what github.com/youmark/pkcs8 writes as AES-GCM but encrypts with AES-CBC. A wrong tag with
// correct padding indicates this case, and the result must parse as a key.
func openMislabelled(block cipher.Block, iv, data []byte) ([]byte, error) {
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	opened, err := unpad(plain, aes.BlockSize)
	if err != nil {
		return nil, err
	}
	return opened, nil
}
