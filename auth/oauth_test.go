package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/internal/idptest"
	"github.com/esm-go/esm/internal/rdkafka"
)

const clientSecret = hidden + " +/%"

// oauthConfigs returns a configuration with the secret "s" of OAUTHBEARER_AUTH and options.
func oauthConfigs(options ...SourceAccessConfiguration) []SourceAccessConfiguration {
	return append([]SourceAccessConfiguration{{OAuthBearerAuth, "s"}}, options...)
}

// oauthSecret returns a secret for a provider; a change to nil removes a field.
func oauthSecret(p *idptest.Provider, changes map[string]any) string {
	fields := map[string]any{"oauthTokenEndpointUrl": p.URL, "oauthClientId": "consumer", "oauthClientSecret": clientSecret, "oauthIdpCaCertificate": p.CA}
	for name, value := range changes {
		if fields[name] = value; value == nil {
			delete(fields, name)
		}
	}
	return secretJSON(fields)
}

func resolveOAuth(secret string, options ...SourceAccessConfiguration) (*Credentials, []Warning, error) {
	return Resolve(context.Background(), NewStatic(map[string]string{"s": secret}), oauthConfigs(options...))
}

func provider(t *testing.T) *idptest.Provider {
	p := idptest.New(t)
	p.Client("consumer", clientSecret)
	return p
}

// Both grants get a token for the requested scope and audience, and the literals become extensions.
func TestOAuthTokens(t *testing.T) {
	p := provider(t)
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	p.Email("consumer@project.example", &key.PublicKey)
	assertion := map[string]any{"oauthClientSecret": nil, "oauthClientEmail": "consumer@project.example", "oauthPrivateKey": idptest.PKCS8(t, key)}
	short := maps.Clone(assertion)
	short["oauthTokenExpirationSeconds"] = 60
	quoted := maps.Clone(assertion)
	quoted["oauthTokenExpirationSeconds"] = "3600"
	for name, c := range map[string]struct {
		changes map[string]any
		subject string
	}{
		"client credentials": {nil, "consumer"},
		"JWT bearer":         {assertion, "consumer@project.example"},
		"short assertion":    {short, "consumer@project.example"},
		"seconds in quotes":  {quoted, "consumer@project.example"},
	} {
		credentials, warnings, err := resolveOAuth(oauthSecret(p, c.changes), SourceAccessConfiguration{OAuthBearerScope, "read write"},
			SourceAccessConfiguration{OAuthBearerAudience, "orders-cluster"}, SourceAccessConfiguration{OAuthBearerLogicalCluster, "lkc-1"},
			SourceAccessConfiguration{OAuthBearerIdentityPool, "pool-1"})
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%s: %v, %v", name, err, warnings)
		}
		if credentials.Protocol != ProtocolSASLSSL || credentials.Mechanism != MechanismOAuthBearer || credentials.Extensions["logicalCluster"] != "lkc-1" ||
			credentials.Extensions["identityPoolId"] != "pool-1" {
			t.Errorf("%s: %v, %v", name, credentials, credentials.Extensions)
		}
		token, err := credentials.Tokens.Token(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		claims, err := p.Claims(token.Value.Reveal())
		if err != nil || claims["sub"] != c.subject || claims["aud"] != "orders-cluster" || claims["scope"] != "read write" {
			t.Errorf("%s: %v, %v", name, claims, err)
		}
		if token.Claims.Subject != c.subject || time.Until(token.Expires) > time.Minute || time.Until(token.Expires) < 30*time.Second {
			t.Errorf("%s: %+v", name, token)
		}
	}
}

