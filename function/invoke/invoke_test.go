package invoke_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"go.uber.org/goleak"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/function"
	"github.com/esm-go/esm/function/invoke"
	"github.com/esm-go/esm/internal/functest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = invoke.WithLogger(slog.New(slog.DiscardHandler))

func mapping(attempts int) esm.Mapping {
	return esm.Mapping{FunctionName: "orders", Topics: []string{"t"}, MaximumRetryAttempts: new(attempts),
		FunctionResponseTypes: []esm.FunctionResponseType{esm.ReportBatchItemFailures}}
}

// client returns the SDK's client for the Lambda API at url.
func client(t *testing.T, url string) *lambda.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return lambda.New(lambda.Options{Region: "us-east-1", BaseEndpoint: &url, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "hunter2", "")})
}

func TestRequest(t *testing.T) {
	for name, path := range map[string]string{
		"orders":      "/2015-03-31/functions/orders/invocations",
		"orders:live": "/2015-03-31/functions/orders/invocations?Qualifier=live",
		"arn:aws:lambda:us-east-1:123456789012:function:orders:$LATEST": "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aorders/invocations?Qualifier=%24LATEST",
	} {
		d := &double{}
		var got []byte
		d.invoke = func(w http.ResponseWriter, _ *http.Request, b []byte) { got = b }
		f := serve(t, d, name)
		e := esmtest.Event("t", esmtest.Values("a")...)
		if err := f.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		want, _ := json.Marshal(e)
		if r := d.requests()[0]; r.RequestURI != path || r.Header.Get("X-Amz-Invocation-Type") != "RequestResponse" || r.Header.Get("X-Amz-Log-Type") == "Tail" || !bytes.Equal(got, want) {
			t.Errorf("%s: %s %v %s", name, r.RequestURI, r.Header, got)
		}
	}
}

func TestFunctionError(t *testing.T) {
	d := &double{invoke: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		w.Header().Set("X-Amz-Executed-Version", "7")
		_, _ = io.WriteString(w, `{"errorMessage":"bad","errorType":"ValueError","stackTrace":["a"]}`)
	}}
	f := serve(t, d, "orders")
	r := esmtest.Invoke(t, mapping(2), f.Handle, esmtest.Values("a")...)
	fe, ok := errors.AsType[*function.Error](r.Err)
	if !ok || fe.Type != "ValueError" || fe.ExecutedVersion != "7" || fe.StatusCode != http.StatusOK || fe.RequestID != "11111111-2222-4333-8444-555555555555" {
		t.Errorf("%#v", r.Err)
	}
	// The SDK's own retries are off: the mapping counts the invocations that Lambda sees.
	if r.Attempts != 3 || len(r.Dropped) != 1 || len(d.requests()) != 3 {
		t.Errorf("%d attempts, %d requests, dropped %v", r.Attempts, len(d.requests()), r.Dropped)
	}
}

