package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// OAuth says how to get tokens from an identity provider. It holds the secret of OAUTHBEARER_AUTH and the values of
// OAUTHBEARER_SCOPE and OAUTHBEARER_AUDIENCE. It uses one of two grants: client credentials (ClientSecret), or JWT
// bearer (ClientEmail and PrivateKey; RFC 7523).
type OAuth struct {
	// TokenEndpointURL is oauthTokenEndpointUrl: https, without user or fragment.
	TokenEndpointURL string
	// ClientID is oauthClientId.
	ClientID string
	// ClientSecret is oauthClientSecret.
	ClientSecret Secret
	// ClientEmail is oauthClientEmail: issuer and subject of the assertion.
	ClientEmail string
	// PrivateKey is oauthPrivateKey, which signs the assertion, as unencrypted PKCS#8 PEM: RSA (RS256), ECDSA on P-256, P-384
	// or P-521 (ES256, ES384, ES512) or Ed25519 (EdDSA).
	PrivateKey Secret
	// AssertionLifetime is oauthTokenExpirationSeconds: how long an assertion is valid. Zero means 5 minutes. Some providers
	// give the token the same lifetime.
	AssertionLifetime time.Duration
	// IdPRootCAs is oauthIdpCaCertificate: the CAs that the token endpoint is checked against, as PEM. They replace the
	// system's. Empty means the system's.
	IdPRootCAs []byte
	// Scope and Audience are requested if they are not empty.
	Scope, Audience string
}

// usualAssertion is how long an assertion is valid by default.
const usualAssertion = 5 * time.Minute

// Validate reports whether the fields are consistent. The error is [ErrInvalidCredentials].
func (o *OAuth) Validate() error {
	invalid := func(text string) error { return fmt.Errorf("%w: OAuth: %s", ErrInvalidCredentials, text) }
	if problem, _ := endpointProblem(o.TokenEndpointURL); problem != "" {
		return invalid("TokenEndpointURL " + problem)
	}
	if o.ClientID == "" {
		return invalid("ClientID is empty")
	}
	assertion := o.ClientEmail != "" || !o.PrivateKey.IsZero()
	switch {
	case assertion && !o.ClientSecret.IsZero():
		return invalid("ClientSecret and ClientEmail or PrivateKey are two grants: give one")
	case assertion && (o.ClientEmail == "" || o.PrivateKey.IsZero()):
		return invalid("ClientEmail and PrivateKey go together")
	case !assertion && o.ClientSecret.IsZero():
		return invalid("no grant: give ClientSecret, or ClientEmail and PrivateKey")
	}
	return nil
}

// endpointProblem returns what is wrong with a token endpoint's URL. It does not quote the URL, which may hold a
// password.
func endpointProblem(text string) (problem, hint string) {
	const form = "for example https://login.example.com/oauth2/token"
	u, err := url.Parse(text)
	switch {
	case err != nil || text != strings.TrimSpace(text):
		return "is not a URL", form
	case u.Scheme != "https":
		return "does not begin with https://", "client secrets are not sent over connections that are not encrypted"
	case u.Hostname() == "":
		return "names no host", form
	case u.User != nil:
		return "has a user name or password in it", "put them into oauthClientId and oauthClientSecret"
	case u.Fragment != "":
		return "has a fragment (#)", "leave it out"
	}
	return "", ""
}

// Tokens returns a source of tokens. It makes no request yet.
func (o *OAuth) Tokens() (*Tokens, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	own := *o
	request, err := own.request()
	if err != nil {
		return nil, err
	}
	client, err := own.client()
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("tokens of client %q from %s", own.ClientID, own.endpoint())
	return NewTokens(name, own.identity(), func(ctx context.Context) (*Token, error) {
		config, err := request()
		if err != nil {
			return nil, err
		}
		asked := time.Now()
		answer, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
		if err != nil {
			return nil, own.failed(err, asked)
		}
		return own.received(answer)
	}), nil
}

