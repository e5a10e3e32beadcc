package esm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/internal/limit"
	"github.com/esm-go/esm/internal/stop"
	"github.com/esm-go/esm/scaling"
)

// Option sets what is not data: a Go object with behaviour, or a setting of this process that a mapping does not have.
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
	o.check(o.revokeTimeout <= o.client.MaxPollInterval/3, "WithRevokeTimeout", o.revokeTimeout,
		"at most a third of the max poll interval, or the group takes the partitions away before the work is drained")
	o.check(o.driver != nil, "WithDriver", nil, "a driver: this build has none by default")
	return o
}

func (o *options) check(ok bool, name string, value any, want string) {
	if !ok {
		o.errs = append(o.errs, fmt.Errorf("esm: %s(%v): want %s", name, value, want))
	}
}

// config is what they say to members.
func (o *options) config() Config {
	return Config{Driver: o.driver, StopTimeout: o.stopTimeout, RevokeTimeout: o.revokeTimeout, InvocationTimeout: o.invocationTimeout,
		LagInterval: o.lagInterval, CommitInterval: o.commitInterval, Backoff: o.backoff, Cooldown: o.breaker.Cooldown, Seed: o.seed}
}

func (o *options) err() error { return errors.Join(o.errs...) }

// WithLogger sets the logger; default slog.Default(). The Kafka client's own log goes there too, with the attribute
// driver.
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(o *options) {
		if l != nil {
			o.logger = l
		}
	})
}

// WithHooks adds hooks; it may be given more than once, and each is called.
func WithHooks(h Hooks) Option {
	return optionFunc(func(o *options) { o.hooks = append(o.hooks, h) })
}

// WithMiddleware wraps the handler; the first one is outermost. It may be given more than once.
func WithMiddleware(mw ...Middleware) Option {
	return optionFunc(func(o *options) { o.middleware = append(o.middleware, mw...) })
}

// WithDriver sets the Kafka client; default driver/confluent where cgo is on, else driver/franz.
func WithDriver(d driver.Driver) Option { return optionFunc(func(o *options) { o.driver = d }) }

// WithWorkers fixes how many invocations run at a time in this process: WithWorkerRange(n, n). More than partitions are
// assigned never run: a partition has one batch in flight. 0 is the default range.
func WithWorkers(n int) Option {
	return optionFunc(func(o *options) { o.workerRange("WithWorkers", n, n, n) })
}

// WithWorkerRange sets between which numbers of concurrent invocations in this process the scaling policy may choose.
// Default (and 0): a minimum of 1, and a maximum of as many as partitions are assigned, which also bounds any other
// maximum. A change takes effect at once, with no rebalance; fewer workers let what runs finish. How many run at first:
// see WithScaler.
func WithWorkerRange(minimum, maximum int) Option {
	return optionFunc(func(o *options) { o.workerRange("WithWorkerRange", []int{minimum, maximum}, minimum, maximum) })
}

// workerRange sets the range for the option of that name, which was given value.
func (o *options) workerRange(name string, value any, minimum, maximum int) {
	err := scaling.Bounds{MinimumWorkers: minimum, MaximumWorkers: maximum}.Validate()
	o.check(err == nil, name, value, "0 (the default) to 1048576, and no minimum over its maximum")
	o.minimumWorkers, o.maximumWorkers = minimum, maximum
}

// WithScaler sets the policy that chooses the number of workers, and of pollers (Mapping.ProvisionedPollerConfig).
// Default, and nil: *scaling.Lambda, which looks at the lag once a minute as AWS Lambda does; nil is as leaving it out.
//
// Without this option a mapping begins with as many workers as its range allows, and the policy takes away from there
// what is not needed: Lambda begins with one consumer, but a process that has just started had better not wait a minute
// for the next. With it a mapping begins at the minimum, and the policy finds the rest.
//
// The policy belongs to one Runner: do not share it. It is called on one goroutine, every Decision.Next, and what it asks
// for is clamped to the range; when it panics the last decision stays (see scaling.Guard). Status, Hooks.Scaled and the
// log show every decision with its reason.
func WithScaler(p scaling.Policy) Option {
	return optionFunc(func(o *options) { o.policy, o.scaler = p, p != nil })
}

// WithStopTimeout bounds a stop as a whole: Run returns that long after its context has ended, at the latest. Default 25 s, which
// is below the 30 s after which Kubernetes kills. Handlers may go on for all of it but 7 s, or two fifths where that is less;
// then their context ends with ErrStopping, and what is left is shared by those that heed it, the last commit and leaving the
// group. 0 interrupts handlers at once and leaves 5 s for the rest.
func WithStopTimeout(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.check(d >= 0, "WithStopTimeout", d, "0 or more")
		o.stopTimeout = d
	})
}

