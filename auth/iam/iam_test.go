package iam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	kaws "github.com/twmb/franz-go/pkg/sasl/aws"
	"go.uber.org/goleak"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/idptest"
	"github.com/esm-go/esm/internal/kafkatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	accessKey = "AKIDEXAMPLE"
	secretKey = "s3cr3t-secret-access-key"
	session   = "s3cr3t-session-token+/=="
)

func newSigner(t *testing.T, region, token string, opts ...Option) *Signer {
	t.Helper()
	s, err := New(t.Context(), append([]Option{WithConfig(aws.Config{Region: region, Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, token),
		Retryer: func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 1) }})}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A verifier written from AWS's description of signatures accepts challenge and token, with and without a session
// token, and refuses another key, region or session.
func TestSignatures(t *testing.T) {
	for _, token := range []string{"", session} {
		s := newSigner(t, "eu-west-1", token)
		challenge, err := s.Challenge(t.Context(), "kafka.example.com")
		if err != nil {
			t.Fatal(err)
		}
		bearer, err := s.MSKToken(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(bearer.Expires); left < 14*time.Minute || left > 15*time.Minute {
			t.Errorf("the token ends in %v", left)
		}
		right := kafkatest.IAM{Region: "eu-west-1", AccessKey: accessKey, Secret: secretKey, SessionToken: token}
		for name, c := range map[string]struct {
			change func(*kafkatest.IAM)
			want   string
		}{
			"right":   {func(*kafkatest.IAM) {}, ""},
			"key":     {func(i *kafkatest.IAM) { i.Secret = "x" }, "signature does not match"},
			"region":  {func(i *kafkatest.IAM) { i.Region = "us-east-1" }, ""},
			"session": {func(i *kafkatest.IAM) { i.SessionToken = "x" }, "session token"},
			"late":    {func(i *kafkatest.IAM) { i.Skew = time.Hour }, "Signature expired"},
			"early":   {func(i *kafkatest.IAM) { i.Skew = -time.Hour }, "not yet current"},
		} {
			broker := right
			c.change(&broker)
			for kind, err := range map[string]error{"challenge": broker.Challenge(challenge), "token": broker.Token(bearer.Value.Reveal())} {
				if (err == nil) != (name == "right") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s, %s: %v", name, kind, err)
				}
			}
		}
	}
}

// franz-go's own challenge, which Amazon MSK is known to accept, equals ours in every field if it knows the region.
func TestChallengeIsFranzs(t *testing.T) {
	const host = "b-1.cluster.abc.c2.kafka.eu-west-1.amazonaws.com"
	for _, region := range []string{"eu-west-1", ""} {
		for try := range 5 {
			ours, err := newSigner(t, region, session).Challenge(t.Context(), host)
			if err != nil {
				t.Fatal(err)
			}
			_, theirs, err := kaws.Auth{AccessKey: accessKey, SecretKey: secretKey, SessionToken: session, UserAgent: userAgent}.AsManagedStreamingIAMMechanism().
				Authenticate(t.Context(), host+":9098")
			if err != nil {
				t.Fatal(err)
			}
			var a, b map[string]string
			if err := errors.Join(json.Unmarshal(ours, &a), json.Unmarshal(theirs, &b)); err != nil {
				t.Fatal(err)
			}
			if a["x-amz-date"] != b["x-amz-date"] && try < 4 {
				continue // created in two different seconds
			}
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("ours   %v\ntheirs %v", a, b)
			}
			break
		}
	}
	if _, err := newSigner(t, "", "").Challenge(t.Context(), "kafka.example.com"); auth.Classify(err).Cause != auth.CauseIAM || !strings.Contains(auth.Classify(err).Hint, "AWS_REGION") {
		t.Errorf("no region: %v", err)
	}
}

// stsStub answers GetWebIdentityToken with tokens that a broker can check.
func stsStub(t *testing.T, idp *idptest.Provider, refuse func(w http.ResponseWriter) bool) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		if refuse != nil && refuse(w) {
			return
		}
		if err := r.ParseForm(); err != nil || r.PostForm.Get("Action") != "GetWebIdentityToken" || r.PostForm.Get("SigningAlgorithm") != "RS256" {
			http.Error(w, "another request", http.StatusBadRequest)
			return
		}
		expires := time.Now().Add(5 * time.Minute)
		token, err := idp.Sign(map[string]any{"iss": "https://sts.test", "sub": "arn:aws:iam::123456789012:role/consumer",
			"aud": r.PostForm.Get("Audience.member.1"), "iat": time.Now().Unix(), "exp": expires.Unix()})
		if err != nil {
			t.Error(err)
		}
		_, _ = fmt.Fprintf(w, `<GetWebIdentityTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetWebIdentityTokenResult>`+
			`<WebIdentityToken>%s</WebIdentityToken><Expiration>%s</Expiration></GetWebIdentityTokenResult></GetWebIdentityTokenResponse>`,
			token, expires.UTC().Format(time.RFC3339))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func atSTS(url string) Option {
	return WithSTSOptions(func(o *sts.Options) {
		o.BaseEndpoint = &url
		o.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	})
}

