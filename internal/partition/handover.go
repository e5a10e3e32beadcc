package partition

import (
	"context"
	"sync"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
)

// Handover is a partition's head unit on its way to the destination. The partition waits until it ends.
type Handover struct {
	Of     *Partition
	Why    destination.Condition
	Answer *destination.Response
	Since  time.Time
	End    context.CancelCauseFunc
	Err    error
}

// Handovers has the ended handovers, for the loop. It is safe for concurrent use; Add never waits.
type Handovers struct {
	mu   sync.Mutex
	list []*Handover
	Word chan struct{} // buffered: tells the loop that there are some
}

// Add adds an ended handover.
func (h *Handovers) Add(one *Handover) {
	h.mu.Lock()
	h.list = append(h.list, one)
	h.mu.Unlock()
	select {
	case h.Word <- struct{}{}:
	default:
	}
}

// Take returns all of them and empties the list.
func (h *Handovers) Take() []*Handover {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := h.list
	h.list = nil
	return list
}

// Recall cancels the sending of a partition's records. An acknowledgment from before that still counts while p lives.
func (p *Partition) Recall(cause error) {
	if p.Sending != nil {
		p.Sending.End(cause)
	}
}

// ResponseOf returns what the function last answered for a unit, nil if it was not invoked.
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

// GivenUp returns the unit reduced to gone, the records that its last invocation left to give up.
func GivenUp(u batch.Unit, gone []event.KafkaRecord, now time.Time) batch.Unit {
	u.Records, u.Size = gone, batch.EncodedSize(gone)
	u.Tries++
	u.Attempts++
	if u.FirstFailure.IsZero() {
		u.FirstFailure = now
	}
	return u
}
