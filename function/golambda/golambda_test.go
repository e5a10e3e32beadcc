package golambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"go.uber.org/goleak"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/function"
	"github.com/esm-go/esm/function/golambda"
	"github.com/esm-go/esm/internal/functest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = golambda.WithLogger(slog.New(slog.DiscardHandler))

// failures is a partial batch response: aws-lambda-go has no type for Kafka's.
type failures struct {
	BatchItemFailures []failure `json:"batchItemFailures"`
}
type failure struct {
	ItemIdentifier esm.ItemID `json:"itemIdentifier"`
}

func failing(offset int64) failures {
	return failures{[]failure{{esm.ItemID{Partition: "t-0", Offset: offset}}}}
}

type raw struct{ answer string }

func (r raw) Invoke(_ context.Context, payload []byte) ([]byte, error) {
	if !json.Valid(payload) {
		return nil, errors.New("no JSON came")
	}
	return []byte(r.answer), nil
}

type custom struct{ io.Reader }

var errBad = errors.New("bad")

// Every signature that lambda.Start accepts, each in the form that reports one failed item if it can.
func TestSignatures(t *testing.T) {
	const one = `{"batchItemFailures":[{"itemIdentifier":{"partition":"t-0","offset":0}}]}`
	check := func(e events.KafkaEvent) error {
		if n := len(e.Records["t-0"]); n != 2 || e.Records["t-0"][1].Value != "Yg==" {
			return fmt.Errorf("got %+v", e)
		}
		return nil
	}
	for name, tc := range map[string]struct {
		handler any
		items   bool
	}{
		"func()":                  {func() {}, false},
		"func() error":            {func() error { return nil }, false},
		"func(TIn) error":         {check, false},
		"func(TIn)":               {func(events.KafkaEvent) {}, false},
		"func() (TOut, error)":    {func() (failures, error) { return failing(0), nil }, true},
		"func(TIn) (TOut, error)": {func(e events.KafkaEvent) (failures, error) { return failing(0), check(e) }, true},
		"func(ctx)":               {func(context.Context) {}, false},
		"func(ctx) error":         {func(context.Context) error { return nil }, false},
		"func(ctx) (TOut, error)": {func(context.Context) (*failures, error) { f := failing(0); return &f, nil }, true},
		"func(ctx, TIn)":          {func(context.Context, events.KafkaEvent) {}, false},
		"func(ctx, TIn) error":    {func(_ context.Context, e events.KafkaEvent) error { return check(e) }, false},
		"func(ctx, TIn) (TOut, e)": {func(_ context.Context, e esm.KafkaEvent) (any, error) {
			return failing(e.Records["t-0"][0].Offset), nil
		}, true},
		"func(any)":             {func(any) error { return nil }, false},
		"func(json.RawMessage)": {func(context.Context, json.RawMessage) (json.RawMessage, error) { return json.RawMessage(one), nil }, true},
		"reader":                {func() (io.Reader, error) { return strings.NewReader(one), nil }, true},
		"custom reader":         {func() (custom, error) { return custom{strings.NewReader(one)}, nil }, false},
		"nil answer":            {func() (*failures, error) { return nil, nil }, false},
		"lambda.Handler":        {raw{one}, true},
		"lambda.NewHandler":     {lambda.NewHandler(func() (failures, error) { return failing(0), nil }), true},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := golambda.New(tc.handler, quiet)
			if err != nil {
				t.Fatal(err)
			}
			m := esm.Mapping{MaximumRetryAttempts: new(0), FunctionResponseTypes: []esm.FunctionResponseType{esm.ReportBatchItemFailures}}
			m.Topics = []string{"t"}
			r := esmtest.Invoke(t, m, f.Handle, esmtest.Values("a", "b")...)
			want := 0
			if tc.items {
				want = 1
			}
			if len(r.Dropped) != want || r.Attempts != 1 || !tc.items && r.Err != nil {
				t.Errorf("%d attempts, %d given up, want %d: %v", r.Attempts, len(r.Dropped), want, r.Err)
			}
			if want == 1 && len(r.Dropped) == 1 && len(r.Dropped[0].Records) != 1 {
				t.Errorf("given up: %d records", len(r.Dropped[0].Records))
			}
		})
	}
}

func TestNotHandlers(t *testing.T) {
	for want, h := range map[string]any{
		"nil":             nil,
		"not a func":      3,
		"nil func":        (func())(nil),
		"3 arguments":     func(context.Context, int, int) {},
		"first is not":    func(int, int) {},
		"an interface":    func(io.Reader) {},
		"returns 3":       func() (int, int, error) { return 0, 0, nil },
		"does not return": func() int { return 0 },
		"last value":      func() (error, int) { return nil, 0 }, //nolint:staticcheck // it is what is tested
	} {
		if _, err := golambda.New(h); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T: %v, want %q", h, err, want)
		}
	}
	if _, err := golambda.New(func() {}, golambda.WithName("arn:aws:sqs:a:b:c")); err == nil || !strings.Contains(err.Error(), "sqs") {
		t.Error(err)
	}
	if _, err := golambda.New(func() {}, golambda.WithTimeout(-1)); err == nil {
		t.Error("a negative timeout was taken")
	}
}