// Every bad secret is refused, with the field and what to do, before anything connects.
func TestOAuthSecrets(t *testing.T) {
	p := provider(t)
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	for name, c := range map[string]struct {
		changes map[string]any
		kind    error
		want    string
	}{
		"no endpoint":          {map[string]any{"oauthTokenEndpointUrl": nil}, ErrSecretInvalid, "field oauthTokenEndpointUrl: is missing"},
		"plain HTTP":           {map[string]any{"oauthTokenEndpointUrl": "http://idp.example/token"}, ErrSecretInvalid, "does not begin with https://"},
		"password in URL":      {map[string]any{"oauthTokenEndpointUrl": "https://a:" + hidden + "@idp.example/token"}, ErrSecretInvalid, "has a user name or password"},
		"no host":              {map[string]any{"oauthTokenEndpointUrl": "https:///token"}, ErrSecretInvalid, "names no host"},
		"no client":            {map[string]any{"oauthClientId": nil}, ErrSecretInvalid, "field oauthClientId: is missing"},
		"no grant":             {map[string]any{"oauthClientSecret": nil}, ErrSecretInvalid, "field oauthClientSecret: is missing"},
		"other letters":        {map[string]any{"oauthClientSecret": nil, "oauth_client_secret": hidden}, ErrSecretInvalid, "the name is oauthClientSecret"},
		"empty secret":         {map[string]any{"oauthClientSecret": ""}, ErrSecretInvalid, "field oauthClientSecret: is empty"},
		"both grants":          {map[string]any{"oauthClientEmail": "a@b"}, ErrSecretInvalid, "fields of two grants"},
		"seconds and a secret": {map[string]any{"oauthTokenExpirationSeconds": 60}, ErrSecretInvalid, "fields of two grants"},
		"email alone":          {map[string]any{"oauthClientSecret": nil, "oauthClientEmail": "a@b"}, ErrSecretInvalid, "field oauthPrivateKey: is missing"},
		"key alone":            {map[string]any{"oauthClientSecret": nil, "oauthPrivateKey": idptest.PKCS8(t, key)}, ErrSecretInvalid, "field oauthClientEmail: is missing"},
		"no key":               {map[string]any{"oauthClientSecret": nil, "oauthClientEmail": "a@b", "oauthPrivateKey": hidden}, ErrPrivateKey, "field oauthPrivateKey: is not PEM"},
		"encrypted key":        {map[string]any{"oauthClientSecret": nil, "oauthClientEmail": "a@b", "oauthPrivateKey": fixture(t, "openssl/pbes2-aes-256-cbc.pem")}, ErrPrivateKey, "field oauthPrivateKey: is encrypted"},
		"no seconds":           {map[string]any{"oauthClientSecret": nil, "oauthClientEmail": "a@b", "oauthPrivateKey": idptest.PKCS8(t, key), "oauthTokenExpirationSeconds": "soon"}, ErrSecretInvalid, "is not a number of seconds"},
		"no CA":                {map[string]any{"oauthIdpCaCertificate": "x"}, ErrCertificate, "field oauthIdpCaCertificate: is not PEM"},
	} {
		_, _, err := resolveOAuth(oauthSecret(p, c.changes))
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// All refusals and failures of the token endpoint are distinguished, and nothing that was sent is repeated.
func TestTokenEndpointRefusals(t *testing.T) {
	p := provider(t)
	p.Scopes("read")
	right, wrong := must(rsa.GenerateKey(rand.Reader, 2048)), must(rsa.GenerateKey(rand.Reader, 2048))
	p.Email("a@b", &right.PublicKey)
	bearer := func(key *rsa.PrivateKey, email string) map[string]any {
		return map[string]any{"oauthClientSecret": nil, "oauthClientEmail": email, "oauthPrivateKey": idptest.PKCS8(t, key)}
	}
	page := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusTemporaryRedirect)
		case "/missing":
			http.NotFound(w, r)
		case "/busy":
			w.WriteHeader(http.StatusTooManyRequests)
		case "/mac":
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprint(w, `{"access_token":"t","token_type":"mac"}`)
		default:
			_, _ = fmt.Fprint(w, "<html>log in</html>")
		}
	}))
	defer page.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: page.Certificate().Raw}))
	at := func(path string) map[string]any {
		return map[string]any{"oauthTokenEndpointUrl": page.URL + path, "oauthIdpCaCertificate": ca}
	}
	for _, c := range []struct {
		name      string
		changes   map[string]any
		scope     string
		prepare   func()
		cause     Cause
		detail    string
		retryable bool
	}{
		{"wrong secret", map[string]any{"oauthClientSecret": "other-" + hidden}, "", nil, CauseTokenClient, "invalid_client: the secret REDACTED is wrong (HTTP 401)", false},
		{"wrong client", map[string]any{"oauthClientId": "stranger"}, "", nil, CauseTokenClient, "invalid_client: unknown client", false},
		{"scope", nil, "write", nil, CauseTokenScope, "invalid_scope", false},
		{"wrong key", bearer(wrong, "a@b"), "", nil, CauseTokenGrant, "invalid_grant: wrong signature in REDACTED", false},
		{"wrong email", bearer(right, "c@d"), "", nil, CauseTokenGrant, "unknown issuer", false},
		{"clock", bearer(right, "a@b"), "", func() { p.Skew(time.Hour) }, CauseTokenClock, "the endpoint's clock is 59m", false},
		{"clock behind", nil, "", func() { p.Skew(-time.Hour) }, CauseTokenClock, "had already expired when it arrived", false},
		{"away", nil, "", func() { p.Away(true) }, CauseTokenEndpoint, "HTTP 503", true},
		{"unknown CA", map[string]any{"oauthIdpCaCertificate": nil}, "", nil, CauseTokenCA, "certificate is not accepted", false},
		{"other CA", map[string]any{"oauthIdpCaCertificate": issue(nil, "other", asCA).pem()}, "", nil, CauseTokenCA, "certificate is not accepted", false},
		{"wrong name", map[string]any{"oauthTokenEndpointUrl": strings.Replace(p.URL, "127.0.0.1", "localhost", 1)}, "", nil, CauseTokenCA, "localhost", false},
		{"DNS", map[string]any{"oauthTokenEndpointUrl": "https://nowhere.invalid/token"}, "", nil, CauseTokenEndpoint, "cannot be resolved", true},
		{"refused", map[string]any{"oauthTokenEndpointUrl": "https://127.0.0.1:1/token"}, "", nil, CauseTokenEndpoint, "connection refused", true},
		{"not TLS", map[string]any{"oauthTokenEndpointUrl": strings.Replace(p.JWKS, "http://", "https://", 1)}, "", nil, CauseTokenEndpoint, "does not answer", true},
		{"a page", at("/"), "", nil, CauseTokenEndpoint, "not one that OAuth 2.0 defines", false},
		{"moved", at("/moved"), "", nil, CauseTokenEndpoint, "HTTP 307", false},
		{"missing", at("/missing"), "", nil, CauseTokenEndpoint, "HTTP 404", false},
		{"busy", at("/busy"), "", nil, CauseTokenEndpoint, "HTTP 429", true},
		{"of another type", at("/mac"), "", nil, CauseTokenEndpoint, `of type "MAC", not Bearer`, false},
	} {
		p.Skew(0)
		p.Away(false)
		if c.prepare != nil {
			c.prepare()
		}
		var options []SourceAccessConfiguration
		if c.scope != "" {
			options = []SourceAccessConfiguration{{OAuthBearerScope, c.scope}}
		}
		credentials, _, err := resolveOAuth(oauthSecret(p, c.changes), options...)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		token, err := credentials.Tokens.Token(t.Context())
		d := facts{Credentials: credentials}.classify(err)
		if err == nil || d.Cause != c.cause || !strings.Contains(d.Detail, c.detail) || d.Hint == "" || d.Retryable != c.retryable {
			t.Errorf("%s: %v, %v: %q, %q, %v", c.name, token, err, d.Cause, d.Detail, d.Retryable)
		}
		for form, text := range forms(err) {
			if strings.Contains(text, hidden) || strings.Contains(text, "eyJ") || form != "%T" && strings.Contains(text, "log in") {
				t.Errorf("%s as %s tells what was sent: %s", c.name, form, text)
			}
		}
	}
}

