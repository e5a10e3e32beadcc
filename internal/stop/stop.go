package stop

import (
	"sync"
	"time"
)

const (
	// DefaultTimeout is below the 30 s after which Kubernetes kills.
	DefaultTimeout = 25 * time.Second
	// minimum bounds a stop that interrupts handlers at once.
	minimum = 5 * time.Second
	// Reserve is what a stop keeps, of up to two fifths of its time, for what follows the handlers: the end of those
	// whose context has ended, the last commit, leaving the group.
	Reserve = 7 * time.Second
	// Goodbye bounds leaving the group and closing the client: nothing depends on it, the group notices by itself.
	Goodbye = 5 * time.Second
)

// Bound says how long a stop may take, and how much of that handlers may go on.
func Bound(timeout time.Duration) (all, handlers time.Duration) {
	if timeout == 0 {
		return minimum, 0
	}
	return timeout, timeout - min(Reserve, timeout*2/5)
}

// Process is the stop of a process's Run: when it began and by when it has to be over. Safe for concurrent use.
type Process struct {
	mu    sync.Mutex
	at    time.Time
	by    time.Time
	Begun chan struct{} // closed then
	// Asked reports whether the context of Run has ended, of which whoever has a context of its own hears a moment later. It is
	// set before there are any.
	Asked func() bool
}

// Init makes it ready for use.
func (s *Process) Init() {
	s.Begun = make(chan struct{})
	s.Asked = func() bool { return false }
}

// Begin begins it; false when it had begun.
func (s *Process) Begin(timeout time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() {
		return false
	}
	all, _ := Bound(timeout)
	s.at = time.Now()
	s.by = s.at.Add(all)
	close(s.Begun)
	return true
}

// Times are when it began and when it has to be over; zero before it begins.
func (s *Process) Times() (at, by time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, s.by
}

// MemberBy is when a member's stop has to be over, a little earlier.
func (s *Process) MemberBy() time.Time {
	at, by := s.Times()
	if at.IsZero() {
		return at
	}
	return by.Add(-by.Sub(at) / 50)
}
