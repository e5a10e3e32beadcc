package console

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/esm-go/esm/auth"
)

// Option configures the console.
type Option interface{ apply(*options) }

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

type options struct {
	logger    *slog.Logger
	prefix    string
	hosts     []string
	forwarded bool
	readOnly  bool
	plaintext bool
	functions []string
	secrets   auth.Secrets
	errs      []error
}

func newOptions(opts []Option) *options {
	o := &options{logger: slog.Default(), hosts: []string{"localhost", "127.0.0.1", "::1"}}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(o)
		}
	}
	return o
}

// WithPrefix sets the path under which the console is mounted, such as "/console"; default "", the root. The handler
// expects the full path: mount it without http.StripPrefix.
func WithPrefix(path string) Option {
	return optionFunc(func(o *options) {
		path = strings.TrimSuffix(path, "/")
		if path != "" && !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "{}?#% ") {
			o.errs = append(o.errs, fmt.Errorf("console: WithPrefix(%q): want a path such as /console", path))
		}
		o.prefix = path
	})
}

// WithReadOnly rejects every change, and connection tests, with 403. The pages do not offer them.
func WithReadOnly() Option { return optionFunc(func(o *options) { o.readOnly = true }) }

// WithPlaintext allows mappings without SourceAccessConfigurations, as api.WithPlaintext does. By default they are
// rejected.
func WithPlaintext() Option { return optionFunc(func(o *options) { o.plaintext = true }) }

// WithFunctions sets the function names that the form suggests; default none.
func WithFunctions(names ...string) Option {
	return optionFunc(func(o *options) { o.functions = names })
}

// WithSecrets sets where connection tests, samples and position resets read secrets: the same place as the Runners'
// (esm.WithSecrets). Default none: mappings with secrets then cannot be tested, sampled or reset.
func WithSecrets(s auth.Secrets) Option {
	return optionFunc(func(o *options) {
		if s == nil {
			o.errs = append(o.errs, errors.New("console: WithSecrets: the secrets are nil"))
		}
		o.secrets = s
	})
}

// WithHosts sets the host names by which the console may be called, without ports; default localhost, 127.0.0.1 and
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

// WithForwardedHost reads the host that a browser called from X-Forwarded-Host, if present. It is for consoles that can
// only be reached through a proxy that sets or removes that header.
func WithForwardedHost() Option { return optionFunc(func(o *options) { o.forwarded = true }) }

// WithLogger sets the logger; default slog.Default(). The console logs each change that a user makes.
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
