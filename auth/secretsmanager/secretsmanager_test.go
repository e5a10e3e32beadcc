package secretsmanager

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"go.uber.org/goleak"

	"github.com/esm-go/esm/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const region = "eu-west-1"

func arn(name string) string {
	return "arn:aws:secretsmanager:" + region + ":123456789012:secret:" + name
}

// answer is one answer of the server; for an API error, its type and message.
type answer struct {
	status  int
	kind    string
	message string
	body    map[string]any
	wait    bool // until the client goes away
}

// server answers GetSecretValue in AWS JSON 1.1.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	answers []answer // in turn; the last one repeats
	asked   []string // SecretId
	regions []string // of the signatures
}

func newServer(t *testing.T, answers ...answer) *server {
	s := &server{answers: answers}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ SecretId string }
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" {
		http.Error(w, "not GetSecretValue", http.StatusTeapot)
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, in.SecretId)
	if parts := strings.Split(r.Header.Get("Authorization"), "/"); len(parts) > 2 {
		s.regions = append(s.regions, parts[2])
	}
	a := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	s.mu.Unlock()
	if a.wait {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if a.status == 0 {
		a.status = http.StatusOK
	}
	out := a.body
	if a.kind != "" {
		out = map[string]any{"__type": a.kind, "message": a.message}
	}
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(out)
}

func (s *server) store(t *testing.T, opts ...Option) *Store {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	config := aws.Config{Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "wJalrXUtnFEMI", ""),
		HTTPClient: &http.Client{Transport: transport}}
	store, err := New(context.Background(), append([]Option{WithConfig(config), WithClientOptions(func(o *awssm.Options) {
		o.BaseEndpoint = aws.String(s.URL)
		// Do not wait between attempts.
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts = 3
			r.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	})}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestSecretStringAndBinary(t *testing.T) {
	text := `{"username":"alice","password":"hunter2hunter2"}`
	for name, body := range map[string]map[string]any{
		"string": {"SecretString": text, "VersionId": "v-1"},
		"binary": {"SecretBinary": base64.StdEncoding.EncodeToString([]byte(text)), "VersionId": "v-1"},
	} {
		s := newServer(t, answer{body: body})
		store := s.store(t)
		value, version, err := store.Secret(context.Background(), arn("kafka-AbCdEf"))
		if err != nil || string(value) != text || version != "v-1" {
			t.Errorf("%s: %q, %q, %v", name, value, version, err)
		}
		got, _, err := auth.Resolve(context.Background(), store, []auth.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: arn("kafka-AbCdEf")}})
		if err != nil || got.Username != "alice" || got.Password.Reveal() != "hunter2hunter2" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if s.asked[0] != arn("kafka-AbCdEf") || s.regions[0] != region {
			t.Errorf("%s: asked for %s in %s", name, s.asked, s.regions)
		}
	}
}

// Each refusal is distinguished, names the secret, and says what to do.
func TestErrors(t *testing.T) {
	fail := func(status int, kind, message string) answer {
		return answer{status: status, kind: kind, message: message}
	}
	texts := map[string]string{}
	for name, c := range map[string]struct {
		answer answer
		is     error
		want   string
		asks   int
	}{
		"missing":          {fail(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."), auth.ErrSecretNotFound, "does not exist in eu-west-1", 1},
		"denied":           {fail(400, "AccessDeniedException", "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: secretsmanager:GetSecretValue"), auth.ErrSecretAccessDenied, "allow secretsmanager:GetSecretValue", 1},
		"kms denied":       {fail(400, "AccessDeniedException", "Access to KMS is not allowed"), auth.ErrSecretKMS, "allow kms:Decrypt", 1},
		"kms disabled":     {fail(400, "DecryptionFailure", "Secrets Manager can't decrypt the protected secret text using the provided KMS key."), auth.ErrSecretKMS, "the key is enabled", 1},
		"throttled":        {fail(400, "ThrottlingException", "Rate exceeded"), auth.ErrSecretThrottled, "too often", 3},
		"deleted":          {fail(400, "InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."), auth.ErrSecretNotFound, "scheduled for deletion", 1},
		"invalid":          {fail(400, "InvalidParameterException", "Invalid name."), auth.ErrSecretInvalid, "not a name", 1},
		"region":           {fail(400, "ValidationException", "Invalid ARN: region does not match."), auth.ErrSecretWrongRegion, "not a secret of region eu-west-1", 1},
		"signature region": {fail(400, "InvalidSignatureException", "Credential should be scoped to a valid region, not 'eu-west-1'."), auth.ErrSecretWrongRegion, "not a secret of region eu-west-1", 1},
		"token":            {fail(400, "UnrecognizedClientException", "The security token included in the request is invalid."), auth.ErrSecretAccessDenied, "AWS credentials", 1},
		"expired":          {fail(400, "ExpiredTokenException", "The security token included in the request is expired"), auth.ErrSecretAccessDenied, "they are current", 1},
		"service":          {fail(500, "InternalServiceError", "An error occurred on the server side."), auth.ErrSecretUnavailable, "internal error", 3},
		"unknown, 503":     {fail(503, "Strange", "strange"), auth.ErrSecretUnavailable, "cannot be read now", 3},
		"unknown, 403":     {fail(403, "Strange", "strange"), auth.ErrSecretAccessDenied, "may not be read", 1},
		"unknown, 400":     {fail(400, "Strange", "strange"), auth.ErrSecretInvalid, "is refused (Strange)", 1},
		"no value":         {answer{body: map[string]any{"VersionId": "v"}}, auth.ErrSecretInvalid, "has no value", 1},
		"too large":        {answer{body: map[string]any{"SecretString": strings.Repeat("hunter2", 10_001)}}, auth.ErrSecretTooLarge, "70007 bytes", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, c.answer)
			value, _, err := s.store(t).Secret(context.Background(), arn("kafka"))
			var secret *auth.SecretError
			if !errors.Is(err, c.is) || !errors.As(err, &secret) || secret.URI != arn("kafka") || value != nil {
				t.Fatalf("error %v, want %v", err, c.is)
			}
			if text := err.Error(); !strings.Contains(text, c.want) || strings.Contains(text, "hunter2") || secret.Hint == "" {
				t.Errorf("error %q lacks %q", text, c.want)
			}
			// If no number is given, the SDK may retry by itself: about one in a hundred answers of 70 KB ends for it with "use
			// of closed network connection", which it considers temporary.
			if c.asks > 0 && len(s.asked) != c.asks {
				t.Errorf("asked %d times, want %d", len(s.asked), c.asks)
			}
			if before, same := texts[err.Error()]; same {
				t.Errorf("the same message as %s", before)
			}
			texts[err.Error()] = name
		})
	}
}