// WithRevokeTimeout sets how long a rebalance waits for the handlers of the partitions that it takes away; default 10 s,
// at most a third of WithMaxPollInterval. Past it they are given up uncommitted, and their records are repeated by the
// next owner.
func WithRevokeTimeout(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.check(d >= 0, "WithRevokeTimeout", d, "0 or more")
		o.revokeTimeout = max(d, 0)
	})
}

// WithInvocationTimeout bounds one invocation, as a Lambda function's timeout does (there at most 14 minutes): its
// context ends with ErrInvocationTimeout. Default 0 = no bound.
func WithInvocationTimeout(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.check(d >= 0, "WithInvocationTimeout", d, "0 (no bound) or more")
		o.invocationTimeout = d
	})
}

// WithStartTimeout makes Run return an error that wraps ErrNotReady when the group has not assigned and started
// partitions by then: for services that had rather fail than wait. Default 0 = wait for ever, and say in Status,
// hooks and the log what is wrong.
func WithStartTimeout(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.check(d >= 0, "WithStartTimeout", d, "0 (no bound) or more")
		o.startTimeout = d
	})
}

// WithBufferBytes sets the memory for records received and not resolved, over all partitions; default 64 MiB, at least
// 1 MiB. It can be passed by two fetches of each partition, decompressed: one that takes a partition over its share, and one
// that was under way meanwhile; librdkafka may answer several fetches at once. The pollers share it; the Kafka client of
// each holds up to as much again of what it fetches ahead, and each running invocation a second copy of its records without
// their bytes, 128 bytes each.
//
// A batch that cannot grow, since a partition in it holds all that it may, is sent before BatchSize and
// MaximumBatchingWindowInSeconds are reached. New warns when BatchSize records have no room even when they are empty.
func WithBufferBytes(n int) Option {
	return optionFunc(func(o *options) {
		o.check(n >= 1<<20, "WithBufferBytes", n, "at least 1 MiB (1048576)")
		o.bufferBytes = max(n, 1<<20)
	})
}

// WithRetryBackoff sets the pauses between tries of a failed batch: first after one failure, doubled with each further
// one up to most, each drawn between half and the whole of it. Default 100 ms to 30 s.
func WithRetryBackoff(first, most time.Duration) Option {
	return optionFunc(func(o *options) {
		o.check(first > 0 && most >= first, "WithRetryBackoff", []time.Duration{first, most}, "0 < first ≤ most")
		o.backoff = limit.Backoff{First: first, Most: most}
	})
}

// WithCircuitBreaker stops the intake while the handler fails everywhere: after Failures failed invocations in a row,
// on two partitions at least where there are two, nothing is invoked and nothing fetched for Cooldown; then one batch is
// tried. Default: off.
func WithCircuitBreaker(b CircuitBreaker) Option {
	return optionFunc(func(o *options) {
		o.check(b.Failures >= 0 && b.Cooldown >= 0, "WithCircuitBreaker", b, "no negative numbers")
		if b.Failures == 0 {
			b.Failures = 20
		}
		if b.Cooldown == 0 {
			b.Cooldown = 30 * time.Second
		}
		o.breaker = b
	})
}

// WithSeed fixes what is random here, the jitter of the backoff, so that a test replays. Default: by the clock.
func WithSeed(seed uint64) Option { return optionFunc(func(o *options) { o.seed = seed }) }

// WithLagInterval sets how long the end of a partition may go unconfirmed while the client waits for records there;
// default 1 minute, as Lambda looks at its lag. Ends that fetches do not keep true (of a partition that is paused, or
// behind and not getting on) are looked up whenever the scaling policy is asked. It is one batched request for all
// partitions. Topics are looked at for having been deleted and made again at the same interval. 0 = never any of this: the
// lag is then what fetches show.
func WithLagInterval(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.check(d >= 0, "WithLagInterval", d, "0 (never) or more")
		o.lagInterval = d
	})
}

// WithCommitInterval sets the least time from one commit to the next. Default 0: where positions have moved, the next
// commit begins ten times as long after the last one began as that one took, at most a second. Positions that move after
// a while of none are committed at once, and a revocation or a stop never waits.
func WithCommitInterval(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.check(d >= 0, "WithCommitInterval", d, "0 or more")
		o.commitInterval = d
	})
}

// WithDeliverWrongKind delivers records that FilterCriteria cannot look at: text where the pattern asks for JSON, JSON
// where it asks for text, or bytes that are not UTF-8. By default they do not match and are filtered out.
func WithDeliverWrongKind() Option {
	return optionFunc(func(o *options) { o.deliverWrongKind = true })
}

