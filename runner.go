package esm

import (
	"context"

	"github.com/esm-go/esm/internal/run"
	"github.com/esm-go/esm/observe"
)

// Runner runs one mapping. Make it with New, run it once with Run; all its methods are safe for concurrent use.
type Runner struct{ process *run.Process }

// New makes a Runner for a mapping. It does no I/O and starts nothing.
//
// Its error joins everything that is wrong: *FieldError for the mapping's parameters (they wrap ErrInvalidMapping),
// ErrNotSupported for what this version cannot carry out, ErrNilHandler, and options out of range.
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

// Run makes a Runner and runs it: New, then Runner.Run.
func Run(ctx context.Context, m Mapping, h Handler, opts ...Option) error {
	r, err := New(m, h, opts...)
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

// Run polls the topics and invokes the handler until ctx ends, then stops: it finishes what is in flight, commits, leaves
// the group and returns nil, all within WithStopTimeout. It returns once every goroutine that it started has returned; else
// a *StuckError names what had to be left behind. That it could not say goodbye to the group is no error: the log says so. A
// client that fails for good, and a start that WithStartTimeout ends, is a *SourceError. A broker that cannot be reached is
// not an error: Run goes on trying, and Status, Healthy, the hooks and the log say so.
//
// A second call returns ErrAlreadyRun. Where another mapping runs in this process with the same consumer group, the error
// wraps ErrGroupInUse: another one is one that differs in FunctionName, Topics or FilterCriteria, the same one twice are
// two replicas.
func (r *Runner) Run(ctx context.Context) error { return r.process.Run(ctx) }

// Mapping returns the mapping as it runs, with defaults filled in: New's, or that of the last Update that was accepted. What
// its slices and pointers refer to is not to be changed.
func (r *Runner) Mapping() Mapping { return r.process.Mapping() }

// Ready is closed when the group's first assignment is started: from then on every record produced is seen, under
// StartingPosition LATEST too. When Run ends before that it is never closed.
func (r *Runner) Ready() <-chan struct{} { return r.process.Ready() }

// Pause stops the intake, as Enabled = false does on Lambda, without leaving the group: what is in flight is finished,
// nothing new is invoked or fetched. It returns at once, before the loops have heard of it; the state goes from Disabling to Disabled.
func (r *Runner) Pause() { r.process.Pause() }

// Resume ends a Pause.
func (r *Runner) Resume() { r.process.Resume() }

// Update changes the mapping of a running Runner, at once and without a restart of what did not change: BatchSize,
// MaximumBatchingWindowInSeconds, the retry parameters and FilterCriteria hold from the next batch, or fetch, on; Enabled
// is Pause and Resume, and changes nothing when it is unset. SourceAccessConfigurations are put in force like a rotation: they
// are tried first, and until they work the ones before stay in use, and Status.Credentials says why. What AWS does not let
// one change either (servers, topics, group, starting position), and DestinationConfig.OnFailure, is refused with
// ErrImmutable, and nothing is changed then. A FunctionName is what Status and
// invocations show from then on.
func (r *Runner) Update(m Mapping) error { return r.process.Update(m) }

// Status returns a snapshot: of this moment, or not older than a tenth of a second, as Status.Time says. Where a loop is busy,
// with a hook that blocks for one, it is the last one that there is. It never waits for a loop, so any goroutine, handler
// or hook may call it.
func (r *Runner) Status() Status { return r.process.Status() }

// Metrics returns the counters alone; it asks nobody and is cheap.
func (r *Runner) Metrics() Metrics { return r.process.Metrics() }

// Histograms returns how durations and sizes are distributed since the mapping began to run. Like Metrics it asks nobody.
func (r *Runner) Histograms() observe.Histograms { return r.process.Histograms() }

// SetBufferBytes changes what WithBufferBytes said, at least 1 MiB, for a program that shares its memory among Runners. It
// holds from the next fetch on: what is in memory by then stays, and is handled. What the Kafka client fetches ahead goes by
// WithBufferBytes still.
func (r *Runner) SetBufferBytes(n int) { r.process.SetBufferBytes(n) }

// Healthy reports whether the mapping works, for liveness and readiness probes: nil, or an error that wraps ErrUnhealthy
// and says what is wrong since when. It never waits for the mapping. These make it unhealthy:
//
//   - The mapping was enabled a minute ago and its first assignment is not started yet: no broker answers, the password is
//     wrong, the secrets cannot be read.
//   - A condition of the event source has stood for a minute (Status lists those that stand): a broker that a partition of
//     this process needs cannot be reached, or refuses the credentials, an ACL or a setting; a topic is missing; a partition
//     cannot be read, or its start be looked up; a commit fails that is still needed.
//   - The group took everything away a minute ago and has given nothing back, not even the word that there is nothing.
//   - The circuit of WithCircuitBreaker is open, its cooldown ended a minute ago, and partitions still wait for it.
//   - The loop has been busy with one thing for 30 s: a hook blocks. Or the client has not returned from a poll for 30 s and
//     WithRevokeTimeout.
//   - Run has ended.
//
// These do not: a handler that fails or blocks, and the circuit that is open because of it; memory that is full; the lag,
// even of partitions that the brokers send nothing of and the client says nothing about (OpFetch: what heals is a broker, and this
// process may read others well); a new secret that does not work while the old one does; being a member to which the group gives no partition. Before Run,
// while the mapping is disabled and while Run stops, it is nil.
func (r *Runner) Healthy() error { return r.process.Healthy() }
