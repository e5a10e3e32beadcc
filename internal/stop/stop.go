package stop

import (
	"sync"
	"time"
)

const (
	// DefaultTimeout is below the 30 s after which Kubernetes kills a process.
	DefaultTimeout = 25 * time.Second
	// minimum bounds a stop that interrupts handlers at once.
	minimum = 5 * time.Second
	// Reserve is what a stop keeps for what follows the handlers, but at most two fifths of its time: the end of handlers
	// whose context has ended, the last commit, and leaving the group.
	Reserve = 7 * time.Second
	// Goodbye bounds leaving the group and closing the client. Nothing depends on these: the group notices by itself.
	Goodbye = 5 * time.Second
)

// Bound returns how long a stop may take, and for how much of that handlers may run on.
func Bound(timeout time.Duration) (all, handlers time.Duration) {
	if timeout == 0 {
		return minimum, 0
	}
	return timeout, timeout - min(Reserve, timeout*2/5)
}

// Process is the stop of a process's Run: when it began and when it has to be over. It is safe for concurrent use.
type Process struct {
	mu    sync.Mutex
	at    time.Time
	by    time.Time
	Begun chan struct{} // closed when the stop begins
	// Asked reports whether Run's context has ended. The members' own contexts end a moment later. It is set before there
	// are members.
	Asked func() bool
}

// Init prepares s for use.
func (s *Process) Init() {
	s.Begun = make(chan struct{})
	s.Asked = func() bool { return false }
}

// Begin begins the stop. It returns false if it had begun already.
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

// Times returns when the stop began and when it has to be over; both are zero before it begins.
func (s *Process) Times() (at, by time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, s.by
}

// MemberBy returns when a member's stop has to be over, a little earlier than that of Run.
func (s *Process) MemberBy() time.Time {
	at, by := s.Times()
	if at.IsZero() {
		return at
	}
	return by.Add(-by.Sub(at) / 50)
}
