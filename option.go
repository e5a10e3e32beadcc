package esm

import (
	"log/slog"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/run"
	"github.com/esm-go/esm/internal/shared"
)

// Option sets a Go object with behaviour, or a setting of this process that a mapping does not have. New reports an
// option that is out of range. If an option is given twice, the last one wins, unless its documentation says otherwise.
type Option interface{ apply(*options) }

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

// options is the struct that options fill in.
type options = run.Options

// WithLogger sets the logger. Default, and for nil: slog.Default(). The Kafka client's log goes there too, with the
// attribute "driver".
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(o *options) {
		if l != nil {
			o.Logger = l
		}
	})
}

// WithHooks adds hooks; see Hooks for when and where they are called. It may be given more than once: all hooks are
// called, in the order given.
func WithHooks(h Hooks) Option {
	return optionFunc(func(o *options) { o.Hooks = append(o.Hooks, h) })
}

// WithMiddleware wraps the handler. The first middleware is outermost. It may be given more than once.
func WithMiddleware(mw ...Middleware) Option {
	return optionFunc(func(o *options) {
		for _, one := range mw {
			o.Middleware = append(o.Middleware, func(h shared.Handler) shared.Handler { return shared.Handler(one(h)) })
		}
	})
}

// WithDriver sets the Kafka client. Default: driver/confluent in a program built with cgo, driver/franz otherwise. With
// cgo librdkafka is the default because it is the client that most Kafka installations have been run with.
func WithDriver(d driver.Driver) Option { return optionFunc(func(o *options) { o.Driver = d }) }

// WithSeed seeds the random numbers of this mapping (the jitter of WithRetryBackoff), so that a test is repeatable.
// Default: a different seed in each run.
func WithSeed(seed uint64) Option { return optionFunc(func(o *options) { o.Seed = seed }) }
