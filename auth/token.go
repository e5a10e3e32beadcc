package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"
)

// Token is a bearer token, as sent by SASL/OAUTHBEARER or any other bearer authentication. Treat it as immutable.
type Token struct {
	// Value is the token itself.
	Value Secret
	// Expires is when the token expires. It is zero if neither the token nor its issuer says so.
	Expires time.Time
	// Claims are a JWT's claims, for messages only: its signature has not been checked. They are zero for other tokens.
	Claims Claims
}

// Claims are the registered claims of a JWT (RFC 7519) that say who issued it, to whom and for how long.
type Claims struct {
	Issuer, Subject   string
	Audience          []string
	IssuedAt, Expires time.Time
}

// TokenSource supplies bearer tokens to a Kafka client or any other client. Token returns a valid token; if it has
// none, it waits for the network until ctx ends. Implementations must be safe for concurrent use.
type TokenSource interface {
	Token(ctx context.Context) (*Token, error)
}

const (
	// fetchTimeout bounds one request for a token.
	fetchTimeout = 15 * time.Second
	// The shortest and the longest pause after a failure.
	leastTokenRetry, mostTokenRetry = time.Second, 30 * time.Second
	// usualLifetime is assumed for a token that does not say when it expires.
	usualLifetime = 5 * time.Minute
	// lastMoment is how long before its expiry a token is no longer returned.
	lastMoment = time.Second
)

// Tokens is a TokenSource that caches a token until about four fifths of its lifetime have passed. If it cannot fetch a
// new one then, it returns the old one until that expires, and retries after 1 to 30 seconds. If there are several
// concurrent callers, one makes the request and the others wait. Tokens starts no goroutine; see [KeepTokens]. It
// prints without the token. It is safe for concurrent use.
type Tokens struct {
	name     string
	identity Secret
	fetch    func(context.Context) (*Token, error)

	turn    chan struct{} // a lock that can be awaited with a context; it guards the fields below
	last    *Token
	refresh time.Time // when to fetch the next one
	failed  error
	fails   int

	public atomic.Pointer[tokenState] // a copy of the above for readers without the lock
}

// tokenState is a snapshot of a source.
type tokenState struct {
	expires time.Time // of the last token, zero without one
	failed  error
	asking  bool
}

// NewTokens returns a source that gets new tokens from fetch. name describes them, and is printed. Sources with the
// same identity are equal; the identity is not printed.
func NewTokens(name string, identity Secret, fetch func(context.Context) (*Token, error)) *Tokens {
	t := &Tokens{name: name, identity: identity, fetch: fetch, turn: make(chan struct{}, 1)}
	t.turn <- struct{}{}
	return t
}

// Token returns a token that is valid now. The error is a [*TokenError] that says why there is none, or ctx's.
func (t *Tokens) Token(ctx context.Context) (*Token, error) {
	token, _, err := t.take(ctx)
	return token, err
}

// take is Token, but also returns when to ask again.
func (t *Tokens) take(ctx context.Context) (*Token, time.Time, error) {
	select {
	case <-t.turn:
	case <-ctx.Done():
		return nil, time.Time{}, fmt.Errorf("waiting for a token: %w", context.Cause(ctx))
	}
	defer func() { t.turn <- struct{}{} }()
	now := time.Now()
	if now.Before(t.refresh) {
		if t.last != nil && now.Before(t.last.Expires.Add(-lastMoment)) {
			return t.last, t.refresh, nil
		}
		if t.failed != nil {
			return nil, t.refresh, t.failed
		}
	}
	t.publish(true)
	defer t.publish(false)
	fetchCtx, cancel := context.WithTimeout(ctx, fetchTimeout)
	token, err := t.fetch(fetchCtx)
	cancel()
	if err == nil && token.Value.IsZero() {
		err = errors.New("the token is empty")
	}
	if err == nil {
		t.keep(token)
		return t.last, t.refresh, nil
	}
	if ctx.Err() != nil {
		return nil, now, err // this caller gave up; the next may try at once
	}
	now = time.Now()
	t.fails++
	wait := min(leastTokenRetry<<min(t.fails-1, 10), mostTokenRetry)
	t.failed, t.refresh = err, now.Add(wait)
	if t.last != nil && now.Before(t.last.Expires.Add(-lastMoment)) {
		return t.last, t.refresh, nil
	}
	return nil, t.refresh, err
}

// publish updates the snapshot. The caller holds the lock.
func (t *Tokens) publish(asking bool) {
	state := &tokenState{failed: t.failed, asking: asking}
	if t.last != nil {
		state.expires = t.last.Expires
	}
	t.public.Store(state)
}

// nearEnd is how long before its expiry brokers may already refuse a token: the remaining session would be too short to
// re-authenticate in.
const nearEnd = 3 * time.Second

