// Package idptest is an identity provider for tests: a token endpoint over TLS that knows clients, secrets, keys,
// scopes and audiences, and over HTTP the keys (JWKS) with which brokers check its tokens.
package idptest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// TB is the required part of testing.TB.
type TB interface {
	Helper()
	Cleanup(func())
	Fatal(args ...any)
}

// Provider is an identity provider. Its methods are safe for concurrent use.
type Provider struct {
	// URL is the token endpoint, https. CA is the certificate to trust it with, as PEM.
	URL, CA string
	// JWKS is the URL of its keys, http.
	JWKS string

	mu       sync.Mutex
	clients  map[string]string         // secrets by client ID
	emails   map[string]*rsa.PublicKey // keys by email
	scopes   []string                  // the granted ones, nil for all
	lifetime time.Duration
	away     bool
	skew     time.Duration
	keys     map[string]*rsa.PrivateKey
	current  string
	asked    int
	audience string
}

// New starts a provider with one key, which ends with the test. Its tokens are valid for a minute and are for "kafka".
func New(tb TB) *Provider {
	tb.Helper()
	p := &Provider{clients: map[string]string{}, emails: map[string]*rsa.PublicKey{}, keys: map[string]*rsa.PrivateKey{}, lifetime: time.Minute, audience: "kafka"}
	p.NewKey(tb)
	tokens := httptest.NewTLSServer(http.HandlerFunc(p.token))
	keys := httptest.NewServer(http.HandlerFunc(p.jwks))
	tb.Cleanup(func() { tokens.Close(); keys.Close() })
	p.URL, p.JWKS = tokens.URL+"/token", keys.URL+"/jwks"
	p.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tokens.Certificate().Raw}))
	return p
}

// Client adds a client with its secret.
func (p *Provider) Client(id, secret string) { p.change(func() { p.clients[id] = secret }) }

// Email adds the key that signs the assertions of an email.
func (p *Provider) Email(email string, key *rsa.PublicKey) {
	p.change(func() { p.emails[email] = key })
}

// Scopes sets the scopes that are granted.
func (p *Provider) Scopes(scopes ...string) { p.change(func() { p.scopes = scopes }) }

// Lifetime sets the lifetime of later tokens.
func (p *Provider) Lifetime(d time.Duration) { p.change(func() { p.lifetime = d }) }

// Audience sets the audience of tokens whose request names none.
func (p *Provider) Audience(a string) { p.change(func() { p.audience = a }) }

// Away makes the endpoint answer 503, or ends that.
func (p *Provider) Away(away bool) { p.change(func() { p.away = away }) }

// Skew sets the provider's clock ahead.
func (p *Provider) Skew(d time.Duration) { p.change(func() { p.skew = d }) }

// Asked returns how often a token was requested.
func (p *Provider) Asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// NewKey signs later tokens with a new key; the JWKS holds all keys.
func (p *Provider) NewKey(tb TB) {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	p.change(func() {
		p.current = fmt.Sprintf("key-%d", len(p.keys)+1)
		p.keys[p.current] = key
	})
}

func (p *Provider) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// refusal is an error as in RFC 6749, 5.2.
type refusal struct {
	status            int
	code, description string
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	now := time.Now().Add(p.skew)
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	if p.away {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	subject, no := p.judge(r, now)
	if no != nil {
		w.WriteHeader(no.status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": no.code, "error_description": no.description})
		return
	}
	audience := r.PostForm.Get("audience")
	if audience == "" {
		audience = p.audience
	}
	claims := map[string]any{"iss": "https://idp.test", "sub": subject, "aud": audience, "iat": now.Unix(), "exp": now.Add(p.lifetime).Unix(), "jti": rand.Text()}
	if scope := r.PostForm.Get("scope"); scope != "" { // Kafka refuses an empty one
		claims["scope"] = scope
	}
	token, err := p.sign(claims)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(p.lifetime.Seconds())})
}

// judge returns the subject of a request, or why it gets no token.
func (p *Provider) judge(r *http.Request, now time.Time) (subject string, no *refusal) {
	if err := r.ParseForm(); err != nil {
		return "", &refusal{400, "invalid_request", "no form"}
	}
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
		id, secret, basic := r.BasicAuth()
		if basic { // RFC 6749, 2.3.1
			id, _ = url.QueryUnescape(id)
			secret, _ = url.QueryUnescape(secret)
		} else {
			id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
		}
		want, known := p.clients[id]
		if !known {
			return "", &refusal{401, "invalid_client", "unknown client"}
		}
		if want != secret {
			// Some providers repeat what they were sent.
			return "", &refusal{401, "invalid_client", "the secret " + secret + " is wrong"}
		}
		subject = id
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		email, err := p.checkAssertion(r.PostForm.Get("assertion"), now)
		if err != nil {
			return "", &refusal{400, "invalid_grant", err.Error() + " in " + r.PostForm.Get("assertion")}
		}
		subject = email
	default:
		return "", &refusal{400, "unsupported_grant_type", ""}
	}
	for scope := range strings.FieldsSeq(r.PostForm.Get("scope")) {
		if p.scopes != nil && !slices.Contains(p.scopes, scope) {
			return "", &refusal{400, "invalid_scope", "scope " + scope + " is not granted"}
		}
	}
	return subject, nil
}

// checkAssertion checks an assertion of RFC 7523 and returns its subject.
func (p *Provider) checkAssertion(assertion string, now time.Time) (string, error) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return "", errors.New("no JWT")
	}
	var claims struct {
		Iss, Sub, Aud string
		Iat, Exp      int64
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		return "", errors.New("no claims")
	}
	key := p.emails[claims.Iss]
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	switch {
	case key == nil:
		return "", errors.New("unknown issuer")
	case err != nil || rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) != nil:
		return "", errors.New("wrong signature")
	case claims.Aud != p.URL:
		return "", errors.New("wrong audience")
	case now.Unix() > claims.Exp || now.Unix() < claims.Iat-5:
		return "", errors.New("out of its dates")
	}
	return claims.Sub, nil
}

// Sign returns a token with the caller's claims.
func (p *Provider) Sign(claims map[string]any) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sign(claims)
}

func (p *Provider) sign(claims map[string]any) (string, error) {
	header, err := json.Marshal(map[string]string{"alg": "RS256", "typ": "JWT", "kid": p.current})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	text := encode(header) + "." + encode(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.keys[p.current], crypto.SHA256, sum[:])
	return text + "." + encode(signature), err
}

// Claims checks a token as a broker does, and returns its claims.
func (p *Provider) Claims(token string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("no JWT")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	for _, key := range p.keys {
		if rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature) != nil {
			continue
		}
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			return nil, err
		}
		claims := map[string]any{}
		if err := json.Unmarshal(payload, &claims); err != nil {
			return nil, err
		}
		if exp, _ := claims["exp"].(float64); time.Now().Unix() >= int64(exp) {
			return nil, errors.New("the token has ended")
		}
		return claims, nil
	}
	return nil, errors.New("wrong signature")
}

func (p *Provider) jwks(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	encode := base64.RawURLEncoding.EncodeToString
	var keys []map[string]string
	for _, id := range slices.Sorted(maps.Keys(p.keys)) {
		public := p.keys[id].PublicKey
		keys = append(keys, map[string]string{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
			"n": encode(public.N.Bytes()), "e": encode(big.NewInt(int64(public.E)).Bytes())})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"keys": keys})
}

// PKCS8 returns a key as PEM.
func PKCS8(tb TB, key *rsa.PrivateKey) string {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
