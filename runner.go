package esm

import (
	"context"

	"github.com/esm-go/esm/internal/run"
	"github.com/esm-go/esm/observe"
)

// Runner runs one mapping. Create it with New and run it once with Run. All its methods are safe for concurrent use.
type Runner struct{ process *run.Process }

// New returns a Runner for a mapping. It does no I/O and starts nothing.
//
// Its error joins everything that is wrong: a *FieldError for each invalid parameter (it wraps ErrInvalidMapping),
// ErrNotSupported for what this version does not support, ErrNilHandler, and options out of range.
func New(m Mapping, h Handler, opts ...Option) (*Runner, error) {
	o := run.NewOptions()
	for _, opt := range append([]Option{defaultDriver()}, opts...) {
		if opt != nil {
			opt.apply(o)
		}
	}
	p, err := run.New(m, h, o)
	if err != nil {
		return nil, err
	}
	return &Runner{p}, nil
}

// Run creates a Runner and runs it: New, then Runner.Run.
func Run(ctx context.Context, m Mapping, h Handler, opts ...Option) error {
	r, err := New(m, h, opts...)
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// Run polls the topics and invokes the handler until ctx ends, then stops: it finishes what is in flight, commits,
// leaves the group and returns nil, all within WithStopTimeout. It returns once every goroutine that it started has
// returned; otherwise a *StuckError names what is left running. Failing to leave the group is not an error; it is
// logged. If a client fails for good, or WithStartTimeout passes, Run returns a *SourceError. A broker that cannot be
// reached is not an error: Run keeps trying, and Status, Healthy, the hooks and the log say so.
//
// A second call returns ErrAlreadyRun. If another mapping in this process uses the same consumer group, the error wraps
// ErrGroupInUse. A mapping is another one if it differs in FunctionName, Topics or FilterCriteria; the same mapping run
// twice counts as two replicas.
func (r *Runner) Run(ctx context.Context) error { return r.process.Run(ctx) }

// Mapping returns the mapping as it runs, with defaults filled in: that of New, or of the last accepted Update. The
// caller must not modify what its slices and pointers refer to.
func (r *Runner) Mapping() Mapping { return r.process.Mapping() }

// Ready is closed when the group's first assignment is started: every record produced from then on is seen, with
// StartingPosition LATEST too. If Run ends before that, it is never closed.
func (r *Runner) Ready() <-chan struct{} { return r.process.Ready() }

// Pause stops the intake, as Enabled = false does on Lambda, without leaving the group: what is in flight is finished,
// nothing new is invoked or fetched. It returns at once, before the loops have applied it; the state goes from
// Disabling to Disabled.
func (r *Runner) Pause() { r.process.Pause() }

// Resume ends a Pause.
func (r *Runner) Resume() { r.process.Resume() }

// Update changes the mapping of a running Runner at once, without restarting what did not change. BatchSize,
// MaximumBatchingWindowInSeconds, the retry parameters and FilterCriteria apply from the next batch or fetch. Enabled
// means Pause or Resume, and changes nothing if it is unset. SourceAccessConfigurations are applied like a rotation:
// they are tried first, and until they work the previous ones stay in use and Status.Credentials says why. A change of
// a parameter that AWS does not let one change (servers, topics, group, starting position), or of
// DestinationConfig.OnFailure, is refused with ErrImmutable, and then nothing is changed. Status and invocations show a
// new FunctionName from then on.
func (r *Runner) Update(m Mapping) error { return r.process.Update(m) }

// Status returns a snapshot that is at most a tenth of a second old; Status.Time says when it was taken. If a loop is
// busy, with a hook that blocks for example, it is the loop's last snapshot. Status never waits for a loop, so any
// goroutine, handler or hook may call it.
func (r *Runner) Status() Status { return r.process.Status() }

// Metrics returns only the counters. It waits for nothing and is cheap.
func (r *Runner) Metrics() Metrics { return r.process.Metrics() }

// Histograms returns the distributions of durations and sizes since the mapping started. Like Metrics it waits for
// nothing.
func (r *Runner) Histograms() observe.Histograms { return r.process.Histograms() }

// SetBufferBytes changes the value of WithBufferBytes, at least 1 MiB, for a program that divides its memory among
// Runners. It applies from the next fetch on: records already in memory stay and are handled. The Kafka client's
// prefetch still follows WithBufferBytes.
func (r *Runner) SetBufferBytes(n int) { r.process.SetBufferBytes(n) }

// Healthy reports whether the mapping works, for liveness and readiness probes. It returns nil, or an error that wraps
// ErrUnhealthy and says what has been wrong since when. It never waits for the mapping. These make it unhealthy:
//
//   - The mapping was enabled at least a minute ago and its first assignment is not started yet: no broker answers, the
//     password is wrong, the secrets cannot be read.
//   - A condition of the event source has lasted for a minute (Status lists current conditions): a broker that a
//     partition of this process needs cannot be reached, or refuses the credentials, an ACL or a setting; a topic is
//     missing; a partition cannot be read, or its start cannot be looked up; a commit that is still needed fails.
//   - The group revoked all partitions at least a minute ago and has sent no assignment since, not even an empty one.
//   - The circuit of WithCircuitBreaker is open, its cooldown ended at least a minute ago, and partitions still wait
//     for it.
//   - A loop has been busy with one task for 30 s, because a hook blocks; or the client has not returned from a poll
//     for 30 s plus WithRevokeTimeout.
//   - Run has ended.
//
// These do not: a handler that fails or blocks, and the circuit that is open because of it; full memory; the lag, even
// of partitions for which the brokers send nothing and the client reports nothing (OpFetch: only the broker can fix
// this, and this process may read others well); a new secret that does not work while the old one does; a member to
// which the group assigns no partition. Before Run, while the mapping is disabled and while Run stops, Healthy returns
// nil.
func (r *Runner) Healthy() error { return r.process.Healthy() }
