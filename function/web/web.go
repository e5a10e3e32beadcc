// Package web invokes a function over HTTP: a function container or the runtime interface emulator, which accept the
// event at /2015-03-31/functions/function/invocations, or any URL that accepts Lambda's event as a POST.
//
//	f, err := web.New("http://localhost:9000/2015-03-31/functions/function/invocations")
//	…
//	err = esm.Run(ctx, mapping, f.Handle)
//
// What an answer means:
//
//	2xx                       the body is the function's answer, see package function
//	… X-Amz-Function-Error    the body is a function error
//	429, 503 with Retry-After esm.Throttled around a *function.ThrottleError: no attempt is used
//	413                       esm.Permanent: no retry makes the event smaller
//	any other status          the batch failed (*function.StatusError)
//	no connection             the function was not reached: no attempt is used
//	timeout, connection lost  the batch failed: the function may have run
//
// The emulator answers a function error with 200 and a body of errorType and errorMessage. Such a body is a function
// error if the URL ends in /invocations, or with WithErrorBody.
//
// TLS, proxies, headers and authentication belong to the http.Client: see WithClient. Redirects are followed only if
// they keep the POST and its body (307, 308).
package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/esm-go/esm/function"
)

// Function is a function behind a URL. Its method Handle is an esm.Handler, and it is a function.Target. It is safe for
// concurrent use.
type Function struct {
	*function.Caller
	url   string
	set   settings
	slots chan struct{} // nil means no bound
	limit int64
}

// Option configures a Function.
type Option func(*settings)

type settings struct {
	name        string
	client      *http.Client
	timeout     time.Duration
	concurrency int
	payload     int
	errorBody   *bool
	log         *slog.Logger
}

// WithName sets the function's name, for errors and the log. Default: the URL's host.
func WithName(name string) Option { return func(s *settings) { s.name = name } }

// WithClient sets the client. By default the Function has its own client, which keeps connections alive.
func WithClient(c *http.Client) Option { return func(s *settings) { s.client = c } }

// WithTimeout bounds an invocation, from sending the request to the last byte of the answer. Default 15 minutes,
// Lambda's longest. The client's own Timeout applies too.
func WithTimeout(d time.Duration) Option { return func(s *settings) { s.timeout = d } }

// WithConcurrency bounds the concurrent requests; the emulator needs 1. Further requests wait, and WithTimeout does not
// include that wait. Default 0: only the mapping's concurrent invocations bound them.
func WithConcurrency(n int) Option { return func(s *settings) { s.concurrency = n } }

// WithPayloadLimit sets the maximum size of an event's JSON, and of an answer, in bytes. Default 6 MB, as on Lambda.
// Less than 0 means no limit for the event, and 1 GiB for the answer.
func WithPayloadLimit(n int) Option { return func(s *settings) { s.payload = n } }

// WithErrorBody sets whether a body with errorType and errorMessage is a function error even if the status is 200 and
// the header X-Amz-Function-Error is missing. Default: true if the URL's path ends in /invocations.
func WithErrorBody(on bool) Option { return func(s *settings) { s.errorBody = &on } }

// WithLogger sets the logger; default slog.Default.
func WithLogger(l *slog.Logger) Option { return func(s *settings) { s.log = l } }