// request returns a function that builds a request. Each request is new, because an assertion is valid for only a few
// minutes.
func (o *OAuth) request() (func() (*clientcredentials.Config, error), error) {
	base := clientcredentials.Config{ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(), TokenURL: o.TokenEndpointURL,
		Scopes: strings.Fields(o.Scope), EndpointParams: url.Values{}}
	if o.Audience != "" {
		base.EndpointParams.Set("audience", o.Audience)
	}
	if o.PrivateKey.IsZero() {
		return func() (*clientcredentials.Config, error) { return &base, nil }, nil
	}
	sign, err := newAssertions(o)
	if err != nil {
		return nil, err
	}
	return func() (*clientcredentials.Config, error) {
		assertion, err := sign(time.Now())
		if err != nil {
			return nil, err
		}
		one := clientcredentials.Config{ClientID: o.ClientID, TokenURL: o.TokenEndpointURL, Scopes: base.Scopes, AuthStyle: oauth2.AuthStyleInParams,
			EndpointParams: url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}}
		if o.Audience != "" {
			one.EndpointParams.Set("audience", o.Audience)
		}
		return &one, nil
	}, nil
}

// client returns the HTTP client for the endpoint. It keeps no connection, because minutes pass between two requests.
func (o *OAuth) client() (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(o.IdPRootCAs) > 0 {
		certificates, err := readCertificates(string(o.IdPRootCAs))
		if err != nil {
			return nil, fmt.Errorf("%w: OAuth: IdPRootCAs: %w", ErrInvalidCredentials, err)
		}
		config.RootCAs = x509.NewCertPool()
		for _, c := range certificates {
			config.RootCAs.AddCert(c)
		}
	}
	return &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: true},
		// A redirect would send the client secret elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// received converts the endpoint's answer into a Token.
func (o *OAuth) received(answer *oauth2.Token) (*Token, error) {
	if kind := answer.Type(); !strings.EqualFold(kind, "bearer") {
		return nil, &TokenError{Endpoint: o.endpoint(), Description: fmt.Sprintf("the token is of type %.40q, not Bearer", kind)}
	}
	token := &Token{Value: NewSecret(answer.AccessToken), Expires: answer.Expiry, Claims: ClaimsOf(answer.AccessToken)}
	// Brokers use the expiry in the token itself.
	if at := token.Claims.Expires; !at.IsZero() && (token.Expires.IsZero() || at.Before(token.Expires)) {
		token.Expires = at
	}
	if now := time.Now(); !token.Expires.IsZero() && !token.Expires.After(now) {
		return nil, &TokenError{Endpoint: o.endpoint(), Clock: true,
			Description: fmt.Sprintf("the token had already expired when it arrived (%s; this machine's clock says %s)", token.Claims, stamp(now))}
	}
	return token, nil
}

// endpoint returns the URL for printing, without its query.
func (o *OAuth) endpoint() string {
	u, err := url.Parse(o.TokenEndpointURL)
	if err != nil {
		return "(no URL)"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// identity returns everything that makes tokens differ.
func (o *OAuth) identity() Secret {
	var b strings.Builder
	for _, field := range []string{o.TokenEndpointURL, o.ClientID, o.ClientSecret.Reveal(), o.ClientEmail, o.PrivateKey.Reveal(),
		o.AssertionLifetime.String(), string(o.IdPRootCAs), o.Scope, o.Audience} {
		_, _ = fmt.Fprintf(&b, "%d:%s ", len(field), field)
	}
	return NewSecret(b.String())
}

// failed converts an error of x/oauth2 into a TokenError. The error's own text holds the endpoint's whole answer.
func (o *OAuth) failed(err error, asked time.Time) error {
	failure := &TokenError{Endpoint: o.endpoint()}
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		if network, ok := errors.AsType[*url.Error](err); ok {
			failure.Err = network.Err
		} else if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			failure.Err = err
		} else {
			failure.Description = "the answer is not one that OAuth 2.0 defines"
		}
		return failure
	}
	failure.Code = o.clean(answer.ErrorCode)
	failure.Description = o.clean(answer.ErrorDescription)
	if answer.Response != nil {
		failure.Status = answer.Response.StatusCode
		if theirs, err := http.ParseTime(answer.Response.Header.Get("Date")); err == nil {
			failure.Skew = theirs.Sub(asked).Truncate(time.Second)
		}
	}
	return failure
}

// clean makes a provider's text fit for a log: short, printable, and without the secrets that were sent to it.
func (o *OAuth) clean(text string) string {
	for _, secret := range []string{o.ClientSecret.Reveal(), url.QueryEscape(o.ClientSecret.Reveal())} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	words := strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text))
	for i, word := range words {
		if strings.Count(word, ".") >= 2 && strings.Contains(word, "eyJ") { // a JWT
			words[i] = redacted
		}
	}
	return fmt.Sprintf("%.300s", strings.Join(words, " "))
}
