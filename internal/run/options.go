package run

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/internal/stop"
	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/scaling"
)

// Options holds what the options of package esm set. NewOptions returns the defaults.
type Options struct {
	Logger            *slog.Logger
	Hooks             []observe.Hooks
	Middleware        []func(shared.Handler) shared.Handler
	Driver            driver.Driver
	MinimumWorkers    int // 0 = the default
	MaximumWorkers    int
	Policy            scaling.Policy
	Scaler            bool // WithScaler set Policy
	StopTimeout       time.Duration
	RevokeTimeout     time.Duration
	InvocationTimeout time.Duration
	StartTimeout      time.Duration
	BufferBytes       int
	Backoff           limit.Backoff
	Breaker           Breaker
	Seed              uint64
	LagInterval       time.Duration
	CommitInterval    time.Duration
	DeliverWrongKind  bool
	HeadKeys          bool
	Secrets           auth.Secrets
	SecretsRefresh    time.Duration
	Destination       destination.Destination
	Destinations      destination.Resolver
	Client            driver.Config
	pollerLog         *pollerWriter // nil: none
	errs              []error
}

// Breaker is esm.CircuitBreaker.
type Breaker struct {
	Failures int // 0 = none
	Cooldown time.Duration
}

// NewOptions returns the defaults. RevokeTimeout is negative until it is set.
func NewOptions() *Options {
	hostname, _ := os.Hostname() // it is only a name in the brokers' logs
	return &Options{
		Logger:        slog.Default(),
		StopTimeout:   stop.DefaultTimeout,
		RevokeTimeout: -1,
		BufferBytes:   64 << 20,
		Backoff:       limit.Backoff{First: 100 * time.Millisecond, Most: 30 * time.Second},
		Seed:          uint64(time.Now().UnixNano()),
		LagInterval:   time.Minute,

		SecretsRefresh: 5 * time.Minute,
		Client: driver.Config{
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
}

// Complete sets and checks what depends on other options.
func (o *Options) Complete() {
	if o.RevokeTimeout < 0 {
		o.RevokeTimeout = min(10*time.Second, o.Client.MaxPollInterval/3)
	}
	o.Client.BufferBytes = o.BufferBytes
	o.Client.FetchMaxBytes = min(o.Client.FetchMaxBytes, max(o.BufferBytes/8, 1<<20))
	o.Client.FetchMaxPartitionBytes = min(o.Client.FetchMaxPartitionBytes, o.Client.FetchMaxBytes)
	o.Client.HeartbeatInterval = min(o.Client.HeartbeatInterval, o.Client.SessionTimeout/3)
	o.Check(o.Client.FetchMinBytes <= o.Client.FetchMaxBytes, "WithFetch", fmt.Sprintf("MinBytes: %d", o.Client.FetchMinBytes),
		fmt.Sprintf("at most %d, the most that one answer may hold, or brokers wait for what they may not send", o.Client.FetchMaxBytes))
	o.Check(o.RevokeTimeout <= o.Client.MaxPollInterval/3, "WithRevokeTimeout", o.RevokeTimeout,
		"at most a third of the max poll interval, or the group takes the partitions away before the work is drained")
	o.Check(o.Driver != nil, "WithDriver", nil, "a driver: this build has none by default")
}

// Check records an error if an option is out of range. It is not a FieldError, because options are not the mapping's: a
// server of Lambda's API must not blame its caller for the program's options.
func (o *Options) Check(ok bool, name string, value any, want string) {
	if !ok {
		o.errs = append(o.errs, fmt.Errorf("esm: %s(%v): want %s", name, value, want))
	}
}

// config returns the options that members use.
func (o *Options) config() shared.Config {
	return shared.Config{Driver: o.Driver, StopTimeout: o.StopTimeout, RevokeTimeout: o.RevokeTimeout, InvocationTimeout: o.InvocationTimeout,
		LagInterval: o.LagInterval, CommitInterval: o.CommitInterval, Backoff: o.Backoff, Cooldown: o.Breaker.Cooldown, Seed: o.Seed, HeadKeys: o.HeadKeys}
}

// Err returns the errors that Check recorded.
func (o *Options) Err() error { return errors.Join(o.errs...) }

// warnOf warns of limits that cannot both hold: a batch that does not fit into the budget even if its records are empty
// is sent when the budget is full.
func (o *Options) warnOf(s *shared.Settings) {
	if need := s.BatchSize * batch.RecordWeight; need > o.BufferBytes {
		o.Logger.Warn("WithBufferBytes has no room for BatchSize records: batches are sent when the buffer is full",
			"BatchSize", s.BatchSize, "bufferBytes", o.BufferBytes, "need", need)
	}
}