// New makes a Function for an http or https URL. It does no I/O.
func New(address string, opts ...Option) (*Function, error) {
	s := settings{timeout: 15 * time.Minute}
	for _, o := range opts {
		o(&s)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("web: the URL cannot be parsed: want http://host:port/path") // url.Error quotes it, with a password
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("web: the URL %s: want http://host:port/path or https://host/path", u.Redacted())
	case s.timeout <= 0:
		return nil, fmt.Errorf("web: WithTimeout(%v): want more than 0", s.timeout)
	case s.concurrency < 0:
		return nil, fmt.Errorf("web: WithConcurrency(%d): want 0 (no bound) or more", s.concurrency)
	}
	if s.name == "" {
		s.name = u.Host
	}
	if s.errorBody == nil {
		s.errorBody = new(strings.HasSuffix(u.Path, "/invocations"))
	}
	if s.payload == 0 {
		s.payload = function.PayloadLimit
	}
	if s.client == nil {
		s.client = &http.Client{Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConns:        1024,
			MaxIdleConnsPerHost: 1024, // with the default of 2, all other connections close after each request
			IdleConnTimeout:     90 * time.Second,
			ForceAttemptHTTP2:   true,
		}}
	}
	f := &Function{url: address, set: s, limit: int64(s.payload)}
	if f.limit < 0 {
		f.limit = 1 << 30
	}
	if s.concurrency > 0 {
		f.slots = make(chan struct{}, s.concurrency)
	}
	f.Caller = function.NewCaller(s.name, f, s.payload, s.log)
	return f, nil
}

// Ready returns nil: only an invocation shows whether the function is there.
func (f *Function) Ready(context.Context) error { return nil }

// CloseIdleConnections closes the client's connections that are not in use.
func (f *Function) CloseIdleConnections() { f.set.client.CloseIdleConnections() }

// Invoke posts one request. It implements function.Invoker.
func (f *Function) Invoke(ctx context.Context, req function.Request) (function.Answer, error) {
	if f.slots != nil {
		select {
		case f.slots <- struct{}{}:
			defer func() { <-f.slots }()
		case <-ctx.Done():
			return function.Answer{}, fmt.Errorf("%w: %w", function.ErrNotInvoked, context.Cause(ctx))
		}
	}
	timed, cancel := context.WithTimeoutCause(ctx, f.set.timeout, fmt.Errorf("web: no whole answer within %v", f.set.timeout))
	defer cancel()
	r, err := http.NewRequestWithContext(timed, http.MethodPost, f.url, bytes.NewReader(req.Payload))
	if err != nil {
		return function.Answer{}, fmt.Errorf("web: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Amzn-Requestid", req.ID)
	response, err := f.set.client.Do(r)
	if err != nil {
		return function.Answer{}, f.failed(timed, err)
	}
	defer func() { _ = response.Body.Close() }()                        // the body was only read
	if q := response.Request; q != nil && q.Method != http.MethodPost { // nil from a RoundTripper that does not set it
		return function.Answer{}, fmt.Errorf("web: function %s redirects with a status that makes a GET of the POST, so the event did not arrive: give the URL that it redirects to", f.set.name)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, f.limit+1))
	if err != nil {
		return function.Answer{}, f.failed(timed, err)
	}
	answer := function.Answer{StatusCode: response.StatusCode, Payload: body, FunctionError: response.Header.Get("X-Amz-Function-Error"),
		ExecutedVersion: response.Header.Get("X-Amz-Executed-Version"), RetryAfter: retryAfter(response.Header.Get("Retry-After"), time.Now())}
	if int64(len(body)) > f.limit {
		return function.Answer{StatusCode: response.StatusCode, FunctionError: function.Unhandled,
			Payload: fmt.Appendf(nil, `{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (%d bytes)."}`, f.limit)}, nil
	}
	if *f.set.errorBody && answer.FunctionError == "" && response.StatusCode == http.StatusOK && function.LooksLikeError(body) {
		answer.FunctionError = function.Unhandled
	}
	return answer, nil
}

// failed returns the error for a failed request: if no connection was made, the function was not invoked.
func (f *Function) failed(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // url.Error repeats the URL, which may hold a password
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return fmt.Errorf("web: %w: %w", function.ErrNotInvoked, err)
	}
	return fmt.Errorf("web: the request broke off: %w", err)
}

// retryAfter reads a Retry-After header, in seconds or as a date. It returns 0 if it is neither.
func retryAfter(header string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(header); err == nil {
		return time.Duration(min(max(n, 0), 86_400)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
