package event

import (
	"context"
	"time"
)

// Invocation describes the batch that a handler is called with.
type Invocation struct {
	// ID is unique in this process, for logs.
	ID uint64
	// FunctionName and UUID are the mapping's.
	FunctionName, UUID string
	// Attempt is 1 for the first attempt of the batch's head record, and increases with its retries.
	Attempt int
	// FirstFailure is when the batch's head record first failed; zero on the first attempt.
	FirstFailure time.Time
	// Deadline is when WithInvocationTimeout ends the context; zero without it.
	Deadline time.Time
	// Records is the number of records in the batch, Bytes the approximate size of its JSON (KafkaEvent.Size is exact).
	Records, Bytes int
	// ReportBatchItemFailures is set if the mapping's FunctionResponseTypes asks for partial batch responses. Without it
	// ItemFailures fails the whole batch, and batchItemFailures in a Lambda response are ignored.
	ReportBatchItemFailures bool
}

type invocationKey struct{}

// WithInvocation returns a context that carries the facts of an invocation, for [InvocationFromContext]. A mapping
// calls it before each invocation; tests of a handler may call it too. inv is not copied and must not be modified
// afterwards.
func WithInvocation(ctx context.Context, inv *Invocation) context.Context {
	return context.WithValue(ctx, invocationKey{}, inv)
}

// InvocationFromContext returns the facts of the invocation that ctx belongs to, and false if ctx is not a handler's.
func InvocationFromContext(ctx context.Context) (Invocation, bool) {
	inv, ok := ctx.Value(invocationKey{}).(*Invocation)
	if !ok {
		return Invocation{}, false
	}
	return *inv, true
}
