package manager

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/esm-go/esm"
)

// Option changes how a Manager works.
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

// defaultBufferBytes is what the mappings share: eight times what one takes by itself.
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

// WithLogger sets the logger, that of the Runners too; default slog.Default().
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(o *options) {
		if l != nil {
			o.logger = l
		}
	})
}

// WithPollerLog sets where the poller logs of all mappings are written, a line of JSON an event as AWS Lambda writes them
// (package observe/pollerlog); default nowhere. What is written of a mapping its LoggingConfig.SystemLogLevel says. A line that
// cannot be written is lost; lines are written one at a time, and w must not block for long. What WithRunnerOptions sets with
// esm.WithPollerLog is written too.
func WithPollerLog(w io.Writer) Option {
	return optionFunc(func(o *options) {
		o.pollerLog = nil
		if w != nil {
			o.pollerLog = &lockedWriter{out: w}
		}
	})
}

// WithARN sets the partition, Region and account of the ARNs that answers have; default aws, us-east-1, 000000000000.
func WithARN(arn ARN) Option { return optionFunc(func(o *options) { o.arn = arn.withDefaults() }) }

// WithRunnerOptions sets the options of every Runner: driver, secrets, destinations, hooks. It is the one place for
// them. Default none.
func WithRunnerOptions(opts ...esm.Option) Option {
	return WithRunnerOptionsFor(func(esm.Mapping) []esm.Option { return opts })
}

// WithRunnerOptionsFor is WithRunnerOptions by mapping. The func is called at every start of a Runner and, to see
// whether a mapping is good, at Create and Update; it must be safe for concurrent use.
func WithRunnerOptionsFor(f func(esm.Mapping) []esm.Option) Option {
	return optionFunc(func(o *options) { o.runner = f })
}

// WithAllowed bounds where mappings may lead; default everywhere. Whoever may create a mapping chooses where secrets
// are sent and what is written to.
func WithAllowed(a Allowed) Option { return optionFunc(func(o *options) { o.allowed = a }) }

// WithBufferBytes sets the memory for records received and not resolved that all mappings share; default 512 MiB, at
// least 1 MiB. Every Runner gets an equal share of it, which changes as Runners start and end: at least 1 MiB, at
// most 64 MiB, esm.WithBufferBytes' default.
func WithBufferBytes(n int) Option {
	return optionFunc(func(o *options) {
		if n < 1<<20 {
			o.check(fmt.Errorf("manager: WithBufferBytes(%d): want at least 1 MiB (1048576)", n))
		}
		o.bufferBytes = n
	})
}

// WithParallelStarts bounds how many Runners start at a time; default 16.
func WithParallelStarts(n int) Option {
	return optionFunc(func(o *options) {
		if n < 1 {
			o.check(fmt.Errorf("manager: WithParallelStarts(%d): want 1 or more", n))
		}
		o.starts = max(n, 1)
	})
}

// WithRestartBackoff sets the pauses before a mapping is started again that ended with an error or could not start:
// first, doubled with each further one up to most, each drawn between half and the whole of it. Default 1 s to 1 min.
func WithRestartBackoff(first, most time.Duration) Option {
	return optionFunc(func(o *options) {
		if first <= 0 || most < first {
			o.check(fmt.Errorf("manager: WithRestartBackoff(%v, %v): want 0 < first ≤ most", first, most))
		}
		o.backoff = backoff{first, most}
	})
}
