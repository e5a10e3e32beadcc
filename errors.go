package esm

import (
	"github.com/esm-go/esm/internal/run"
	"github.com/esm-go/esm/internal/verdict"
	"github.com/esm-go/esm/mapping"
	"github.com/esm-go/esm/observe"
)

// Errors that New, Run and the Runner's methods return.
var (
	// ErrAlreadyRun is returned by a second call of Runner.Run: a Runner runs once.
	ErrAlreadyRun = observe.ErrAlreadyRun
	// ErrNilHandler is returned by New for a nil Handler.
	ErrNilHandler = run.ErrNilHandler
	// ErrGroupInUse is wrapped by Run's error when another mapping of this process uses the same consumer group.
	ErrGroupInUse = observe.ErrGroupInUse
	// ErrNotReady is wrapped by Run's error when WithStartTimeout passes without a first assignment.
	ErrNotReady = observe.ErrNotReady
	// ErrUnhealthy is wrapped by the error of Runner.Healthy.
	ErrUnhealthy = observe.ErrUnhealthy
	// ErrNotSupported is wrapped by New's error for a parameter that this version parses but does not support.
	ErrNotSupported = run.ErrNotSupported
	// ErrImmutable is wrapped by Update's error for a parameter that cannot be changed while the mapping runs.
	ErrImmutable = mapping.ErrImmutable
	// ErrNotAssigned is wrapped by the error of an operation on a partition that is not assigned to this process, or is
	// being revoked.
	ErrNotAssigned = observe.ErrNotAssigned
	// ErrOperationPending is wrapped by the error of an operation that was started but not completed in time.
	ErrOperationPending = observe.ErrOperationPending
	// ErrInvalidMapping is wrapped by every *FieldError.
	ErrInvalidMapping = mapping.ErrInvalid
)

// Causes of the end of a handler's context; see context.Cause.
var (
	// ErrStopping: Run is stopping and the handlers' share of the stop timeout has passed.
	ErrStopping = observe.ErrStopping
	// ErrInvocationTimeout: the invocation ran longer than WithInvocationTimeout allows.
	ErrInvocationTimeout = observe.ErrInvocationTimeout
	// ErrPartitionsGone: every partition of the batch was revoked from this member. Whatever the handler still does will
	// be repeated elsewhere.
	ErrPartitionsGone = observe.ErrPartitionsGone
)

// A handler returns these errors to choose what happens next. Any other error means: retry as the mapping says.

// Permanent marks err as one that no retry will fix: the batch's records are treated at once like records whose retries
// are exhausted. Around ItemFailures it applies to those items only; the rest of the batch has succeeded.
// Permanent(nil) is nil.
func Permanent(err error) error { return verdict.Permanent(err) }

// Throttled marks err as a sign of overload: the batch is retried after a growing pause, the attempt does not count
// towards MaximumRetryAttempts, and the scaler sees it. Throttled(nil) is nil.
func Throttled(err error) error { return verdict.Throttled(err) }

// ItemFailures is Lambda's partial batch response: the records named failed, the others of the batch succeeded. With no
// ids it is nil, because an empty batchItemFailures means success. It takes effect if the mapping's
// FunctionResponseTypes has ReportBatchItemFailures; otherwise it is an ordinary error, and the whole batch is retried.
// An id that is not in the event makes the whole batch fail, as on Lambda. Wrap it with fmt.Errorf and %w to give the
// reason.
func ItemFailures(ids ...ItemID) error { return verdict.ItemFailures(ids) }