func TestContext(t *testing.T) {
	var lc *lambdacontext.LambdaContext
	var left time.Duration
	f, err := golambda.New(func(ctx context.Context, _ events.KafkaEvent) {
		lc, _ = lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
	}, golambda.WithName("orders:blue"), golambda.WithTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Handle(t.Context(), esmtest.Event("t", esmtest.Values("a")...)); err != nil {
		t.Fatal(err)
	}
	if lc == nil || len(lc.AwsRequestID) != 36 || lc.InvokedFunctionArn != "arn:aws:lambda:us-east-1:000000000000:function:orders:blue" ||
		lc.ClientContext.Custom != nil || lc.Identity.CognitoIdentityID != "" {
		t.Errorf("context %+v", lc)
	}
	if left <= 0 || left > time.Minute {
		t.Errorf("%v are left", left)
	}
	if err := f.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	e := esmtest.Event("t", esmtest.Values("a")...)
	for name, tc := range map[string]struct {
		handler any
		text    string
	}{
		"error":   {func() error { return errBad }, "errorString: bad"},
		"wrapped": {func() error { return fmt.Errorf("no: %w", errBad) }, "wrapError: no: bad"},
		"pointer": {func() error { return &os.PathError{Op: "open", Path: "p", Err: errBad} }, "PathError: open p: bad"},
		"panic":   {func() { panic(errBad) }, "errorString: bad"},
		"text":    {func() { panic("oh") }, "string: oh"},
		"nil map": {func(context.Context) { var m map[int]int; m[0] = 1 }, "assignment to entry in nil map"}, //nolint:govet,staticcheck // it is to panic
		"own":     {func() error { return messages.InvokeResponse_Error{Type: "Mine", Message: "m"} }, "Mine: m"},
		"decode":  {func(int) {}, "UnmarshalTypeError"},
		"encode":  {func() (any, error) { return make(chan int), nil }, "UnsupportedTypeError"},
		"handler": {raw{"oops"}, "not JSON"},
	} {
		f, err := golambda.New(tc.handler, quiet)
		if err != nil {
			t.Fatal(err)
		}
		err = f.Handle(t.Context(), e)
		if err == nil || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v, want %q", name, err, tc.text)
		}
		if fe, ok := errors.AsType[*function.Error](err); ok {
			if (name == "panic" || name == "text") && (len(fe.StackTrace) == 0 || !strings.Contains(fe.StackTrace[0], "golambda_test.go")) {
				t.Errorf("%s: the stack begins with %q", name, fe.StackTrace)
			}
			if (name == "error" || name == "wrapped" || name == "panic") && !errors.Is(err, errBad) {
				t.Errorf("%s: the error is not found in %v", name, err)
			}
		} else if name != "handler" {
			t.Errorf("%s: %T", name, err)
		}
	}
}

// A handler that knows esm can return errors that Lambda does not have.
func TestPermanent(t *testing.T) {
	f, err := golambda.New(func() error { return esm.Permanent(errBad) }, quiet)
	if err != nil {
		t.Fatal(err)
	}
	m := esm.Mapping{Topics: []string{"t"}}
	if r := esmtest.Invoke(t, m, f.Handle, esmtest.Values("a")...); r.Attempts != 1 || len(r.Dropped) != 1 {
		t.Errorf("%d attempts, dropped %v", r.Attempts, r.Dropped)
	}
}

// Concurrent answers do not mix, although aws-lambda-go reuses the buffers from which it returns them: each invocation
// reports its own offset as failed. A wrapper around aws-lambda-go's handler is not safe in this way.
func TestConcurrentAnswers(t *testing.T) {
	for name, h := range map[string]any{
		"func":    func(e esm.KafkaEvent) (failures, error) { return failing(e.Records["t-0"][0].Offset), nil },
		"handler": lambda.NewHandler(func(e esm.KafkaEvent) (failures, error) { return failing(e.Records["t-0"][0].Offset), nil }),
	} {
		f, err := golambda.New(h, quiet)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				e := esmtest.Event("t", esmtest.Values("a")...)
				e.Records["t-0"][0].Offset = int64(i) * 1111111
				want := esm.ItemFailures(esm.ItemID{Partition: "t-0", Offset: int64(i) * 1111111}).Error()
				for range 300 {
					if err := f.Handle(t.Context(), e); err == nil || err.Error() != want {
						t.Errorf("%s: got %v, want %s", name, err, want)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestIgnoredItemsAreLogged(t *testing.T) {
	var log bytes.Buffer
	f, err := golambda.New(func() (failures, error) { return failing(0), nil }, golambda.WithName("orders"), golambda.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Handle(event.WithInvocation(t.Context(), &event.Invocation{}), esmtest.Event("t", esmtest.Values("a")...)); err != nil {
			t.Error(err)
		}
	}
	if strings.Count(log.String(), "batchItemFailures") != 1 || !strings.Contains(log.String(), "function=orders") {
		t.Errorf("log %s", &log)
	}
}

// The mapping's guarantees: see functest.Invariants.
func TestInvariants(t *testing.T) {
	for _, batch := range []int{1, 5} {
		dir := t.TempDir()
		f, err := golambda.New(functest.Journal(dir, func() { panic("die") }), quiet)
		if err != nil {
			t.Fatal(err)
		}
		functest.Invariants(t, dir, f.Handle, batch, "fail", "item", "die")
	}
}
