package esm_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awssm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/auth/secretsmanager"
	"github.com/esm-go/esm/internal/leaktest"
)

// TestBadSecrets runs mappings whose secret in AWS cannot be used: each error says specifically what is wrong, names
// the secret and what to do, and does not reveal its value. Temporary problems are retried; all others end Run.
func TestBadSecrets(t *testing.T) {
	t.Parallel()
	_, cert, _ := newAuthority(t).issue(t, "alice")
	const scram, mtls = auth.SASLSCRAM512Auth, auth.ClientCertificateTLSAuth
	password := leaktest.Password(t, "alice")
	fails := func(code, message string) map[string]any { return map[string]any{"__type": code, "message": message} }
	holds := func(text string) map[string]any { return map[string]any{"SecretString": text, "VersionId": "v"} }
	said := map[string]string{}
	for name, tc := range map[string]struct {
		kind   auth.SourceAccessType
		answer map[string]any
		is     error
		want   string
		hint   string
		code   auth.Code
		again  bool
	}{
		"missing":         {scram, fails("ResourceNotFoundException", "Secrets Manager can't find the specified secret."), auth.ErrSecretNotFound, "does not exist in eu-west-1", "check the name, the account and the region", auth.CodeConfigNotValid, false},
		"not JSON":        {scram, holds(password), auth.ErrSecretInvalid, "not a JSON object", "", auth.CodeConfigNotValid, false},
		"field missing":   {scram, holds(`{"username":"alice"}`), auth.ErrSecretInvalid, "field password: is missing", "add it", auth.CodeConfigNotValid, false},
		"wrong type":      {scram, holds(`{"username":"alice","password":["` + password + `"]}`), auth.ErrSecretInvalid, "field password: is a JSON array, not a string", "double quotes", auth.CodeConfigNotValid, false},
		"access denied":   {scram, fails("AccessDeniedException", "User is not authorized to perform: secretsmanager:GetSecretValue"), auth.ErrSecretAccessDenied, "may not be read by this process", "allow secretsmanager:GetSecretValue", auth.CodeConfigNotValid, false},
		"throttled":       {scram, fails("ThrottlingException", "Rate exceeded"), auth.ErrSecretThrottled, "was requested too often", "wait", "", true},
		"KMS refuses":     {scram, fails("AccessDeniedException", "Access to KMS is not allowed"), auth.ErrSecretKMS, "its KMS key refuses", "allow kms:Decrypt", auth.CodeConfigNotValid, false},
		"wrong region":    {scram, fails("ValidationException", "Invalid ARN: region does not match."), auth.ErrSecretWrongRegion, "is not a secret of region eu-west-1", "in its own region", auth.CodeConfigNotValid, false},
		"70 KB":           {scram, holds(strings.Repeat(leaktest.Mark+"!", 10_000)), auth.ErrSecretTooLarge, "has 70000 bytes, 65536 are allowed", "leave out", auth.CodeConfigNotValid, false},
		"empty password":  {scram, holds(`{"username":"alice","password":""}`), auth.ErrSecretInvalid, "field password: is empty", "", auth.CodeConfigNotValid, false},
		"no key":          {mtls, holds(asJSON(t, map[string]string{"certificate": cert})), auth.ErrSecretInvalid, "field privateKey: is missing", "add it; the secret has certificate", auth.CodeConfigNotValid, false},
		"not answering":   {scram, fails("InternalServiceError", "An error occurred on the server side."), auth.ErrSecretUnavailable, "Secrets Manager has an internal error", "try again", "", true},
		"without a value": {scram, map[string]any{"VersionId": "v"}, auth.ErrSecretInvalid, "has no value", "put one", auth.CodeConfigNotValid, false},
	} {
		t.Run(name, func(t *testing.T) {
			const arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:kafka-AbCdEf"
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if tc.answer["__type"] != nil {
					w.WriteHeader(http.StatusBadRequest)
				}
				_ = json.NewEncoder(w).Encode(tc.answer)
			}))
			defer server.Close()
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			store, err := secretsmanager.New(t.Context(), secretsmanager.WithConfig(aws.Config{BaseEndpoint: &server.URL,
				Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "x", ""), HTTPClient: &http.Client{Transport: transport}}),
				secretsmanager.WithClientOptions(func(o *awssm.Options) {
					o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) { r.MaxAttempts, r.MaxBackoff = 5, time.Millisecond })
				}))
			if err != nil {
				t.Fatal(err)
			}
			watch := leaktest.New(t)
			problems := make(chan esm.ErrorInfo, 100)
			runner, err := esm.New(esm.Mapping{
				FunctionName:               "f",
				SelfManagedEventSource:     esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: []string{"127.0.0.1:9"}}},
				Topics:                     []string{"orders"},
				SourceAccessConfigurations: []auth.SourceAccessConfiguration{{Type: tc.kind, URI: arn}},
			}, func(context.Context, esm.KafkaEvent) error { return nil },
				append(watch.Options(), esm.WithSecrets(store), esm.WithHooks(esm.Hooks{Error: func(i esm.ErrorInfo) { problems <- i }}))...)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- runner.Run(ctx) }()
			problem := <-problems
			status := runner.Status()
			if tc.again {
				cancel()
			}
			ended := <-done
			watch.Say(ended)
			watch.Say(status)
			var source *esm.SourceError
			if (ended == nil) != tc.again || !tc.again && (!errors.As(ended, &source) || !errors.Is(ended, tc.is)) {
				t.Errorf("Run: %v, want %v", ended, tc.is)
			}
			if d := problem.Diagnosis; d.Code != tc.code || d.Retryable != tc.again || !errors.Is(problem.Err, tc.is) || status.LastProcessingResult != "PROBLEM: "+d.Text {
				t.Errorf("%q, %+v", status.LastProcessingResult, d)
			}
			if s := runner.Status(); !tc.again && s.StateTransitionReason != string(tc.code) {
				t.Errorf("StateTransitionReason %q, want %q", s.StateTransitionReason, tc.code)
			}
			text := problem.Err.Error()
			if !strings.Contains(text, tc.want) || !strings.Contains(text, tc.hint) || !strings.Contains(text, `secret "`+arn+`"`) {
				t.Errorf("%q lacks %q, %q or the secret's name", text, tc.want, tc.hint)
			}
			if other := said[text]; other != "" {
				t.Errorf("the same message as %s: %s", other, text)
			}
			said[text] = name
		})
	}
}
