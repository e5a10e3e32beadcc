package auth

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// TokenError says why there is no token: what the token endpoint answered, or why it could not be reached. It holds no
// secret, token or assertion.
type TokenError struct {
	// Endpoint is the token endpoint's URL without its query, or the name of an AWS service.
	Endpoint string
	// Status is the HTTP status of the answer, 0 if there was none.
	Status int
	// Code is OAuth's error code, such as invalid_client (RFC 6749, 5.2), or AWS's. It may be empty.
	Code string
	// Description is the text that came with the Code.
	Description string
	// Skew is how far the endpoint's clock is ahead of this machine's, 0 if not known.
	Skew time.Duration
	// Clock is true if a wrong clock is the reason.
	Clock bool
	// Err is why the endpoint could not be reached: DNS, TLS, a timeout.
	Err error
}

// Error names the endpoint and the reason.
func (e *TokenError) Error() string {
	var b strings.Builder
	b.WriteString("no token from " + e.Endpoint)
	if e.Code != "" {
		b.WriteString(": " + e.Code)
	}
	if e.Description != "" {
		b.WriteString(": " + e.Description)
	}
	if e.Status != 0 {
		b.WriteString(" (HTTP " + strconv.Itoa(e.Status) + ")")
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns Err.
func (e *TokenError) Unwrap() error { return e.Err }

// Refused reports whether the endpoint refused, as opposed to being unavailable.
func (e *TokenError) Refused() bool { return e.Err == nil && (e.Status == 0 || e.Status < 500) }

// worthSkew is a clock difference that matters to signed requests: IAM tolerates 5 minutes, identity providers often
// one.
const worthSkew = 30 * time.Second

// classifyToken classifies what goes wrong before there is a token.
func classifyToken(err error) Diagnosis {
	failure, ok := errors.AsType[*TokenError](err)
	if !ok {
		return Diagnosis{}
	}
	refused := func(cause Cause, hint string) Diagnosis {
		return Diagnosis{Text: TextSASL, Code: CodeAuthnError, Cause: cause, Detail: failure.Error(), Hint: hint}
	}
	skewed := failure.Skew > worthSkew || failure.Skew < -worthSkew
	if strings.HasPrefix(failure.Endpoint, "AWS ") {
		return classifyAWS(failure, skewed)
	}
	if failure.Err != nil {
		return unreachableEndpoint(failure)
	}
	switch {
	case failure.Clock:
		return refused(CauseTokenClock, "correct this machine's clock, or the identity provider's")
	case failure.Code == "invalid_client", failure.Code == "unauthorized_client", failure.Code == "" && failure.Status == 401:
		return refused(CauseTokenClient, "check oauthClientId and oauthClientSecret in the secret, and that the client may use this grant")
	case failure.Code == "invalid_scope":
		return refused(CauseTokenScope, "check "+string(OAuthBearerScope)+", and that the client may have this scope")
	case failure.Code == "invalid_target":
		return refused(CauseTokenScope, "check "+string(OAuthBearerAudience)+", and that the client may have tokens for it")
	case failure.Code == "invalid_grant" && skewed:
		d := refused(CauseTokenClock, "correct this machine's clock, by which assertions are dated")
		d.Detail += fmt.Sprintf("; the endpoint's clock is %v ahead of this machine's", failure.Skew)
		return d
	case failure.Code == "invalid_grant":
		return refused(CauseTokenGrant, "check oauthClientEmail and oauthPrivateKey in the secret, that the provider knows the key, and the clocks")
	case failure.Code == "unsupported_grant_type":
		return refused(CauseTokenGrant, "use the grant that the provider supports: oauthClientSecret, or oauthClientEmail and oauthPrivateKey")
	case failure.Status >= 500, failure.Status == 429:
		d := connection(CauseTokenEndpoint, failure.Error(), "see the identity provider's log; the request is repeated")
		return d
	case failure.Code == "invalid_request":
		return refused(CauseTokenGrant, "see what the provider misses: a scope, an audience, another grant")
	}
	return Diagnosis{Text: TextSASL, Code: CodeAuthnError, Cause: CauseTokenEndpoint, Detail: failure.Error(),
		Hint: "check oauthTokenEndpointUrl in the secret: it has to be the token endpoint itself, not the issuer or a page to log in"}
}

// unreachableEndpoint returns the Diagnosis for an endpoint that gave no answer.
func unreachableEndpoint(failure *TokenError) Diagnosis {
	why := Classify(failure.Err)
	detail := failure.Error()
	switch why.Cause {
	case CauseServerCA, CauseServerInvalid:
		return Diagnosis{Text: TextSASL, Code: CodeAuthnError, Cause: CauseTokenCA,
			Detail: "the token endpoint's certificate is not accepted: " + detail,
			Hint:   "put the CA that signed it into oauthIdpCaCertificate in the secret"}
	case CauseServerName, CauseServerExpired:
		return Diagnosis{Text: TextSASL, Code: CodeAuthnError, Cause: CauseTokenCA,
			Detail: "the token endpoint's certificate is not accepted: " + detail,
			Hint:   "check oauthTokenEndpointUrl, the certificate's names and dates, and this machine's clock"}
	case CauseDNS:
		return connection(CauseTokenEndpoint, "the token endpoint's name cannot be resolved: "+detail, "check oauthTokenEndpointUrl and DNS")
	}
	return connection(CauseTokenEndpoint, "the token endpoint does not answer: "+detail,
		"check oauthTokenEndpointUrl, routes, proxies and firewalls; the request is repeated")
}

// tokenRefused returns the Diagnosis for a token that the broker does not accept.
func (f facts) tokenRefused(seen string) Diagnosis {
	d := Diagnosis{Text: TextSASL, Code: CodeAuthnError, Cause: CauseToken, Detail: "the broker refuses the token",
		Hint: "check the broker's sasl.oauthbearer.expected.audience, expected.issuer and jwks.endpoint.url against the token, " +
			string(OAuthBearerScope) + " and " + string(OAuthBearerAudience) + ", and the clocks"}
	if strings.Contains(seen, "invalid_token") {
		d.Detail += " (invalid_token)"
	}
	if f.Credentials != nil && f.Credentials.Tokens != nil {
		if claims := f.Credentials.Tokens.claims(); claims != "" {
			d.Detail += ": " + claims
		}
	}
	return d
}

// claims returns the claims of the current token, "" if there is none.
func (t *Tokens) claims() string {
	select {
	case <-t.turn:
	default:
		return "" // a new one is being fetched
	}
	defer func() { t.turn <- struct{}{} }()
	if t.last == nil {
		return ""
	}
	return t.last.Claims.String()
}