// Assertions are signed with each kind of key that JWT supports; any other kind is refused.
func TestAssertionKeys(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p521, p224 := must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	for name, key := range map[string]any{"EdDSA": ed, "ES256": newKey(), "ES512": p521, "": p224} {
		der := must(x509.MarshalPKCS8PrivateKey(key))
		o := &OAuth{TokenEndpointURL: "https://idp.example/token", ClientID: "c", ClientEmail: "a@b",
			PrivateKey: NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))}
		sign, err := newAssertions(o)
		if name == "" {
			if err == nil {
				t.Error("P-224 is taken")
			}
			continue
		}
		if err != nil {
			t.Fatal(name, err)
		}
		text := must(sign(time.Now()))
		if !strings.HasPrefix(text, "eyJ") || strings.Count(text, ".") != 2 || ClaimsOf(text).Subject != "a@b" || ClaimsOf(text).Audience[0] != o.TokenEndpointURL {
			t.Errorf("%s: %+v", name, ClaimsOf(text))
		}
	}
}

// Credentials with tokens allow no other login, compare by what makes tokens differ, and print without secrets.
func TestOAuthCredentials(t *testing.T) {
	p := provider(t)
	one, _, err := resolveOAuth(oauthSecret(p, nil))
	if err != nil {
		t.Fatal(err)
	}
	same, _, _ := resolveOAuth(oauthSecret(p, nil))
	other, _, _ := resolveOAuth(oauthSecret(p, map[string]any{"oauthClientSecret": "rotated"}))
	scoped, _, _ := resolveOAuth(oauthSecret(p, nil), SourceAccessConfiguration{OAuthBearerScope, "x"})
	pool, _, _ := resolveOAuth(oauthSecret(p, nil), SourceAccessConfiguration{OAuthBearerIdentityPool, "x"})
	if !one.Equal(same) || one.Equal(other) || one.Equal(scoped) || one.Equal(pool) || one.Equal(nil) {
		t.Error("what is equal is not, or the reverse")
	}
	if _, err := one.Tokens.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	token := one.Tokens.last
	for _, v := range []any{one, *one, one.Tokens, token, *token, &OAuth{ClientSecret: NewSecret(clientSecret)}} {
		for form, text := range forms(v) {
			if strings.Contains(text, hidden) || strings.Contains(text, token.Value.Reveal()[:20]) {
				t.Errorf("%T as %s tells the secret: %s", v, form, text)
			}
		}
	}
	if text := one.String(); !strings.Contains(text, p.URL) || !strings.Contains(text, "consumer") {
		t.Errorf("prints %s", text)
	}
	refused := facts{Credentials: one}.classify(&rdkafka.Error{Code: 58, Text: `SASL authentication failed: {"status":"invalid_token"}`})
	if refused.Cause != CauseToken || !strings.Contains(refused.Detail, `audience "kafka"`) || !strings.Contains(refused.Detail, `subject "consumer"`) {
		t.Errorf("%q: %s", refused.Cause, refused.Detail)
	}
	for name, c := range map[string]*Credentials{
		"no tokens":         {Protocol: ProtocolSASLSSL, Mechanism: MechanismOAuthBearer},
		"and a password":    {Protocol: ProtocolSASLSSL, Mechanism: MechanismOAuthBearer, Tokens: one.Tokens, Username: "u", Password: NewSecret("p")},
		"without TLS":       {Mechanism: MechanismOAuthBearer, Tokens: one.Tokens},
		"reserved":          {Protocol: ProtocolSASLSSL, Mechanism: MechanismOAuthBearer, Tokens: one.Tokens, Extensions: map[string]string{"auth": "x"}},
		"bad extension":     {Protocol: ProtocolSASLSSL, Mechanism: MechanismOAuthBearer, Tokens: one.Tokens, Extensions: map[string]string{"a": "x\x01y"}},
		"IAM without":       {Protocol: ProtocolSASLSSL, Mechanism: MechanismAWSMSKIAM, Tokens: one.Tokens},
		"SCRAM with tokens": {Protocol: ProtocolSASLSSL, Mechanism: MechanismSCRAMSHA256, Username: "u", Password: NewSecret("p"), Tokens: one.Tokens},
	} {
		if err := c.Validate(); !errors.Is(err, ErrInvalidCredentials) {
			t.Errorf("%s: %v", name, err)
		}
	}
	report, err := Check(t.Context(), NewStatic(map[string]string{"s": oauthSecret(p, nil)}), oauthConfigs())
	if err != nil || !strings.Contains(report.String(), "mechanism OAUTHBEARER, tokens of client \"consumer\" from "+p.URL) || p.Asked() != 1 {
		t.Errorf("%v, asked %d times: %s", err, p.Asked(), report)
	}
}
