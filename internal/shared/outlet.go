package shared

import (
	"sync"

	"github.com/esm-go/esm/destination"
)

// Outlet sends to the on-failure destination. It is safe for concurrent use.
type Outlet struct {
	Sender *destination.Sender

	mu sync.Mutex
}

// Changed calls f after the state of a Send changed; failing reports whether any Send fails now. Calls of f do not
// overlap.
func (o *Outlet) Changed(f func(failing bool)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f(o.Sender.Status().Failing > 0)
}
