package stream

import (
	"context"
	"time"

	"github.com/esm-go/esm/internal/operation"
)

// carryOut has the loop carry out an operation, and waits for it. It runs on the caller's goroutine.
func (m *Member) carryOut(ctx context.Context, o *operation.Operation) error {
	loop := operation.Loop{Control: m.control, Closed: m.closed, Stopping: m.shared.Stopping.Begun}
	return o.CarryOut(ctx, loop, func() { m.operations.TakeIn(o, m.parts[o.TP], m.stop.phase != working) })
}

// advanceOperations carries out the operations that can be carried out now.
func (m *Member) advanceOperations(now time.Time) {
	m.operations.Advance(now, m.parts, m.stop.phase != working, m.publish)
}
