package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/esm-go/esm/auth"
)

// Option changes how the handler works.
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

// Credentials are what a client signs its requests with.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey auth.Secret
	// SessionToken, where not empty, must come with every request that is signed with these.
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

// WithCredentials adds credentials that requests may be signed with.
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

// WithoutAuthentication takes every request, signed or not. It is for handlers that only this machine reaches, or that
// stand behind an authentication of the service's own.
func WithoutAuthentication() Option { return optionFunc(func(o *options) { o.open = true }) }

// WithHosts sets the names by which the handler may be called, without ports; default localhost, 127.0.0.1 and ::1. A
// request with another Host is refused: it is a browser's, led here by a foreign name (DNS rebinding), or the name is
// missing in this list. "*" allows every name.
func WithHosts(names ...string) Option {
	return optionFunc(func(o *options) {
		o.hosts = nil
		for _, name := range names {
			o.hosts = append(o.hosts, hostName(name))
		}
	})
}

// WithForwardedHost takes the name by which a client called from X-Forwarded-Host where it is there. It is for handlers
// that are reached through a proxy alone, which sets or removes that header itself.
func WithForwardedHost() Option { return optionFunc(func(o *options) { o.forwarded = true }) }

// WithPlaintext allows mappings without SourceAccessConfigurations, which connect without authentication and without
// TLS. AWS refuses them, and so does the handler by default.
func WithPlaintext() Option { return optionFunc(func(o *options) { o.plaintext = true }) }

// WithMaxBodyBytes bounds a request's body; default 1 MiB.
func WithMaxBodyBytes(n int64) Option {
	return optionFunc(func(o *options) {
		if n < 1 {
			o.errs = append(o.errs, fmt.Errorf("api: WithMaxBodyBytes(%d): want 1 or more", n))
		}
		o.maxBody = n
	})
}

// WithMaxConcurrent bounds the requests that are worked on at a time; default 64. One more is answered with
// TooManyRequestsException, on which the AWS clients try again by themselves.
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

// hostName is a Host without its port and brackets, in lower case.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}
