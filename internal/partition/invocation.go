package partition

import (
	"context"
	"errors"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"github.com/esm-go/esm/observe"
)

// Invocation is one call of the handler.
type Invocation struct {
	event.Invocation
	Event   event.KafkaEvent // what the handler gets
	Parts   []Part
	Ctx     context.Context
	Cancel  context.CancelFunc
	Abort   context.CancelCauseFunc
	Started time.Time
	Took    time.Duration
	Err     error
	// Interrupted is whether the engine ended the context before the handler returned its error.
	Interrupted bool
	// Living counts the parts whose partition is still assigned to this member.
	Living int
	// Copy is where the engine keeps the records when the handler gets them for the first time, nil on a retry.
	Copy *batch.Copy
	// Ignored counts the items that a Lambda function reported although the mapping does not ask for them.
	Ignored atomic.Int64
}

// Heed makes the invocation count items that are ignored.
func (inv *Invocation) Heed() {
	if !inv.ReportBatchItemFailures {
		inv.Ctx = event.WithIgnoredItems(inv.Ctx, &inv.Ignored)
	}
}

// Ranges returns the offsets of a batch by partition.
func Ranges(parts []Part) map[string]observe.OffsetRange {
	r := make(map[string]observe.OffsetRange, len(parts))
	for _, p := range parts {
		r[p.Key] = observe.OffsetRange{First: p.Records[0].Offset, Last: p.Records[len(p.Records)-1].Offset}
	}
	return r
}

// Info returns what hooks get to know of the invocation.
func (inv *Invocation) Info() observe.BatchInfo {
	return observe.BatchInfo{Invocation: inv.ID, Records: inv.Records, Bytes: inv.Bytes, Attempt: inv.Attempt, Partitions: Ranges(inv.Parts)}
}

// EndedByEngine reports whether the engine ended a handler's context because of a stop, or because its partitions are
// gone. The handler's error is no verdict then. After a WithInvocationTimeout it is one.
func EndedByEngine(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return errors.Is(cause, observe.ErrStopping) || errors.Is(cause, observe.ErrPartitionsGone)
}

// Guard calls the handler and turns a panic into an error.
func Guard(ctx context.Context, h func(context.Context, event.KafkaEvent) error, e event.KafkaEvent) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &observe.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return h(ctx, e)
}

// ErrGoexit is the result of a handler that ended its goroutine.
var ErrGoexit = errors.New("esm: the handler ended its goroutine (runtime.Goexit, or FailNow of a test)")
