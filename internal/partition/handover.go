package partition

import (
	"context"
	"sync"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
)

// Handover is a partition's head unit on its way to the destination. The partition waits for its end.
type Handover struct {
	Of     *Partition
	Why    destination.Condition
	Answer *destination.Response
	Since  time.Time
	End    context.CancelCauseFunc
	Err    error
}

// Handovers are those that came to their end, for the loop. Safe for concurrent use: who adds never waits.
type Handovers struct {
	mu   sync.Mutex
	list []*Handover
	Word chan struct{} // buffered: there are some
}

// Add adds one.
func (h *Handovers) Add(one *Handover) {
	h.mu.Lock()
	h.list = append(h.list, one)
	h.mu.Unlock()
	select {
	case h.Word <- struct{}{}:
	default:
	}
}

// Take takes them all.
func (h *Handovers) Take() []*Handover {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.list
	h.list = nil
	return list
}

// Recall ends the sending of a partition's records; what was acknowledged before that still counts while p lives.
func (p *Partition) Recall(cause error) {
	if p.Sending != nil {
		p.Sending.End(cause)
	}
}

// ResponseOf is what a unit's function answered last, nil when it was not invoked.
func ResponseOf(u *batch.Unit, partial bool) *destination.Response {
	if u.Tries == 0 {
		return nil
	}
	r := &destination.Response{StatusCode: 200, ExecutedVersion: "$LATEST", FunctionError: "Unhandled"}
	if partial {
		r.FunctionError = ""
	}
	return r
}

// GivenUp is a unit with what its last invocation left of it to give up.
func GivenUp(u batch.Unit, gone []event.KafkaRecord, now time.Time) batch.Unit {
	u.Records, u.Size = gone, batch.EncodedSize(gone)
	u.Tries++
	u.Attempts++
	if u.FirstFailure.IsZero() {
		u.FirstFailure = now
	}
	return u
}
