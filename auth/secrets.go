package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
)

// MaxSecretSize is the largest secret in bytes: AWS Secrets Manager's limit.
const MaxSecretSize = 65536

// Secrets is a store of secrets.
//
// Secret returns the value of the secret that uri names, and its version: equal versions mean equal values. The caller
// may change the returned slice. Secret respects ctx. An error should be a [*SecretError]; others are wrapped as
// [ErrSecretUnavailable]. Implementations must be safe for concurrent use.
type Secrets interface {
	Secret(ctx context.Context, uri string) (value []byte, version string, err error)
}

// SecretsFunc is a function that implements Secrets.
type SecretsFunc func(ctx context.Context, uri string) (value []byte, version string, err error)

// Secret calls f.
func (f SecretsFunc) Secret(ctx context.Context, uri string) ([]byte, string, error) {
	return f(ctx, uri)
}

// Prefixes is a Secrets that selects a store by the prefix of the URI. The longest matching key wins; "" is the
// default. Stores get the whole URI.
//
//	auth.Prefixes{"arn:": aws, "file:": auth.NewFiles("/run/secrets"), "env:": auth.NewEnv()}
//
// Do not change it while it is in use.
type Prefixes map[string]Secrets

// Secret asks the store with the longest matching prefix. If there is none, the error is [ErrSecretNotFound].
func (p Prefixes) Secret(ctx context.Context, uri string) ([]byte, string, error) {
	best, found := "", false
	for prefix := range p {
		if strings.HasPrefix(uri, prefix) && (!found || len(prefix) > len(best)) {
			best, found = prefix, true
		}
	}
	if !found || p[best] == nil {
		known := make([]string, 0, len(p))
		for prefix := range p {
			known = append(known, fmt.Sprintf("%q", prefix))
		}
		sort.Strings(known)
		return nil, "", &SecretError{URI: uri, Kind: ErrSecretNotFound, Problem: "no store for names that begin like this",
			Hint: "stores are configured for " + strings.Join(known, ", ")}
	}
	return p[best].Secret(ctx, uri)
}

// versioner computes versions of values for stores that have none. Its key is random: versions are printed, and must
// not help to guess a weak password by trial.
type versioner struct{ key []byte }

func newVersioner() versioner {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails: it ends the process instead
	return versioner{key: key}
}

func (v versioner) version(uri string, value []byte) string {
	mac := hmac.New(sha256.New, v.key)
	mac.Write([]byte(uri))
	mac.Write([]byte{0})
	mac.Write(value)
	return hex.EncodeToString(mac.Sum(nil)[:12])
}

// tooLarge returns the error of every store for a value over MaxSecretSize.
func tooLarge(uri string, size int64) *SecretError {
	how := fmt.Sprintf("has %d bytes, %d are allowed", size, MaxSecretSize)
	return &SecretError{URI: uri, Kind: ErrSecretTooLarge, Problem: how,
		Hint: "leave out of the PEM what is not needed, such as text and unrelated certificates"}
}