// A throttled request is retried.
func TestRetries(t *testing.T) {
	s := newServer(t, answer{status: 400, kind: "ThrottlingException"}, answer{status: 500, kind: "InternalServiceError"},
		answer{body: map[string]any{"SecretString": "{}", "VersionId": "v"}})
	if _, version, err := s.store(t).Secret(context.Background(), arn("kafka")); err != nil || version != "v" || len(s.asked) != 3 {
		t.Errorf("%q, %v after %d requests", version, err, len(s.asked))
	}
}

func TestTimeoutAndCancel(t *testing.T) {
	s := newServer(t, answer{wait: true})
	store := s.store(t, WithTimeout(20*time.Millisecond))
	if _, _, err := store.Secret(context.Background(), arn("kafka")); !errors.Is(err, auth.ErrSecretUnavailable) || !strings.Contains(err.Error(), "no answer within 20ms") {
		t.Errorf("timeout: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := store.Secret(ctx, arn("kafka")); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("cancelled: %v", err)
	}
	s.Close()
	if _, _, err := store.Secret(context.Background(), arn("kafka")); !errors.Is(err, auth.ErrSecretUnavailable) || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("nobody there: %v", err)
	}
}

// The region is the ARN's; for a name it is the option's, then the configuration's.
func TestRegion(t *testing.T) {
	for _, c := range []struct {
		uri, option, config, want string
	}{
		{arn("a"), "us-east-1", "us-east-2", region},
		{"arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:a", "", "", "us-gov-west-1"},
		{"arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a/b", "", "", "cn-north-1"},
		{"name", "us-east-1", "us-east-2", "us-east-1"}, {"name", "", "us-east-2", "us-east-2"},
		{"name", "", "", ""}, {"arn:aws:s3:::bucket", "us-east-1", "", ""}, {"arn:aws:secretsmanager:eu-west-1:12:secret:a", "us-east-1", "", ""},
	} {
		store, err := New(context.Background(), WithConfig(aws.Config{Region: c.config}), WithRegion(c.option))
		if err != nil {
			t.Fatal(err)
		}
		got, err := store.region(c.uri)
		if got != c.want || (err != nil) != (c.want == "") || err != nil && !errors.Is(err, auth.ErrSecretInvalid) {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

func TestNoCredentials(t *testing.T) {
	s := newServer(t, answer{})
	none := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("none") })
	store := s.store(t, WithClientOptions(func(o *awssm.Options) { o.Credentials = none }))
	if _, _, err := store.Secret(context.Background(), arn("kafka")); !errors.Is(err, auth.ErrSecretAccessDenied) || !strings.Contains(err.Error(), "no AWS credentials") {
		t.Error(err)
	}
}

// The default chain is the SDK's: environment, then shared files.
func TestDefaultChain(t *testing.T) {
	s := newServer(t, answer{body: map[string]any{"SecretString": "{}", "VersionId": "v"}})
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
	t.Setenv("AWS_REGION", "eu-north-1")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", s.URL)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	store, err := New(context.Background(), WithClientOptions(func(o *awssm.Options) { o.HTTPClient = &http.Client{Transport: transport} }))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Secret(context.Background(), "name"); err != nil || s.regions[0] != "eu-north-1" {
		t.Errorf("%v in %v", err, s.regions)
	}
}

// A store can be used by many goroutines and keeps one client per region.
func TestConcurrent(t *testing.T) {
	s := newServer(t, answer{body: map[string]any{"SecretString": "{}", "VersionId": "v"}})
	store := s.store(t)
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			uri := strings.Replace(arn("a"), region, fmt.Sprintf("eu-west-%d", i%3+1), 1)
			if _, _, err := store.Secret(context.Background(), uri); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if len(store.clients) != 3 {
		t.Errorf("%d clients", len(store.clients))
	}
}
