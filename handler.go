package esm

import (
	"context"

	"github.com/esm-go/esm/event"
)

// The event's types live in package event, where the drivers can reach them.
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
	// Invocation is what a handler can learn about the batch at hand.
	Invocation = event.Invocation
)

// Handler handles one batch. Nil means that every record of it is done; see Permanent, Throttled and ItemFailures for
// what else it can say. Any other error, and a panic, means that the batch failed.
//
// The event belongs to the handler, see KafkaEvent for what it may write: whatever it does to it, what is committed, tried
// again and dropped stays what was read.
//
// Several invocations run at the same time, never two for one partition. The context outlives the context of Run by
// the stop timeout, so that a stop does not cut work short; it ends with the cause ErrStopping, ErrInvocationTimeout
// or ErrPartitionsGone. An error that the handler returns after a stop or a rebalance ended its context is no failure: it
// uses no attempt and drops nothing, the records are handled again by whoever reads them next; nil means that they are
// done, as always. After ErrInvocationTimeout an error is a failure. InvocationFromContext gives the batch's facts.
//
// A goroutine that ran a handler is used for later batches: what a handler ties to its goroutine, such as runtime.LockOSThread
// or pprof.SetGoroutineLabels, it must undo before it returns.
type Handler func(ctx context.Context, event KafkaEvent) error

// Middleware wraps a Handler. WithMiddleware applies the first one outermost.
type Middleware func(Handler) Handler

// InvocationFromContext returns the facts of the invocation that ctx belongs to; false when ctx is not of a handler.
func InvocationFromContext(ctx context.Context) (Invocation, bool) {
	return event.InvocationFromContext(ctx)
}
