package function

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/event"
)

// PayloadLimit is Lambda's limit for the payload of a synchronous invocation, and for its answer: 6 MB, 6,291,456
// bytes.
const PayloadLimit = 6 << 20

// Request is one invocation.
type Request struct {
	// ID is the request ID, a random UUID.
	ID string
	// Payload is the event's JSON. The Invoker must not keep it after Invoke returns.
	Payload []byte
}

// Invoker sends a Request to a function and returns its Answer. It must be safe for concurrent use, and must return
// soon after ctx ends. It returns an error if there is no answer. If the function was not reached, the error wraps
// ErrNotInvoked, or is a *ConfigError or a *ThrottleError.
type Invoker interface {
	Invoke(ctx context.Context, req Request) (Answer, error)
}

// Caller turns an Invoker into a Handler. The targets embed it. It is safe for concurrent use.
type Caller struct {
	name    string
	invoker Invoker
	limit   int
	log     *slog.Logger
	told    atomic.Bool
}

// NewCaller returns a Caller for the named function. limit is the maximum size of an event's JSON in bytes: 0 means
// PayloadLimit, a negative value means no limit. A nil logger means slog.Default.
func NewCaller(name string, invoker Invoker, limit int, log *slog.Logger) *Caller {
	if limit == 0 {
		limit = PayloadLimit
	}
	if log == nil {
		log = slog.Default()
	}
	return &Caller{name: name, invoker: invoker, limit: limit, log: log}
}

// Handle invokes the function with the event. It is an esm.Handler; the package documentation describes what it
// returns.
func (c *Caller) Handle(ctx context.Context, e esm.KafkaEvent) error {
	payload := e.AppendJSON(nil)
	if c.limit > 0 && len(payload) > c.limit {
		err := fmt.Errorf("%w: %d bytes of JSON for function %s, the limit is %d", ErrPayloadTooLarge, len(payload), c.name, c.limit)
		if e.Len() > 1 {
			return err // only a direct call has such a batch: a mapping closes a batch before the limit
		}
		return esm.Permanent(err)
	}
	req := Request{ID: newRequestID(), Payload: payload}
	answer, err := c.invoker.Invoke(ctx, req)
	if err != nil {
		return c.unanswered(ctx, err)
	}
	partial := true // a direct call, outside a mapping, sees the items
	if inv, ok := esm.InvocationFromContext(ctx); ok {
		partial = inv.ReportBatchItemFailures
	}
	ignored, err := answer.read(c, req.ID, partial)
	if ignored > 0 && !event.IgnoredItems(ctx, ignored) && c.told.CompareAndSwap(false, true) {
		c.log.Warn("the function reports batchItemFailures, which are ignored: the mapping's FunctionResponseTypes does not have ReportBatchItemFailures",
			"function", c.name, "items", ignored)
	}
	return err
}

// unanswered returns the error that a Handler returns for an Invoker's error.
func (c *Caller) unanswered(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("function %s: %w", c.name, errors.Join(context.Cause(ctx), err))
	}
	if _, ok := errors.AsType[*ThrottleError](err); ok {
		return esm.Throttled(err)
	}
	if _, ok := errors.AsType[*ConfigError](err); ok {
		return esm.Throttled(err)
	}
	if errors.Is(err, ErrNotInvoked) {
		return esm.Throttled(err)
	}
	return err
}

// newRequestID returns a random UUID (version 4).
func newRequestID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	var s [36]byte
	hex.Encode(s[:8], u[:4])
	hex.Encode(s[9:13], u[4:6])
	hex.Encode(s[14:18], u[6:8])
	hex.Encode(s[19:23], u[8:10])
	hex.Encode(s[24:], u[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
