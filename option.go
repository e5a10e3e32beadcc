package esm

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/stop"
	"github.com/esm-go/esm/scaling"
)

// Option sets what is not data: a Go object with behaviour, or a setting of this process that a mapping does not have.
// New reports an option that is out of range; of an option given twice, the last one holds, unless it says otherwise.
type Option interface{ apply(*options) }

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

// options are the options with their defaults.
type options struct {
	logger            *slog.Logger
	hooks             []Hooks
	middleware        []Middleware
	driver            driver.Driver
	minimumWorkers    int // 0 = the default
	maximumWorkers    int
	policy            scaling.Policy
	scaler            bool // WithScaler was given one
	stopTimeout       time.Duration
	revokeTimeout     time.Duration
	invocationTimeout time.Duration
	startTimeout      time.Duration
	bufferBytes       int
	backoff           limit.Backoff
	breaker           CircuitBreaker
	seed              uint64
	lagInterval       time.Duration
	commitInterval    time.Duration
	deliverWrongKind  bool
	headKeys          bool
	pollerLog         *pollerWriter // nil: none
	secrets           auth.Secrets
	secretsRefresh    time.Duration
	destination       destination.Destination
	destinations      destination.Resolver
	client            driver.Config
	errs              []error
}

func newOptions(opts []Option) *options {
	hostname, _ := os.Hostname() // only a name in the broker's logs
	o := &options{
		logger:        slog.Default(),
		stopTimeout:   stop.DefaultTimeout,
		revokeTimeout: -1,
		bufferBytes:   64 << 20,
		backoff:       limit.Backoff{First: 100 * time.Millisecond, Most: 30 * time.Second},
		seed:          uint64(time.Now().UnixNano()),
		lagInterval:   time.Minute,

		secretsRefresh: 5 * time.Minute,
		client: driver.Config{
			ClientID:               "esm@" + hostname,
			SessionTimeout:         45 * time.Second,
			HeartbeatInterval:      3 * time.Second,
			MaxPollInterval:        5 * time.Minute,
			MetadataMaxAge:         time.Minute,
			FetchMaxWait:           500 * time.Millisecond,
			FetchMinBytes:          1,
			FetchMaxBytes:          8 << 20,
			FetchMaxPartitionBytes: 1 << 20,
		},
	}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(o)
		}
	}
	if o.revokeTimeout < 0 {
		o.revokeTimeout = min(10*time.Second, o.client.MaxPollInterval/3)
	}
	o.client.BufferBytes = o.bufferBytes
	o.client.FetchMaxBytes = min(o.client.FetchMaxBytes, max(o.bufferBytes/8, 1<<20))
	o.client.FetchMaxPartitionBytes = min(o.client.FetchMaxPartitionBytes, o.client.FetchMaxBytes)
	o.client.HeartbeatInterval = min(o.client.HeartbeatInterval, o.client.SessionTimeout/3)
	o.check(o.client.FetchMinBytes <= o.client.FetchMaxBytes, "WithFetch", fmt.Sprintf("MinBytes: %d", o.client.FetchMinBytes),
		fmt.Sprintf("at most %d, the most that one answer may hold, or brokers wait for what they may not send", o.client.FetchMaxBytes))
	o.check(o.revokeTimeout <= o.client.MaxPollInterval/3, "WithRevokeTimeout", o.revokeTimeout,
		"at most a third of the max poll interval, or the group takes the partitions away before the work is drained")
	o.check(o.driver != nil, "WithDriver", nil, "a driver: this build has none by default")
	return o
}

// check keeps an error where an option is out of range. Options are not the mapping's, so that this is no FieldError: what
// serves Lambda's API must not blame its caller for the program's own options.
func (o *options) check(ok bool, name string, value any, want string) {
	if !ok {
		o.errs = append(o.errs, fmt.Errorf("esm: %s(%v): want %s", name, value, want))
	}
}

// config is what they say to members.
func (o *options) config() memberConfig {
	return memberConfig{Driver: o.driver, StopTimeout: o.stopTimeout, RevokeTimeout: o.revokeTimeout, InvocationTimeout: o.invocationTimeout,
		LagInterval: o.lagInterval, CommitInterval: o.commitInterval, Backoff: o.backoff, Cooldown: o.breaker.Cooldown, Seed: o.seed, HeadKeys: o.headKeys}
}

func (o *options) err() error { return errors.Join(o.errs...) }

// WithLogger sets the logger. Default, and for nil: slog.Default(). The Kafka client's own log goes there too, with the
// attribute "driver".
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(o *options) {
		if l != nil {
			o.logger = l
		}
	})
}

// WithHooks adds hooks: see Hooks for when and where they are called. It may be given more than once; all of them are
// called, in the order given.
func WithHooks(h Hooks) Option {
	return optionFunc(func(o *options) { o.hooks = append(o.hooks, h) })
}

// WithMiddleware wraps the handler. The first middleware is outermost. It may be given more than once.
func WithMiddleware(mw ...Middleware) Option {
	return optionFunc(func(o *options) { o.middleware = append(o.middleware, mw...) })
}

// WithDriver sets the Kafka client. Default: driver/confluent in a program built with cgo, driver/franz in one built
// without. librdkafka comes first because it is the client that most Kafka installations have been run with.
func WithDriver(d driver.Driver) Option { return optionFunc(func(o *options) { o.driver = d }) }

// WithSeed fixes the random numbers of this mapping, which are the jitter of WithRetryBackoff, so that a test repeats.
// Default: another seed in each run.
func WithSeed(seed uint64) Option { return optionFunc(func(o *options) { o.seed = seed }) }
