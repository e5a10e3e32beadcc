package shared

import (
	"sync"

	"github.com/esm-go/esm/destination"
)

// Outlet is what sends to the on-failure destination. Safe for concurrent use.
type Outlet struct {
	Sender *destination.Sender

	mu sync.Mutex
}

// Changed takes in that something has changed for a failure on its way: f gets whether any Send fails now. There is one call of f
// at a time.
func (o *Outlet) Changed(f func(failing bool)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f(o.Sender.Status().Failing > 0)
}
