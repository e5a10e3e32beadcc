package esm

import (
	"context"

	"github.com/esm-go/esm/event"
)

// The event's types are defined in package event, so that drivers can use them.
type (
	// KafkaEvent is one batch of records: Lambda's event for self-managed Apache Kafka.
	KafkaEvent = event.KafkaEvent
	// KafkaRecord is one record of an event.
	KafkaRecord = event.KafkaRecord
	// Header is one header of a record.
	Header = event.Header
	// ItemID names a record in a partial batch response.
	ItemID = event.ItemID
	// LogPosition is a place in a partition's log, for Runner.Seek.
	LogPosition = event.LogPosition
	// TopicPartition names a partition.
	TopicPartition = event.TopicPartition
	// Invocation describes the batch that a handler is called with.
	Invocation = event.Invocation
)

// Handler handles one batch. Nil means that every record of it is done; Permanent, Throttled and ItemFailures have
// special meanings. Any other error, and a panic, means that the batch failed.
//
// The event belongs to the handler; see KafkaEvent for what it may modify. Such modifications do not affect what is
// committed, retried or dropped.
//
// Several invocations run at the same time, but never two for one partition. The context outlives the context of Run by
// up to the stop timeout, so that a stop does not interrupt work; it ends with the cause ErrStopping,
// ErrInvocationTimeout or ErrPartitionsGone. An error returned after a stop or a rebalance has ended the context is no
// failure: it uses no attempt and drops nothing, and the records are handled again by their next reader; nil still
// means that they are done. An error after ErrInvocationTimeout is a failure. InvocationFromContext returns the facts
// of the batch.
//
// The goroutine of a handler is reused for later batches: what a handler ties to its goroutine, such as with
// runtime.LockOSThread or pprof.SetGoroutineLabels, it must undo before it returns.
type Handler func(ctx context.Context, event KafkaEvent) error

// Middleware wraps a Handler. WithMiddleware applies the first one outermost.
type Middleware func(Handler) Handler

// InvocationFromContext returns the facts of the invocation that ctx belongs to, and false if ctx is not a handler's.
func InvocationFromContext(ctx context.Context) (Invocation, bool) {
	return event.InvocationFromContext(ctx)
}
