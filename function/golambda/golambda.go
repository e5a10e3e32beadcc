// Package golambda runs an aws-lambda-go handler in this process, unchanged.
//
//	f, err := golambda.New(handler)   // what lambda.Start takes
//	…
//	err = esm.Run(ctx, mapping, f.Handle)
//
// The handler gets Lambda's JSON, and its answer means what it means on Lambda: see package function.
// lambdacontext.FromContext returns the request ID and the function's ARN; client context and Cognito identity are
// empty. The variables of lambdacontext (FunctionName and so on) belong to the process, not the function, and are set
// from the process's environment. A panic is a function error with Lambda's stack trace; the process goes on.
//
// Unlike on Lambda, handlers run concurrently: a handler must guard the state it keeps in package variables.
package golambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/handlertrace"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/esm-go/esm/function"
)

// Function is an aws-lambda-go handler. Its method Handle is an esm.Handler, and it is a function.Target. It is safe
// for concurrent use if the handler is.
type Function struct {
	*function.Caller
	handler lambda.Handler
	// ours reports whether the handler is aws-lambda-go's own, made from a func.
	ours    bool
	arn     string
	timeout time.Duration
}

// Option configures a Function.
type Option func(*settings)

type settings struct {
	name    string
	limit   int
	timeout time.Duration
	log     *slog.Logger
	lambda  []lambda.Option
}

// WithName sets the function's name, in any of Lambda's forms: for errors, the log, and lambdacontext's
// InvokedFunctionArn. Default "function".
func WithName(name string) Option { return func(s *settings) { s.name = name } }

// WithTimeout sets the function's timeout: the deadline of the handler's context. Default 0: only
// esm.WithInvocationTimeout applies. A handler that ignores its context keeps running.
func WithTimeout(d time.Duration) Option { return func(s *settings) { s.timeout = d } }

// WithPayloadLimit sets the maximum size of an event's JSON in bytes. Default 6 MB, as on Lambda; less than 0 is no
// limit.
func WithPayloadLimit(n int) Option { return func(s *settings) { s.limit = n } }

// WithLogger sets the logger; default slog.Default.
func WithLogger(l *slog.Logger) Option { return func(s *settings) { s.log = l } }

// WithOptions passes on options of lambda.StartWithOptions, such as lambda.WithUseNumber. Those that set the context
// (lambda.WithContext, lambda.WithContextValue) have no effect: the context is the invocation's.
func WithOptions(opts ...lambda.Option) Option {
	return func(s *settings) { s.lambda = append(s.lambda, opts...) }
}

// New makes a Function from a handler: a lambda.Handler, or a func with one of the signatures that lambda.Start
// documents. Anything else is an error.
func New(handler any, opts ...Option) (*Function, error) {
	s := settings{name: "function"}
	for _, o := range opts {
		o(&s)
	}
	name, err := function.ParseName(s.name)
	if err != nil {
		return nil, err
	}
	if s.timeout < 0 {
		return nil, fmt.Errorf("golambda: WithTimeout(%v): want 0 or more", s.timeout)
	}
	if err := check(handler); err != nil {
		return nil, fmt.Errorf("golambda: %w: give it what lambda.Start takes, such as func(context.Context, events.KafkaEvent) error", err)
	}
	h := lambda.NewHandlerWithOptions(handler, s.lambda...)
	f := &Function{handler: h, arn: name.ARN(), timeout: s.timeout, ours: true}
	if given, ok := handler.(lambda.Handler); ok && reflect.TypeOf(given) != reflect.TypeOf(h) {
		f.handler, f.ours = given, false
	}
	f.Caller = function.NewCaller(s.name, f, s.limit, s.log)
	return f, nil
}

// Ready returns nil.
func (f *Function) Ready(context.Context) error { return nil }

// Invoke calls the handler. It implements function.Invoker.
func (f *Function) Invoke(ctx context.Context, req function.Request) (answer function.Answer, err error) {
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	ctx = lambdacontext.NewContext(ctx, &lambdacontext.LambdaContext{AwsRequestID: req.ID, InvokedFunctionArn: f.arn})
	defer func() {
		if v := recover(); v != nil {
			answer, err = panicked(v), nil
		}
	}()
	payload, err := f.call(ctx, req.Payload)
	if err != nil {
		return failed(err), nil
	}
	return function.Answer{Payload: payload}, nil
}

// call invokes the handler and returns its answer.
//
// aws-lambda-go 1.55.1 returns the buffer of an answer to its pool before the caller reads it, so a concurrent
// invocation may overwrite it. call therefore captures the value that the handler returned and encodes it here. The
// exception is an io.Reader, which aws-lambda-go reads into a separate buffer.
func (f *Function) call(ctx context.Context, payload []byte) ([]byte, error) {
	if !f.ours {
		return f.handler.Invoke(ctx, payload)
	}
	var value any
	ctx = handlertrace.NewContext(ctx, handlertrace.HandlerTrace{ResponseEvent: func(_ context.Context, v any) { value = v }})
	answer, err := f.handler.Invoke(ctx, payload)
	if err != nil || value == nil {
		return nil, err // a handler without a result returns nil
	}
	encoded, err := json.Marshal(value)
	if _, ok := value.(io.Reader); ok && (err != nil || bytes.HasPrefix(encoded, []byte("{}"))) {
		return answer, nil //nolint:nilerr // a reader is not encoded: the answer is what it holds
	}
	return encoded, err
}

// body is Lambda's form of a function error.
type body struct {
	Message    string                                      `json:"errorMessage"`
	Type       string                                      `json:"errorType"`
	StackTrace []*messages.InvokeResponse_Error_StackFrame `json:"stackTrace,omitempty"`
}

func failed(err error) function.Answer {
	b := body{Message: err.Error(), Type: typeName(err)}
	if e, ok := errors.AsType[messages.InvokeResponse_Error](err); ok {
		b = body{e.Message, e.Type, e.StackTrace}
	}
	return answerOf(b, err)
}

func answerOf(b body, err error) function.Answer {
	payload, _ := json.Marshal(b) // strings and numbers only
	return function.Answer{FunctionError: function.Unhandled, Payload: payload, Err: err}
}

// typeName returns aws-lambda-go's name for the type of an error or of a panic value.
func typeName(v any) string {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}
