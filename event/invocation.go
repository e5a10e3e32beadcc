package event

import (
	"context"
	"time"
)

// Invocation is what a handler can learn about the batch at hand.
type Invocation struct {
	// ID is unique in this process, for logs.
	ID uint64
	// FunctionName and UUID are the mapping's.
	FunctionName, UUID string
	// Attempt is 1 for the first try of the batch's head record, and counts up with its retries.
	Attempt int
	// FirstFailure is when the batch's head record failed first; zero on the first attempt.
	FirstFailure time.Time
	// Deadline is when the context ends by WithInvocationTimeout; zero without one.
	Deadline time.Time
	// Records is the number of records of the batch, Bytes about the size of its JSON (KafkaEvent.Size is exact).
	Records, Bytes int
	// ReportBatchItemFailures: the mapping's FunctionResponseTypes asks for partial batch responses. Without it
	// ItemFailures is a failure of the whole batch, and a Lambda answer's batchItemFailures mean nothing.
	ReportBatchItemFailures bool
}

type invocationKey struct{}

// WithInvocation returns a context that carries the facts of an invocation, for [InvocationFromContext]. A mapping calls
// it before each invocation; tests of a handler may. The facts are not copied: they must not change any more.
func WithInvocation(ctx context.Context, inv *Invocation) context.Context {
	return context.WithValue(ctx, invocationKey{}, inv)
}

// InvocationFromContext returns the facts of the invocation that ctx belongs to; false when ctx is not of a handler.
func InvocationFromContext(ctx context.Context) (Invocation, bool) {
	inv, ok := ctx.Value(invocationKey{}).(*Invocation)
	if !ok {
		return Invocation{}, false
	}
	return *inv, true
}