// The effect of each of Lambda's errors on a record with one retry.
func TestServiceErrors(t *testing.T) {
	for _, tc := range []struct {
		kind         string
		status       int
		counts, gone bool   // uses attempts; given up at once
		config       string // text of the *ConfigError
	}{
		{"TooManyRequestsException", 429, false, false, ""},
		{"ServiceException", 500, false, false, ""},
		{"RequestTooLargeException", 413, false, true, ""},
		{"InvalidRequestContentException", 400, true, false, ""},
		{"ResourceNotFoundException", 404, false, false, "does not exist"},
		{"AccessDeniedException", 403, false, false, "lambda:InvokeFunction"},
		{"ExpiredTokenException", 403, false, false, "credentials"},
		{"UnrecognizedClientException", 403, false, false, "credentials"},
		{"ResourceNotReadyException", 502, false, false, "ResourceNotReadyException"},
		{"KMSAccessDeniedException", 502, false, false, "KMSAccessDeniedException"},
		{"InvalidRuntimeException", 502, false, false, "InvalidRuntimeException"},
		{"EFSMountTimeoutException", 408, false, false, "EFSMountTimeoutException"},
		{"SomethingNew", 500, false, false, ""},
		{"SomethingNew", 400, false, false, "SomethingNew"},
	} {
		t.Run(fmt.Sprint(tc.kind, tc.status), func(t *testing.T) {
			d := &double{invoke: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
				fault(tc.status, tc.kind, "Retry-After", "7")(w)
			}}
			f := serve(t, d, "orders")
			r := esmtest.Invoke(t, mapping(1), f.Handle, esmtest.Values("a")...)
			switch {
			case tc.gone:
				if r.Attempts != 1 || len(r.Dropped) != 1 || !errors.Is(r.Err, function.ErrPayloadTooLarge) {
					t.Errorf("%d attempts, dropped %v, %v", r.Attempts, r.Dropped, r.Err)
				}
			case tc.counts:
				if r.Attempts != 2 || len(r.Dropped) != 1 {
					t.Errorf("%d attempts, dropped %v, %v", r.Attempts, r.Dropped, r.Err)
				}
			case r.Attempts < 3 || len(r.Dropped) != 0 || r.Metrics.ThrottleCount != int64(r.Attempts):
				t.Errorf("%d attempts, dropped %v, %v", r.Attempts, r.Dropped, r.Err)
			}
			ce, ok := errors.AsType[*function.ConfigError](r.Err)
			if ok != (tc.config != "") || ok && !strings.Contains(ce.Reason, tc.config) {
				t.Errorf("%v, want %q", r.Err, tc.config)
			}
			if len(d.requests()) != r.Attempts {
				t.Errorf("%d requests for %d attempts", len(d.requests()), r.Attempts)
			}
			if te, ok := errors.AsType[*function.ThrottleError](r.Err); ok != (tc.status == 429) || ok && te.RetryAfter != 7*time.Second {
				t.Errorf("%v", r.Err)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", r.Err, r.Err), "hunter2") {
				t.Error("the secret key is in the error")
			}
		})
	}
}

// A connection that cannot be made is retried by the SDK, and uses no attempt. A connection that breaks uses one.
func TestConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	f, err := invoke.New(client(t, "http://"+l.Addr().String()), "orders", quiet, invoke.WithCheckInterval(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Handle(t.Context(), esmtest.Event("t", esmtest.Values("a")...)); !errors.Is(err, function.ErrNotInvoked) || !strings.Contains(err.Error(), "3") {
		t.Errorf("got %v", err)
	}
	d := &double{invoke: func(http.ResponseWriter, *http.Request, []byte) { panic(http.ErrAbortHandler) }}
	f = serve(t, d, "orders")
	r := esmtest.Invoke(t, mapping(1), f.Handle, esmtest.Values("a")...)
	if r.Attempts != 2 || len(r.Dropped) != 1 || len(d.requests()) != 2 || errors.Is(r.Err, function.ErrNotInvoked) {
		t.Errorf("%d attempts, %d requests: %v", r.Attempts, len(d.requests()), r.Err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(esm.ErrStopping)
	if err := f.Handle(ctx, esmtest.Event("t", esmtest.Values("a")...)); !errors.Is(err, esm.ErrStopping) {
		t.Errorf("got %v", err)
	}
	none := lambda.New(lambda.Options{Region: "us-east-1", BaseEndpoint: aws.String("http://127.0.0.1:1"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("no credentials here")
		})})
	if f, err = invoke.New(none, "orders", quiet); err != nil {
		t.Fatal(err)
	}
	if err := f.Handle(t.Context(), esmtest.Event("t", esmtest.Values("a")...)); !errors.Is(err, function.ErrNotInvoked) || !strings.Contains(err.Error(), "no credentials here") {
		t.Errorf("got %v", err)
	}
}

func TestCheck(t *testing.T) {
	for config, want := range map[string]string{
		`{"State":"Active","Timeout":840}`:               "",
		`{"State":"Inactive","Timeout":3}`:               "",
		`{"Timeout":3}`:                                  "",
		`{"State":"Pending","StateReason":"being made"}`: "State is Pending, not Active: being made",
		`{"State":"Failed","StateReason":"no subnet"}`:   "no subnet",
		`{"State":"Active","Timeout":841}`:               "14m1s",
	} {
		d := &double{config: func(w http.ResponseWriter) { _, _ = io.WriteString(w, config) }}
		f := serve(t, d, "orders")
		err := f.Ready(t.Context())
		ce, ok := errors.AsType[*function.ConfigError](err)
		if ok != (want != "") || ok && (!strings.Contains(ce.Reason, want) || ce.Code() != esm.ReasonFunctionConfigNotValid) || (f.Condition() == nil) == ok {
			t.Errorf("%s: %v", config, err)
		}
		err = f.Handle(t.Context(), esmtest.Event("t", esmtest.Values("a")...))
		if (err == nil) == ok || len(d.requests()) > 0 == ok {
			t.Errorf("%s: an invocation: %v, %d requests", config, err, len(d.requests()))
		}
	}
	// A function that does not exist.
	d := &double{config: fault(404, "ResourceNotFoundException")}
	f := serve(t, d, "orders")
	if err := f.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Error(err)
	}
	// Without the permission to check, the function is invoked anyway, and that is logged once.
	var log bytes.Buffer
	d = &double{config: fault(403, "AccessDeniedException")}
	f = serve(t, d, "orders", invoke.WithLogger(slog.New(slog.NewTextHandler(&log, nil))), invoke.WithCheckInterval(1))
	for range 3 {
		if err := f.Handle(t.Context(), esmtest.Event("t", esmtest.Values("a")...)); err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(log.String(), "lambda:GetFunctionConfiguration"); n != 1 || d.looks != 3 {
		t.Errorf("told %d times of %d looks: %s", n, d.looks, &log)
	}
}

// The tail of the function's log is requested and logged only at debug level.
func TestLogTail(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo} {
		var log bytes.Buffer
		d := &double{invoke: func(w http.ResponseWriter, r *http.Request, _ []byte) {
			if r.Header.Get("X-Amz-Log-Type") == "Tail" {
				w.Header().Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString([]byte("START\nhello\nEND")))
			}
		}}
		f := serve(t, d, "orders", invoke.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level}))))
		if err := f.Handle(t.Context(), esmtest.Event("t", esmtest.Values("a")...)); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Contains(log.String(), "hello"), level == slog.LevelDebug; got != want {
			t.Errorf("%v: log %s", level, &log)
		}
	}
}

