package esm

import "time"

// WithStopTimeout bounds the whole stop: Run returns at most this long after its context has ended. Default 25 s, which
// leaves a margin below the 30 s after which Kubernetes kills a pod.
//
// Handlers may keep running until the last 7 s (or the last two fifths, if that is less). Then their contexts end with
// the cause ErrStopping, and the rest of the time is for handlers to return, the last commit, and leaving the group. 0
// interrupts handlers at once and leaves 5 s for the rest.
func WithStopTimeout(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.Check(d >= 0, "WithStopTimeout", d, "0 or more")
		o.StopTimeout = d
	})
}

// WithRevokeTimeout bounds how long a rebalance waits for handlers of the partitions that it revokes. Default 10 s, at
// most a third of WithMaxPollInterval. After that the handlers' work stays uncommitted, and the next owner of the
// partitions gets the same records again.
func WithRevokeTimeout(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.Check(d >= 0, "WithRevokeTimeout", d, "0 or more")
		o.RevokeTimeout = max(d, 0)
	})
}

// WithInvocationTimeout bounds one invocation, as a Lambda function's timeout does (on Lambda at most 14 minutes for a
// Kafka source): the handler's context ends with the cause ErrInvocationTimeout. Default 0: no bound.
func WithInvocationTimeout(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.Check(d >= 0, "WithInvocationTimeout", d, "0 (no bound) or more")
		o.InvocationTimeout = d
	})
}

// WithStartTimeout makes Run fail with an error that wraps ErrNotReady when no partitions are assigned and started
// within d. It is for services that would rather fail than wait. Default 0: Run waits, and Status, hooks and the log
// say what is wrong.
func WithStartTimeout(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.Check(d >= 0, "WithStartTimeout", d, "0 (no bound) or more")
		o.StartTimeout = d
	})
}

// WithCommitInterval sets the shortest time between the starts of two commits. Default 0: it adapts to the broker so
// that at most a tenth of the time is spent committing. After a commit that took 5 ms, the next one starts no earlier
// than 50 ms after it started; the wait is never over a second. The first commit after an idle period is sent at once,
// and a revocation or a stop never waits.
func WithCommitInterval(d time.Duration) Option {
	return optionFunc(func(o *options) {
		o.Check(d >= 0, "WithCommitInterval", d, "0 or more")
		o.CommitInterval = d
	})
}
