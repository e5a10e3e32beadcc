package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/esm-go/esm/auth"
)

// Option configures the handler.
type Option interface{ apply(*options) }

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

type options struct {
	logger        *slog.Logger
	credentials   map[string]Credentials
	open          bool
	hosts         []string
	forwarded     bool
	plaintext     bool
	maxBody       int64
	maxConcurrent int
	errs          []error
}

// Credentials are the credentials with which a client signs its requests.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey auth.Secret
	// SessionToken, if not empty, must accompany every request signed with these credentials.
	SessionToken auth.Secret
}

func newOptions(opts []Option) *options {
	o := &options{
		logger: slog.Default(), credentials: make(map[string]Credentials), maxBody: 1 << 20, maxConcurrent: 64,
		hosts: []string{"localhost", "127.0.0.1", "::1"},
	}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(o)
		}
	}
	switch {
	case o.open && len(o.credentials) > 0:
		o.errs = append(o.errs, errors.New("api: WithCredentials and WithoutAuthentication exclude each other"))
	case !o.open && len(o.credentials) == 0:
		o.errs = append(o.errs, errors.New("api: no credentials: give WithCredentials, or, where nobody else can reach the handler, WithoutAuthentication"))
	}
	return o
}

// WithCredentials adds credentials with which requests may be signed.
func WithCredentials(credentials ...Credentials) Option {
	return optionFunc(func(o *options) {
		for _, c := range credentials {
			if c.AccessKeyID == "" || c.SecretAccessKey.Reveal() == "" {
				o.errs = append(o.errs, fmt.Errorf("api: WithCredentials: %q: both AccessKeyID and SecretAccessKey are needed", c.AccessKeyID))
				continue
			}
			o.credentials[c.AccessKeyID] = c
		}
	})
}

// WithoutAuthentication accepts every request, signed or not. It is for handlers that only this machine can reach, or
// that are behind the service's own authentication.
func WithoutAuthentication() Option { return optionFunc(func(o *options) { o.open = true }) }

// WithHosts sets the host names by which the handler may be called, without ports; default localhost, 127.0.0.1 and
// ::1. A request with another Host is rejected: either a foreign name has led a browser here (DNS rebinding), or the
// name is missing in this list. "*" allows every name.
func WithHosts(names ...string) Option {
	return optionFunc(func(o *options) {
		o.hosts = nil
		for _, name := range names {
			o.hosts = append(o.hosts, hostName(name))
		}
	})
}

// WithForwardedHost reads the host that a client called from X-Forwarded-Host, if present. It is for handlers that can
// only be reached through a proxy that sets or removes that header.
func WithForwardedHost() Option { return optionFunc(func(o *options) { o.forwarded = true }) }

// WithPlaintext allows mappings without SourceAccessConfigurations, which connect without authentication and without
// TLS. AWS rejects them, and so does the handler by default.
func WithPlaintext() Option { return optionFunc(func(o *options) { o.plaintext = true }) }

// WithMaxBodyBytes limits the size of a request's body; default 1 MiB.
func WithMaxBodyBytes(n int64) Option {
	return optionFunc(func(o *options) {
		if n < 1 {
			o.errs = append(o.errs, fmt.Errorf("api: WithMaxBodyBytes(%d): want 1 or more", n))
		}
		o.maxBody = n
	})
}

// WithMaxConcurrent limits the number of concurrent requests; default 64. Further requests are answered with
// TooManyRequestsException, on which the AWS clients retry.
func WithMaxConcurrent(n int) Option {
	return optionFunc(func(o *options) {
		if n < 1 {
			o.errs = append(o.errs, fmt.Errorf("api: WithMaxConcurrent(%d): want 1 or more", n))
		}
		o.maxConcurrent = max(n, 1)
	})
}

// WithLogger sets the logger; default slog.Default().
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(o *options) {
		if l != nil {
			o.logger = l
		}
	})
}

// hostName returns a Host without port and brackets, in lower case.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}
