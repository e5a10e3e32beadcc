// Package invoke invokes a function on AWS Lambda: the poller runs here, the function stays on Lambda.
//
//	cfg, err := config.LoadDefaultConfig(ctx)
//	…
//	f, err := invoke.New(lambda.NewFromConfig(cfg), "orders:live")
//	…
//	if err := f.Ready(ctx); err != nil { // is it there, active, and not slower than 14 minutes?
//		return err
//	}
//	err = esm.Run(ctx, mapping, f.Handle)
//
// The invocation is RequestResponse, as for an event source mapping on AWS. The client's identity needs
// lambda:InvokeFunction on the function, and lambda:GetFunctionConfiguration for Ready and the checks; without the
// latter nothing is checked.
//
// The SDK retries only connections that could not be made. The mapping retries everything that may have reached Lambda,
// within its limits. Throttles, service errors and a function that cannot be invoked use no attempt; function errors
// do.
//
// When the context of an invocation ends (a stop, a revocation, esm.WithInvocationTimeout), the function on Lambda runs
// to its end, and its records are invoked again.
package invoke

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/esm-go/esm/function"
)

// MaximumTimeout is the longest timeout of a function behind an event source mapping: 14 minutes.
const MaximumTimeout = 14 * time.Minute

// Client is the part of *lambda.Client that a Function needs.
type Client interface {
	Invoke(ctx context.Context, in *lambda.InvokeInput, opts ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
	GetFunctionConfiguration(ctx context.Context, in *lambda.GetFunctionConfigurationInput, opts ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error)
}

// Function is a function on AWS Lambda. Its method Handle is an esm.Handler, and it is a function.Target. It is safe
// for concurrent use.
type Function struct {
	*function.Caller
	client    Client
	name      string // without qualifier
	qualifier *string
	full      string
	interval  time.Duration
	log       *slog.Logger
	retry     func(*lambda.Options)

	// checking is held while the configuration is fetched.
	checking sync.Mutex
	// mu guards the fields below.
	mu        sync.Mutex
	checked   time.Time
	condition error
	unchecked bool // the check failed, and the log says so
}

// Option configures a Function.
type Option func(*settings)

type settings struct {
	log       *slog.Logger
	interval  time.Duration
	qualifier string
}

// WithLogger sets the logger. Default slog.Default. If debug lines are enabled, each invocation requests the tail of
// the function's log, and logs it at debug level.
func WithLogger(l *slog.Logger) Option { return func(s *settings) { s.log = l } }

// WithCheckInterval sets how often the function's configuration is checked while there is work. Default 1 minute; 0
// means only by Ready. While the configuration is not valid, it is checked every 5 s, or at the interval if that is
// shorter.
func WithCheckInterval(d time.Duration) Option { return func(s *settings) { s.interval = d } }

// WithQualifier sets the version or alias, if the name has none.
func WithQualifier(q string) Option { return func(s *settings) { s.qualifier = q } }

// New makes a Function from a name in any of Lambda's forms. It does no I/O.
func New(client Client, name string, opts ...Option) (*Function, error) {
	s := settings{interval: time.Minute}
	for _, o := range opts {
		o(&s)
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if client == nil {
		return nil, errors.New("invoke: the client is nil: give it lambda.NewFromConfig(cfg)")
	}
	n, err := function.ParseName(name)
	if err != nil {
		return nil, err
	}
	if s.interval < 0 {
		return nil, fmt.Errorf("invoke: WithCheckInterval(%v): want 0 (only by Ready) or more", s.interval)
	}
	if s.qualifier != "" {
		if n.Qualifier != "" && n.Qualifier != s.qualifier {
			return nil, fmt.Errorf("invoke: WithQualifier(%q): the name %s has a qualifier already", s.qualifier, name)
		}
		n.Qualifier = s.qualifier
		if n, err = function.ParseName(n.String()); err != nil {
			return nil, err
		}
	}
	if c, ok := client.(*lambda.Client); ok && n.Region != "" && c.Options().Region != n.Region {
		return nil, fmt.Errorf("invoke: function %s is in %s, and the client's region is %q: make it with config.WithRegion(%q)", name, n.Region, c.Options().Region, n.Region)
	}
	f := &Function{client: client, full: n.String(), interval: s.interval, log: s.log, retry: retryConnections()}
	if n.Qualifier != "" {
		f.qualifier = aws.String(n.Qualifier)
	}
	n.Qualifier = ""
	f.name = n.String()
	f.Caller = function.NewCaller(f.full, f, function.PayloadLimit, s.log)
	return f, nil
}

// Invoke invokes the function. It implements function.Invoker.
func (f *Function) Invoke(ctx context.Context, req function.Request) (function.Answer, error) {
	if err := f.check(ctx); err != nil {
		return function.Answer{}, err
	}
	in := &lambda.InvokeInput{FunctionName: &f.name, Qualifier: f.qualifier, Payload: req.Payload, InvocationType: types.InvocationTypeRequestResponse}
	debug := f.log.Enabled(ctx, slog.LevelDebug)
	if debug {
		in.LogType = types.LogTypeTail
	}
	out, err := f.client.Invoke(ctx, in, f.retry)
	if err != nil {
		return f.failed(err)
	}
	id, _ := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	if debug && out.LogResult != nil {
		if tail, err := base64.StdEncoding.DecodeString(*out.LogResult); err == nil {
			f.log.DebugContext(ctx, "the function's log", "function", f.full, "requestId", id, "tail", string(tail))
		}
	}
	return function.Answer{StatusCode: int(out.StatusCode), FunctionError: aws.ToString(out.FunctionError),
		ExecutedVersion: aws.ToString(out.ExecutedVersion), RequestID: id, Payload: out.Payload}, nil
}