func TestBadInput(t *testing.T) {
	c := client(t, "http://127.0.0.1:1")
	for want, build := range map[string]func() (*invoke.Function, error){
		"client is nil": func() (*invoke.Function, error) { return invoke.New(nil, "orders") },
		"ARN of sqs":    func() (*invoke.Function, error) { return invoke.New(c, "arn:aws:sqs:us-east-1:123456789012:q") },
		"is in eu-west-1": func() (*invoke.Function, error) {
			return invoke.New(c, "arn:aws:lambda:eu-west-1:123456789012:function:orders")
		},
		"WithCheckInterval": func() (*invoke.Function, error) { return invoke.New(c, "orders", invoke.WithCheckInterval(-1)) },
		"has a qualifier":   func() (*invoke.Function, error) { return invoke.New(c, "orders:1", invoke.WithQualifier("2")) },
		"function's name":   func() (*invoke.Function, error) { return invoke.New(c, "orders", invoke.WithQualifier("a b")) },
	} {
		if _, err := build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// The mapping's guarantees, with a Lambda that throttles and whose function fails: see functest.Invariants.
func TestInvariants(t *testing.T) {
	for _, batch := range []int{1, 5} {
		dir := t.TempDir()
		handle := functest.Journal(dir, func() { panic(http.ErrAbortHandler) })
		n := 0
		f := serve(t, &double{invoke: func(w http.ResponseWriter, _ *http.Request, body []byte) {
			if n++; n%5 == 0 {
				fault(429, "TooManyRequestsException")(w)
				return
			}
			var e esm.KafkaEvent
			if err := json.Unmarshal(body, &e); err != nil {
				t.Error(err)
			}
			answer, err := handle(e)
			if err != nil {
				w.Header().Set("X-Amz-Function-Error", "Unhandled")
				_, _ = io.WriteString(w, `{"errorType":"E","errorMessage":"m"}`)
				return
			}
			_ = json.NewEncoder(w).Encode(answer)
		}}, "orders")
		functest.Invariants(t, dir, f.Handle, batch, "fail", "item", "die")
	}
}
