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
	// ErrGroupInUse is wrapped by Run's error where another mapping of this process has the same consumer group.
	ErrGroupInUse = observe.ErrGroupInUse
	// ErrNotReady is wrapped by Run's error when WithStartTimeout passes without a first assignment.
	ErrNotReady = observe.ErrNotReady
	// ErrUnhealthy is wrapped by the error of Runner.Healthy.
	ErrUnhealthy = observe.ErrUnhealthy
	// ErrNotSupported is wrapped by New's error for a parameter that this version parses but cannot carry out.
	ErrNotSupported = run.ErrNotSupported
	// ErrImmutable is wrapped by Update's error for a parameter that AWS does not let one change either.
	ErrImmutable = mapping.ErrImmutable
	// ErrNotAssigned is wrapped by the error of an operation on a partition that this process does not hold, or that is being
	// taken away from it.
	ErrNotAssigned = observe.ErrNotAssigned
	// ErrOperationPending is wrapped by the error of an operation that was begun, and whose commit did not follow in time.
	ErrOperationPending = observe.ErrOperationPending
	// ErrInvalidMapping is wrapped by every *FieldError.
	ErrInvalidMapping = mapping.ErrInvalid
)

// Causes with which a handler's context ends; see context.Cause.
var (
	// ErrStopping: Run is stopping and the handlers' share of the stop timeout has passed.
	ErrStopping = observe.ErrStopping
	// ErrInvocationTimeout: the invocation ran longer than WithInvocationTimeout allows.
	ErrInvocationTimeout = observe.ErrInvocationTimeout
	// ErrPartitionsGone: every partition of the batch was taken away from this member. What the handler still does will
	// be repeated elsewhere.
	ErrPartitionsGone = observe.ErrPartitionsGone
)

// Errors that a handler returns to steer what happens next. Any other error means: try again, as the mapping says.

// Permanent marks err as one that no retry will mend: the batch's records go the way of those whose retries are
// exhausted, at once. Around ItemFailures it means those items alone; the rest of the batch has succeeded.
// Permanent(nil) is nil.
func Permanent(err error) error { return verdict.Permanent(err) }

// Throttled marks err as a sign of overload: the batch is tried again after a growing pause, this does not count as an
// attempt of MaximumRetryAttempts, and the scaler sees it. Throttled(nil) is nil.
func Throttled(err error) error { return verdict.Throttled(err) }

// ItemFailures is Lambda's partial batch response: the records named failed, the others of the batch succeeded. With
// no ids it is nil, as an empty batchItemFailures means success. It is honoured when the mapping's
// FunctionResponseTypes has ReportBatchItemFailures; without that it is an ordinary error, and the whole batch is
// retried. An id that is not in the event makes the whole batch fail, as on Lambda. Wrap it with fmt.Errorf and %w to say
// why.
func ItemFailures(ids ...ItemID) error { return verdict.ItemFailures(ids) }
