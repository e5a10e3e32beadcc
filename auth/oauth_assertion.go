package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // of the signatures
	_ "crypto/sha512"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// newAssertions returns a function that signs an assertion for the JWT bearer grant (RFC 7523).
func newAssertions(o *OAuth) (func(now time.Time) (string, error), error) {
	blocks, pemErr := parsePEM(o.PrivateKey.Reveal())
	if pemErr != nil {
		return nil, fmt.Errorf("%w: OAuth: PrivateKey: %w", ErrInvalidCredentials, pemErr)
	}
	block, keyErr := keyBlock(blocks)
	if keyErr != nil {
		return nil, fmt.Errorf("%w: OAuth: PrivateKey: %w", ErrInvalidCredentials, keyErr)
	}
	key, _, keyErr := readKey(block, password{}, defaultBounds)
	if keyErr != nil {
		return nil, fmt.Errorf("%w: OAuth: PrivateKey: %w", ErrInvalidCredentials, keyErr)
	}
	algorithm, sign := jwtSigner(key)
	if sign == nil {
		return nil, fmt.Errorf("%w: OAuth: PrivateKey: JWTs are signed with RSA, ECDSA on P-256, P-384 or P-521, or Ed25519", ErrInvalidCredentials)
	}
	life := o.AssertionLifetime
	if life <= 0 {
		life = usualAssertion
	}
	email, audience, scope := o.ClientEmail, o.TokenEndpointURL, o.Scope
	return func(now time.Time) (string, error) {
		id := make([]byte, 16)
		_, _ = rand.Read(id) // never fails: it ends the process instead
		claims := map[string]any{"iss": email, "sub": email, "aud": audience, "iat": now.Unix(), "exp": now.Add(life).Unix(), "jti": hex.EncodeToString(id)}
		if scope != "" {
			claims["scope"] = scope
		}
		return signJWT(map[string]any{"alg": algorithm, "typ": "JWT"}, claims, sign)
	}, nil
}

// signJWT returns the compact form of a signed JWT.
func signJWT(header, claims map[string]any, sign func(data []byte) ([]byte, error)) (string, error) {
	part := base64.RawURLEncoding.EncodeToString
	head, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := part(head) + "." + part(body)
	signature, err := sign([]byte(text))
	if err != nil {
		return "", errors.New("the private key does not sign") // the key's own error is not passed on
	}
	return text + "." + part(signature), nil
}

// jwtSigner returns the algorithm of a key (RFC 7518, RFC 8037) and a function that signs with it, nil for a key that
// JWT does not support.
func jwtSigner(key crypto.Signer) (algorithm string, sign func([]byte) ([]byte, error)) {
	digest := func(hash crypto.Hash, data []byte) []byte {
		h := hash.New()
		h.Write(data)
		return h.Sum(nil)
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return "RS256", func(data []byte) ([]byte, error) {
			return key.Sign(rand.Reader, digest(crypto.SHA256, data), crypto.SHA256)
		}
	case ed25519.PrivateKey:
		return "EdDSA", func(data []byte) ([]byte, error) { return ed25519.Sign(key, data), nil }
	case *ecdsa.PrivateKey:
		hash, ok := map[int]crypto.Hash{256: crypto.SHA256, 384: crypto.SHA384, 521: crypto.SHA512}[key.Curve.Params().BitSize]
		if !ok {
			return "", nil
		}
		size := (key.Curve.Params().BitSize + 7) / 8
		name := map[crypto.Hash]string{crypto.SHA256: "ES256", crypto.SHA384: "ES384", crypto.SHA512: "ES512"}[hash]
		return name, func(data []byte) ([]byte, error) {
			der, err := key.Sign(rand.Reader, digest(hash, data), hash)
			if err != nil {
				return nil, err
			}
			var pair struct{ R, S *big.Int }
			if _, err := asn1.Unmarshal(der, &pair); err != nil {
				return nil, err
			}
			out := make([]byte, 2*size)
			pair.R.FillBytes(out[:size])
			pair.S.FillBytes(out[size:])
			return out, nil
		}
	}
	return "", nil
}