// WithSecrets sets where the secrets that SourceAccessConfigurations name are read: auth/secretsmanager for AWS, or
// auth.NewFiles, auth.NewEnv, auth.NewStatic, and auth.Prefixes to mix them. Needed when the mapping names secrets.
func WithSecrets(s auth.Secrets) Option { return optionFunc(func(o *options) { o.secrets = s }) }

// WithSecretsRefresh sets how often the secrets are read again, to follow a rotation with no restart; default 5 minutes,
// 0 = never. Whatever it is, unless 0, they are also read when brokers refuse the credentials in use, at most every 10 s.
func WithSecretsRefresh(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.check(d >= 0, "WithSecretsRefresh", d, "0 (never) or more")
		o.secretsRefresh = d
	})
}

// WithClientID sets Kafka's client.id; default "esm@" and the host's name.
func WithClientID(id string) Option { return optionFunc(func(o *options) { o.client.ClientID = id }) }

// WithGroupInstanceID makes this process a static member (group.instance.id): a restart within the session timeout
// causes no rebalance. It must be unique in the group. The second poller of the process is id-2, the third id-3, and so on;
// and since a static member that goes keeps its partitions from the others for the session timeout, the scaling policy only
// adds pollers then. Default: dynamic members.
func WithGroupInstanceID(id string) Option {
	return optionFunc(func(o *options) { o.client.InstanceID = id })
}

// WithClientRack sets client.rack, so that records are fetched from a replica in the same rack where the brokers allow
// it. Default: none.
func WithClientRack(rack string) Option { return optionFunc(func(o *options) { o.client.Rack = rack }) }

// WithSessionTimeout sets session.timeout.ms: how long a member may be silent before the group takes its partitions
// away; default 45 s, as Kafka's.
func WithSessionTimeout(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.check(d > 0, "WithSessionTimeout", d, "more than 0")
		o.client.SessionTimeout = d
	})
}

// WithMaxPollInterval sets max.poll.interval.ms; default 5 minutes, as Kafka's. Handlers may run longer than that: the
// client is polled all the while. It bounds how long a rebalance waits for this member.
func WithMaxPollInterval(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.check(d > 0, "WithMaxPollInterval", d, "more than 0")
		o.client.MaxPollInterval = d
	})
}

// WithMetadataMaxAge sets how long a new partition, or a new topic of a pattern, may go unnoticed; default 1 minute.
func WithMetadataMaxAge(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.check(d > 0, "WithMetadataMaxAge", d, "more than 0")
		o.client.MetadataMaxAge = d
	})
}

// WithFetch sets fetch.min.bytes, fetch.max.wait.ms, fetch.max.bytes and max.partition.fetch.bytes; zeros keep the
// defaults: 1 byte, 500 ms, 8 MiB and 1 MiB, bounded by an eighth of WithBufferBytes.
func WithFetch(minBytes int, maxWait time.Duration, maxBytes, maxPartitionBytes int) Option {
	return optionFunc(func(o *options) {
		o.check(minBytes >= 0 && maxWait >= 0 && maxBytes >= 0 && maxPartitionBytes >= 0, "WithFetch", minBytes, "no negative numbers")
		set := func(dst *int, v int) {
			if v > 0 {
				*dst = v
			}
		}
		set(&o.client.FetchMinBytes, minBytes)
		set(&o.client.FetchMaxBytes, maxBytes)
		set(&o.client.FetchMaxPartitionBytes, maxPartitionBytes)
		if maxWait > 0 {
			o.client.FetchMaxWait = maxWait
		}
	})
}

// WithReadUncommitted delivers records of open and aborted transactions too; default is read_committed.
func WithReadUncommitted() Option {
	return optionFunc(func(o *options) { o.client.ReadUncommitted = true })
}

// WithDialer opens the connections to the brokers, where the driver can take one (franz; see driver.Features).
func WithDialer(dial func(ctx context.Context, network, address string) (net.Conn, error)) Option {
	return optionFunc(func(o *options) { o.client.Dialer = dial })
}

// warnOf tells of limits that cannot meet: a batch that has no room in the budget even when its records are empty goes when
// the budget is full.
func (o *options) warnOf(s *Settings) {
	if need := s.BatchSize * batch.RecordWeight; need > o.bufferBytes {
		o.logger.Warn("WithBufferBytes has no room for BatchSize records: batches are sent when the buffer is full",
			"BatchSize", s.BatchSize, "bufferBytes", o.bufferBytes, "need", need)
	}
}
