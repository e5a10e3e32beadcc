package manager

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/esm-go/esm"
)

// Option configures a Manager.
type Option interface{ apply(*options) }

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

type options struct {
	logger      *slog.Logger
	arn         ARN
	runner      func(esm.Mapping) []esm.Option
	allowed     Allowed
	pollerLog   io.Writer
	bufferBytes int
	starts      int
	backoff     backoff
	errs        []error
}

// defaultBufferBytes is the memory that all mappings share: eight times what a single one uses.
const defaultBufferBytes = 512 << 20

func newOptions(opts []Option) options {
	o := options{
		logger: slog.Default(), arn: ARN{}.withDefaults(), bufferBytes: defaultBufferBytes, starts: 16,
		backoff: backoff{time.Second, time.Minute},
		runner:  func(esm.Mapping) []esm.Option { return nil },
	}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&o)
		}
	}
	o.check(o.arn.validate())
	return o
}

func (o *options) check(err error) {
	if err != nil {
		o.errs = append(o.errs, err)
	}
}

func (o *options) err() error { return errors.Join(o.errs...) }

// WithLogger sets the logger, also for the Runners; default slog.Default().
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(o *options) {
		if l != nil {
			o.logger = l
		}
	})
}

// WithPollerLog sets where the poller logs of all mappings are written, one line of JSON per event, as AWS Lambda
// writes them (package observe/pollerlog); default nowhere. A mapping's LoggingConfig.SystemLogLevel selects what is
// written. A line that cannot be written is lost. Lines are written one at a time, and w must not block for long. A
// log set with esm.WithPollerLog among the options of WithRunnerOptions is written too.
func WithPollerLog(w io.Writer) Option {
	return optionFunc(func(o *options) {
		o.pollerLog = nil
		if w != nil {
			o.pollerLog = &lockedWriter{out: w}
		}
	})
}

// WithARN sets the partition, Region and account of the ARNs in answers; default aws, us-east-1, 000000000000.
func WithARN(arn ARN) Option { return optionFunc(func(o *options) { o.arn = arn.withDefaults() }) }

// WithRunnerOptions sets the options of every Runner: driver, secrets, destinations, hooks. They cannot be set anywhere
// else. Default none.
func WithRunnerOptions(opts ...esm.Option) Option {
	return WithRunnerOptionsFor(func(esm.Mapping) []esm.Option { return opts })
}

// WithRunnerOptionsFor sets the options of Runners by mapping. f is called whenever a Runner starts, and also by Create
// and Update to validate a mapping. It must be safe for concurrent use.
func WithRunnerOptionsFor(f func(esm.Mapping) []esm.Option) Option {
	return optionFunc(func(o *options) { o.runner = f })
}

// WithAllowed restricts what mappings may refer to; default no restriction. A user who may create a mapping chooses
// where secrets are sent and where records are written.
func WithAllowed(a Allowed) Option { return optionFunc(func(o *options) { o.allowed = a }) }

// WithBufferBytes sets the memory for received, unresolved records that all mappings share; default 512 MiB, at least 1
// MiB. Every Runner gets an equal share, which changes as Runners start and end: at least 1 MiB, at most 64 MiB, the
// default of esm.WithBufferBytes.
func WithBufferBytes(n int) Option {
	return optionFunc(func(o *options) {
		if n < 1<<20 {
			o.check(fmt.Errorf("manager: WithBufferBytes(%d): want at least 1 MiB (1048576)", n))
		}
		o.bufferBytes = n
	})
}

// WithParallelStarts limits how many Runners start concurrently; default 16.
func WithParallelStarts(n int) Option {
	return optionFunc(func(o *options) {
		if n < 1 {
			o.check(fmt.Errorf("manager: WithParallelStarts(%d): want 1 or more", n))
		}
		o.starts = max(n, 1)
	})
}

// WithRestartBackoff sets the pauses before a mapping is restarted that ended with an error or could not start. The
// pause begins with first and doubles with each further failure, up to most; a random value between half of it and all
// of it is used. Default 1 s to 1 min.
func WithRestartBackoff(first, most time.Duration) Option {
	return optionFunc(func(o *options) {
		if first <= 0 || most < first {
			o.check(fmt.Errorf("manager: WithRestartBackoff(%v, %v): want 0 < first ≤ most", first, most))
		}
		o.backoff = backoff{first, most}
	})
}
