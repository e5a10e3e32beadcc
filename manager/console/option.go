package console

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/esm-go/esm/auth"
)

// Option changes how the console works.
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

// WithPrefix sets the path under which the console is mounted, such as "/console"; default "", the root. The handler is
// given whole paths: mount it without http.StripPrefix.
func WithPrefix(path string) Option {
	return optionFunc(func(o *options) {
		path = strings.TrimSuffix(path, "/")
		if path != "" && !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "{}?#% ") {
			o.errs = append(o.errs, fmt.Errorf("console: WithPrefix(%q): want a path such as /console", path))
		}
		o.prefix = path
	})
}

// WithReadOnly refuses every change, and tests of connections, with 403; the pages offer none.
func WithReadOnly() Option { return optionFunc(func(o *options) { o.readOnly = true }) }

// WithPlaintext allows mappings without SourceAccessConfigurations, as api.WithPlaintext does; default refused.
func WithPlaintext() Option { return optionFunc(func(o *options) { o.plaintext = true }) }

// WithFunctions sets the names of functions that the form suggests; default none.
func WithFunctions(names ...string) Option {
	return optionFunc(func(o *options) { o.functions = names })
}

// WithSecrets sets where tests of connections, samples and resets of positions read secrets: those of the Runners
// (esm.WithSecrets). Default none: mappings with secrets then cannot be tested, sampled or reset.
func WithSecrets(s auth.Secrets) Option {
	return optionFunc(func(o *options) {
		if s == nil {
			o.errs = append(o.errs, errors.New("console: WithSecrets: the secrets are nil"))
		}
		o.secrets = s
	})
}

// WithHosts sets the names by which the console may be called, without ports; default localhost, 127.0.0.1 and ::1. A
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

// WithForwardedHost takes the name by which a browser called from X-Forwarded-Host where it is there. It is for consoles
// that are reached through a proxy alone, which sets or removes that header itself.
func WithForwardedHost() Option { return optionFunc(func(o *options) { o.forwarded = true }) }

// WithLogger sets the logger; default slog.Default(). It is told of each change that a person makes.
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