// Behind returns why a token that has expired, or is about to, has no successor: the error of the last request, or an
// error saying that there is no answer yet. It is nil while the token is valid, and before the first request. It does
// not wait. If a broker refuses an expired token, this is the real reason.
func (t *Tokens) Behind() error {
	state := t.public.Load()
	switch {
	case state == nil || time.Now().Before(state.expires.Add(-nearEnd)):
		return nil
	case state.failed != nil:
		return state.failed
	case state.asking:
		return &TokenError{Endpoint: "the identity provider", Err: errNoAnswerYet}
	}
	return nil
}

var errNoAnswerYet = errors.New("it has not answered yet, and the previous token has expired")

// keep stores a new token.
func (t *Tokens) keep(token *Token) {
	now := time.Now()
	kept := *token
	if kept.Expires.IsZero() {
		kept.Expires = now.Add(usualLifetime)
	}
	life := kept.Expires.Sub(now)
	// The random part keeps replicas that started together from asking together.
	part := 0.75 + 0.1*rand.Float64() //nolint:gosec // no secret
	t.last, t.failed, t.fails = &kept, nil, 0
	t.refresh = now.Add(time.Duration(float64(life) * part))
}

// Await is Token, but waits while the endpoint is unavailable, until ctx ends. It returns a refusal at once.
func (t *Tokens) Await(ctx context.Context) (*Token, error) {
	for {
		token, again, err := t.take(ctx)
		failure, known := errors.AsType[*TokenError](err)
		if err == nil || ctx.Err() != nil || known && failure.Refused() {
			return token, err
		}
		if !pause(ctx, again) {
			return nil, err
		}
	}
}

// pause waits until the given time, and at least 10 ms. It returns false if ctx ends first.
func pause(ctx context.Context, until time.Time) bool {
	timer := time.NewTimer(max(time.Until(until), 10*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// KeepTokens keeps a valid token available until ctx ends. It calls each with every new token, and with the error of
// every failed request. source returns the Tokens to use, or nil for none; it is called again after a receive from
// changed.
func KeepTokens(ctx context.Context, source func() *Tokens, changed <-chan struct{}, each func(*Token, error)) {
	var told *Token
	for ctx.Err() == nil {
		again := time.Now().Add(time.Hour) // until changed
		if tokens := source(); tokens != nil {
			token, next, err := tokens.take(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil || token != told {
				each(token, err)
			}
			told, again = token, next
		}
		until, cancel := context.WithDeadline(ctx, again.Add(10*time.Millisecond))
		select {
		case <-until.Done():
		case <-changed:
		}
		cancel()
	}
}

// Equal reports whether both supply tokens of the same identity.
func (t *Tokens) Equal(other *Tokens) bool {
	if t == nil || other == nil {
		return t == other
	}
	return t.identity.Equal(other.identity)
}

// String describes the tokens.
func (t *Tokens) String() string {
	if t == nil {
		return ""
	}
	return t.name
}

// GoString returns String inside auth.Tokens().
func (t *Tokens) GoString() string { return "auth.Tokens(" + t.String() + ")" }

// ClaimsOf returns the claims of a JWT without checking its signature. It returns the zero Claims for anything else.
func ClaimsOf(token string) Claims {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Claims{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return Claims{}
	}
	var said struct {
		Issuer   string          `json:"iss"`
		Subject  string          `json:"sub"`
		Audience json.RawMessage `json:"aud"`
		IssuedAt float64         `json:"iat"`
		Expires  float64         `json:"exp"`
	}
	if json.Unmarshal(payload, &said) != nil {
		return Claims{}
	}
	claims := Claims{Issuer: said.Issuer, Subject: said.Subject, IssuedAt: numericDate(said.IssuedAt), Expires: numericDate(said.Expires)}
	var one string
	if json.Unmarshal(said.Audience, &one) == nil && one != "" {
		claims.Audience = []string{one}
	} else {
		_ = json.Unmarshal(said.Audience, &claims.Audience) // none if it is neither a string nor a list
	}
	return claims
}

// numericDate converts RFC 7519's NumericDate: seconds since 1970.
func numericDate(seconds float64) time.Time {
	if seconds <= 0 || seconds > 1<<40 {
		return time.Time{}
	}
	return time.UnixMilli(int64(seconds * 1000))
}

// String lists the claims that are set.
func (c Claims) String() string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+" "+fmt.Sprintf("%.200q", value))
		}
	}
	add("issuer", c.Issuer)
	add("subject", c.Subject)
	add("audience", strings.Join(c.Audience, " "))
	if !c.Expires.IsZero() {
		parts = append(parts, "until "+stamp(c.Expires))
	}
	return strings.Join(parts, ", ")
}
