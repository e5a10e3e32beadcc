package run

import (
	"log/slog"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/observe/pollerlog"
	"github.com/esm-go/esm/scaling"
)

// Option is an option of package esm that the tests here use.
type Option func(*Options)

func WithBufferBytes(n int) Option { return func(o *Options) { o.BufferBytes = n } }

func WithCircuitBreaker(b Breaker) Option { return func(o *Options) { o.Breaker = b } }

func WithClientID(id string) Option { return func(o *Options) { o.Client.ClientID = id } }

func WithCommitInterval(d time.Duration) Option { return func(o *Options) { o.CommitInterval = d } }

func WithDestination(d destination.Destination) Option { return func(o *Options) { o.Destination = d } }

func WithDestinations(r destination.Resolver) Option { return func(o *Options) { o.Destinations = r } }

func WithDriver(d driver.Driver) Option { return func(o *Options) { o.Driver = d } }

func WithGroupInstanceID(id string) Option { return func(o *Options) { o.Client.InstanceID = id } }

func WithHeadKeys() Option { return func(o *Options) { o.HeadKeys = true } }

func WithHooks(h observe.Hooks) Option { return func(o *Options) { o.Hooks = append(o.Hooks, h) } }

func WithInvocationTimeout(d time.Duration) Option {
	return func(o *Options) { o.InvocationTimeout = d }
}

func WithLagInterval(d time.Duration) Option { return func(o *Options) { o.LagInterval = d } }

func WithLogger(l *slog.Logger) Option { return func(o *Options) { o.Logger = l } }

func WithMaxPollInterval(d time.Duration) Option {
	return func(o *Options) { o.Client.MaxPollInterval = d }
}

func WithMetadataMaxAge(d time.Duration) Option {
	return func(o *Options) { o.Client.MetadataMaxAge = d }
}

func WithMiddleware(mw ...func(shared.Handler) shared.Handler) Option {
	return func(o *Options) { o.Middleware = append(o.Middleware, mw...) }
}

func WithPollerLog(l *pollerlog.Log) Option { return func(o *Options) { o.WritePollers(l) } }

func WithRetryBackoff(first, most time.Duration) Option {
	return func(o *Options) { o.Backoff = limit.Backoff{First: first, Most: most} }
}

func WithRevokeTimeout(d time.Duration) Option { return func(o *Options) { o.RevokeTimeout = d } }

func WithScaler(p scaling.Policy) Option {
	return func(o *Options) { o.Policy, o.Scaler = p, p != nil }
}

func WithSecrets(s auth.Secrets) Option { return func(o *Options) { o.Secrets = s } }

func WithSecretsRefresh(d time.Duration) Option { return func(o *Options) { o.SecretsRefresh = d } }

func WithSeed(seed uint64) Option { return func(o *Options) { o.Seed = seed } }

func WithStopTimeout(d time.Duration) Option { return func(o *Options) { o.StopTimeout = d } }

func WithWorkerRange(minimum, maximum int) Option {
	return func(o *Options) { o.MinimumWorkers, o.MaximumWorkers = minimum, maximum }
}

func WithWorkers(n int) Option { return WithWorkerRange(n, n) }

func options(opts []Option) *Options {
	o := NewOptions()
	for _, opt := range opts {
		if opt != nil {
			opt(o)
		}
	}
	return o
}
