package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/api"
	"github.com/esm-go/esm/manager/store/memory"
)

const sessionToken = "session-token-of-the-test"

// signed is a request as an AWS client signs it. A test then modifies it.
type signed struct {
	method, path, body string
	at                 time.Time
	region, service    string
	credentials        aws.Credentials
}

func (r *rig) signed(s signed, change func(*http.Request)) (int, string) {
	r.t.Helper()
	request, err := http.NewRequest(s.method, r.url+s.path, strings.NewReader(s.body))
	if err != nil {
		r.t.Fatal(err)
	}
	if s.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	sum := sha256.Sum256([]byte(s.body))
	if err := v4.NewSigner().SignHTTP(context.Background(), s.credentials, request, hex.EncodeToString(sum[:]), s.service, s.region, s.at); err != nil {
		r.t.Fatal(err)
	}
	if change != nil {
		change(request)
	}
	status, header, _ := r.do(request)
	return status, header.Get("X-Amzn-Errortype")
}

func TestSignatures(t *testing.T) {
	r := newRig(t, api.WithCredentials(
		api.Credentials{AccessKeyID: testKey, SecretAccessKey: auth.NewSecret(testSecret)},
		api.Credentials{AccessKeyID: "ASIATEMPORARY", SecretAccessKey: auth.NewSecret(testSecret), SessionToken: auth.NewSecret(sessionToken)},
	), api.WithHosts("127.0.0.1", "esm.example.com"), api.WithForwardedHost())
	long := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
	temporary := aws.Credentials{AccessKeyID: "ASIATEMPORARY", SecretAccessKey: testSecret, SessionToken: sessionToken}
	good := func() signed {
		return signed{"GET", mappings + "?MaxItems=5&Marker=", "", time.Now(), testRegion, "lambda", long}
	}
	post := func() signed {
		s := good()
		s.method, s.path, s.body = "PUT", mappings+"/11111111-2222-4333-8444-555555555555", `{"BatchSize":5}`
		return s
	}
	for name, c := range map[string]struct {
		make   func() signed
		change func(*http.Request)
		status int
		error  string
	}{
		"good":             {good, nil, 200, ""},
		"good with a body": {post, nil, 404, "ResourceNotFoundException"},
		"with a token":     {func() signed { s := good(); s.credentials = temporary; return s }, nil, 200, ""},
		"path escaped":     {func() signed { s := good(); s.path = "/2017-03-31/tags/a%3Ab%20c"; return s }, nil, 400, "ValidationException"},
		"behind a proxy": {good, func(q *http.Request) {
			q.Header.Set("X-Forwarded-Host", q.Host)
			q.Host = "internal:8080"
		}, 200, ""},

		"not signed": {good, func(q *http.Request) { q.Header.Del("Authorization") }, 403, "MissingAuthenticationTokenException"},
		"basic":      {good, func(q *http.Request) { q.SetBasicAuth("a", "b") }, 403, "IncompleteSignatureException"},
		"twice":      {good, func(q *http.Request) { q.Header.Add("Authorization", "x") }, 403, "IncompleteSignatureException"},
		"no signature": {good, func(q *http.Request) {
			q.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host")
		}, 403, "IncompleteSignatureException"},
		"short scope": {good, func(q *http.Request) {
			q.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=x")
		}, 403, "IncompleteSignatureException"},
		"no date":           {good, func(q *http.Request) { q.Header.Del("X-Amz-Date") }, 403, "IncompleteSignatureException"},
		"wrong secret":      {func() signed { s := good(); s.credentials.SecretAccessKey = "x"; return s }, nil, 403, "InvalidSignatureException"},
		"unknown key":       {func() signed { s := good(); s.credentials.AccessKeyID = "x"; return s }, nil, 403, "UnrecognizedClientException"},
		"without its token": {func() signed { s := good(); s.credentials = temporary; s.credentials.SessionToken = ""; return s }, nil, 403, "UnrecognizedClientException"},
		"a foreign token":   {func() signed { s := good(); s.credentials.SessionToken = "x"; return s }, nil, 403, "UnrecognizedClientException"},
		"six minutes old":   {func() signed { s := good(); s.at = s.at.Add(-6 * time.Minute); return s }, nil, 403, "InvalidSignatureException"},
		"six minutes ahead": {func() signed { s := good(); s.at = s.at.Add(6 * time.Minute); return s }, nil, 403, "InvalidSignatureException"},
		"another Region":    {func() signed { s := good(); s.region = "eu-west-1"; return s }, nil, 403, "InvalidSignatureException"},
		"another service":   {func() signed { s := good(); s.service = "s3"; return s }, nil, 403, "InvalidSignatureException"},
		"another body":      {post, func(q *http.Request) { q.Body = io.NopCloser(strings.NewReader(`{"BatchSize":6}`)) }, 403, "InvalidSignatureException"},
		"another query":     {good, func(q *http.Request) { q.URL.RawQuery = "MaxItems=6&Marker=" }, 403, "InvalidSignatureException"},
		"another path":      {good, func(q *http.Request) { q.URL.Path += "/x" }, 403, "InvalidSignatureException"},
		"another method":    {good, func(q *http.Request) { q.Method = "DELETE" }, 403, "InvalidSignatureException"},
		"another host":      {good, func(q *http.Request) { q.Host = "esm.example.com" }, 403, "InvalidSignatureException"},
		"another type":      {post, func(q *http.Request) { q.Header.Set("Content-Type", "application/json; charset=utf-8") }, 403, "InvalidSignatureException"},
		"unsigned header":   {good, func(q *http.Request) { q.Header.Set("X-Amz-Meta", "x") }, 403, "InvalidSignatureException"},
		"unsigned payload":  {good, func(q *http.Request) { q.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, 403, "InvalidSignatureException"},
		"presigned":         {good, func(q *http.Request) { q.URL.RawQuery += "&X-Amz-Signature=x" }, 403, "IncompleteSignatureException"},
		"host not signed": {good, func(q *http.Request) {
			q.Header.Set("Authorization", strings.Replace(q.Header.Get("Authorization"), "host;", "", 1))
		}, 403, "InvalidSignatureException"},
	} {
		t.Run(name, func(t *testing.T) {
			if status, kind := r.signed(c.make(), c.change); status != c.status || kind != c.error {
				t.Errorf("%d %s, want %d %s", status, kind, c.status, c.error)
			}
		})
	}
}

// TestBrowser: requests that a page of another origin can make a browser send are rejected.
func TestBrowser(t *testing.T) {
	r := newRig(t, api.WithoutAuthentication())
	for name, c := range map[string]struct {
		header []string
		status int
	}{
		"none":           {nil, 200},
		"own origin":     {[]string{"Origin", r.url}, 200},
		"foreign origin": {[]string{"Origin", "https://evil.example"}, 403},
		"null origin":    {[]string{"Origin", "null"}, 403},
		"rebound name":   {[]string{"Host", "evil.example"}, 403},
		"another site":   {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
	} {
		if status, _, _ := r.call("GET", mappings, "", c.header...); status != c.status {
			t.Errorf("%s: %d", name, status)
		}
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"} {
		if status, _, _ := r.call("POST", mappings, body(nil), "Content-Type", kind); status != http.StatusUnsupportedMediaType {
			t.Errorf("%q: %d", kind, status)
		}
	}
}

func TestBounds(t *testing.T) {
	r := newRig(t, api.WithoutAuthentication())
	if status, header, _ := r.call("POST", mappings, strings.Repeat(" ", 10<<20)); status != 413 || header.Get("X-Amzn-Errortype") != "RequestTooLargeException" {
		t.Errorf("10 MB: %d %v", status, header)
	}
	if status, _, _ := r.call("POST", mappings, strings.Repeat("[", 100_000)); status != 400 {
		t.Errorf("nested: %d", status)
	}
}

// TestTooMany: a request above the limit is told to retry.
func TestTooMany(t *testing.T) {
	r := newRig(t, api.WithoutAuthentication(), api.WithMaxConcurrent(1))
	reader, writer := io.Pipe()
	began := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		request, _ := http.NewRequest(http.MethodPost, r.url+mappings, reader)
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
	}()
	go func() {
		_, _ = writer.Write([]byte("{")) // returns once the client has read it
		close(began)
	}()
	<-began
	within(t, "TooManyRequestsException", func() bool {
		status, header, answer := r.call("GET", mappings, "")
		if status == 200 {
			return false
		}
		if status != 429 || header.Get("Retry-After") == "" || answer["Reason"] != "CallerRateLimitExceeded" || header.Get("X-Amzn-Errortype") != "TooManyRequestsException" {
			t.Errorf("%d %v %v", status, header, answer)
		}
		return true
	})
	_ = writer.Close()
	<-ended
}

func TestNew(t *testing.T) {
	m, err := manager.New(memory.New(), manager.Handlers{})
	if err != nil {
		t.Fatal(err)
	}
	c := api.WithCredentials(api.Credentials{AccessKeyID: "a", SecretAccessKey: auth.NewSecret("the-secret")})
	for name, opts := range map[string][]api.Option{
		"nothing": nil, "both": {c, api.WithoutAuthentication()}, "half": {api.WithCredentials(api.Credentials{AccessKeyID: "a"})}, "body": {c, api.WithMaxBodyBytes(0)}, "places": {c, api.WithMaxConcurrent(0)},
	} {
		if _, err := api.New(m, opts...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	h, err := api.New(m, c)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v", h, h, api.Credentials{SecretAccessKey: auth.NewSecret("the-secret")}); strings.Contains(text, "the-secret") {
		t.Error("the secret is printed")
	}
}

// FuzzRequest: whatever the request, nothing panics, bad input is never a server error, every error has AWS's form, and
// no secret is returned.
func FuzzRequest(f *testing.F) {
	f.Add("POST", mappings, body(nil))
	f.Add("POST", mappings, body(map[string]any{"StartingPositionTimestamp": 1e300, "StartingPosition": "AT_TIMESTAMP"}))
	f.Add("PUT", mappings+"/11111111-2222-4333-8444-555555555555", `{"ProvisionedPollerConfig":{},"FilterCriteria":null}`)
	f.Add("GET", mappings+"?Marker=%FF&MaxItems=99999999999999999999", "")
	f.Add("DELETE", "/2017-03-31/tags/arn%3A?tagKeys=%", "")
	f.Add("POST", "/2017-03-31/tags/"+accountARN+"event-source-mapping:11111111-2222-4333-8444-555555555555", `{"Tags":{"a":1}}`)
	f.Add("GET", "/2015-03-31/functions/..%2f..", "\x00")
	f.Add("POST", mappings, body(map[string]any{"SourceAccessConfigurations": []map[string]string{{"Type": "BASIC_AUTH", "URI": secretARN}}, "Tags": map[string]string{"a": "b"}}))
	f.Add("POST", mappings, `{"FunctionName":"orders","FunctionName":"x","UUID":"../../etc/passwd","Topics":[null,{}]}`)
	quiet := slog.New(slog.DiscardHandler)
	broker := esmtest.NewBroker(nil)
	broker.CreateTopic("topic", 1)
	const kafkaPassword = "kafka-password-of-the-test"
	m, err := manager.New(memory.New(), manager.Handlers{"orders": func(context.Context, esm.KafkaEvent) error { return nil }}, manager.WithLogger(quiet),
		manager.WithARN(manager.ARN{Account: "111111111111"}), manager.WithRunnerOptions(esm.WithDriver(broker.Driver()), esm.WithStopTimeout(time.Second),
			esm.WithSecrets(auth.NewStatic(map[string]string{secretARN: `{"username":"alice","password":"` + kafkaPassword + `"}`}))))
	if err != nil {
		f.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	f.Cleanup(func() {
		stop()
		<-ended
	})
	<-m.Ready()
	h, err := api.New(m, api.WithoutAuthentication(), api.WithHosts("*"), api.WithPlaintext(), api.WithLogger(quiet))
	if err != nil {
		f.Fatal(err)
	}
	closed, err := api.New(m, api.WithCredentials(api.Credentials{AccessKeyID: testKey, SecretAccessKey: auth.NewSecret(testSecret)}), api.WithHosts("*"), api.WithLogger(quiet))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, path, text string) {
		ask := func(h http.Handler) *httptest.ResponseRecorder {
			request, err := http.NewRequest(method, "http://localhost"+path, strings.NewReader(text))
			if err != nil {
				t.Skip()
			}
			request.Header.Set("Content-Type", "application/json")
			request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+testKey+"/"+path+", SignedHeaders="+method+", Signature="+text)
			response := httptest.NewRecorder()
			h.ServeHTTP(response, request)
			answer := response.Body.String()
			if response.Code >= 500 || response.Code >= 400 && (response.Header().Get("X-Amzn-Errortype") == "" || !strings.HasPrefix(answer, "{")) {
				t.Errorf("%s %q %q: %d %v %s", method, path, text, response.Code, response.Header(), answer)
			}
			for _, secret := range []string{testSecret, kafkaPassword} {
				if strings.Contains(answer+fmt.Sprint(response.Header()), secret) && !strings.Contains(path+text, secret) {
					t.Errorf("%s %q %q: a secret comes back: %v %s", method, path, text, response.Header(), answer)
				}
			}
			return response
		}
		if response := ask(closed); response.Code < 400 {
			t.Errorf("%s %q %q: let in without a signature: %d", method, path, text, response.Code)
		}
		if ask(h); method != http.MethodPost {
			return
		}
		all, _ := m.List(manager.Filter{})
		for _, d := range all { // delete what was created, to keep the number small
			_, _ = m.Delete(t.Context(), d.Mapping.UUID)
		}
	})
}