// STS's tokens are for the audience, and its refusals are distinguished, without what was signed.
func TestWebIdentityToken(t *testing.T) {
	idp := idptest.New(t)
	token, err := newSigner(t, "eu-west-1", session, atSTS(stsStub(t, idp, nil))).WebIdentityToken(t.Context(), "orders-cluster")
	if err != nil {
		t.Fatal(err)
	}
	claims, err := idp.Claims(token.Value.Reveal())
	if err != nil || claims["aud"] != "orders-cluster" || token.Claims.Subject != "arn:aws:iam::123456789012:role/consumer" || time.Until(token.Expires) < 4*time.Minute {
		t.Errorf("%v, %v, %+v", err, claims, token)
	}
	for name, c := range map[string]struct {
		status     int
		code, text string
		skew       time.Duration
		cause      auth.Cause
		hint       string
		retryable  bool
	}{
		"denied":      {403, "AccessDenied", "User is not authorized to perform: sts:GetWebIdentityToken", 0, auth.CauseIAM, "allow sts:GetWebIdentityToken", false},
		"federation":  {400, "OutboundWebIdentityFederationDisabled", "disabled", 0, auth.CauseIAM, "outbound web identity federation", false},
		"expired":     {403, "ExpiredToken", "The security token included in the request is expired", 0, auth.CauseIAM, "are current", false},
		"clock":       {403, "SignatureDoesNotMatch", "Signature not yet current\nThe Canonical String was x-amz-security-token:" + session, time.Hour, auth.CauseTokenClock, "clock", false},
		"other key":   {403, "SignatureDoesNotMatch", "The Canonical String was x-amz-security-token:" + session, 0, auth.CauseIAM, "credentials", false},
		"throttled":   {400, "ThrottlingException", "Rate exceeded", 0, auth.CauseTokenEndpoint, "request is repeated", true},
		"unavailable": {503, "ServiceUnavailable", "", 0, auth.CauseTokenEndpoint, "request is repeated", true},
	} {
		url := stsStub(t, idp, func(w http.ResponseWriter) bool {
			w.Header().Set("Date", time.Now().Add(c.skew).UTC().Format(http.TimeFormat))
			w.WriteHeader(c.status)
			_, _ = fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", c.code, c.text)
			return true
		})
		_, err := newSigner(t, "eu-west-1", session, atSTS(url)).WebIdentityToken(t.Context(), "a")
		d := auth.Classify(err)
		if d.Cause != c.cause || !strings.Contains(d.Hint, c.hint) || d.Retryable != c.retryable || !strings.Contains(d.Detail, c.code) {
			t.Errorf("%s: %v: %q, %q", name, err, d.Cause, d.Hint)
		}
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "s3cr3t") {
			t.Errorf("%s tells the session token: %s", name, text)
		}
	}
	if _, err := newSigner(t, "eu-west-1", "", atSTS("http://127.0.0.1:1")).WebIdentityToken(t.Context(), "a"); !auth.Classify(err).Retryable {
		t.Errorf("nobody there: %v", err)
	}
	empty, err := New(t.Context(), WithConfig(aws.Config{Region: "eu-west-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, io.EOF
	})}))
	if err != nil {
		t.Fatal(err)
	}
	_, err1 := empty.WebIdentityToken(t.Context(), "a")
	_, err2 := empty.Challenge(t.Context(), "h")
	for _, err := range []error{err1, err2} {
		if d := auth.Classify(err); d.Cause != auth.CauseIAM || !strings.Contains(d.Hint, "give this process AWS credentials") {
			t.Errorf("no credentials: %v: %q", err, d.Hint)
		}
	}
}

// Resolve sets the credentials of the types that have no secret, and reports what is missing without a signer.
func TestResolve(t *testing.T) {
	s := newSigner(t, "eu-west-1", session)
	for _, c := range []struct {
		configs   []auth.SourceAccessConfiguration
		mechanism auth.SASLMechanism
	}{
		{[]auth.SourceAccessConfiguration{{Type: auth.IAMAuth}}, auth.MechanismAWSMSKIAM},
		{[]auth.SourceAccessConfiguration{{Type: auth.IAMOAuthBearerAuth}, {Type: auth.OAuthBearerAudience, URI: "kafka"}}, auth.MechanismOAuthBearer},
	} {
		got, _, err := auth.Resolve(t.Context(), auth.WithIAM(nil, s), c.configs)
		if err != nil || got.Protocol != auth.ProtocolSASLSSL || got.Mechanism != c.mechanism || got.Tokens == nil {
			t.Errorf("%v, %v", got, err)
			continue
		}
		again, _, _ := auth.Resolve(t.Context(), auth.WithIAM(nil, newSigner(t, "eu-west-1", "")), c.configs)
		other, _, _ := auth.Resolve(t.Context(), auth.WithIAM(nil, newSigner(t, "us-east-1", "")), c.configs)
		if !got.Equal(again) || got.Equal(other) {
			t.Error("what is equal is not, or the reverse")
		}
		if text := fmt.Sprintf("%v %+v %#v", got, *got, got); strings.Contains(text, "s3cr3t") || strings.Contains(text, accessKey) {
			t.Errorf("prints %s", text)
		}
		if _, _, err := auth.Resolve(t.Context(), nil, c.configs); err == nil || !strings.Contains(err.Error(), "auth.WithIAM") {
			t.Errorf("without a signer: %v", err)
		}
	}
}
