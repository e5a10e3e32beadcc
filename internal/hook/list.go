package hook

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/observe"
)

// List calls the functions of several Hooks on one goroutine, except those of a batch.
type List struct {
	list []observe.Hooks

	mu       sync.Mutex
	queue    []call
	finished bool
	// work signals that the queue has calls, or that finished is set. It is buffered for one.
	work chan struct{}
	// Ended is closed when the goroutine has ended.
	Ended chan struct{}
	// released is closed when callers no longer wait for hooks.
	released chan struct{}
	// Release makes callers stop waiting.
	Release func()

	// waiting is how many callers wait for a hook. running is the call in progress.
	waiting atomic.Int32
	running atomic.Pointer[call]
}

// call is one queued call. done is closed when it has returned.
type call struct {
	name  string
	f     func()
	done  chan struct{}
	since time.Time
}

// NewList returns a List that calls each of list.
func NewList(list []observe.Hooks) *List {
	l := &List{list: list, work: make(chan struct{}, 1), Ended: make(chan struct{}), released: make(chan struct{})}
	l.Release = sync.OnceFunc(func() { close(l.released) })
	return l
}

// Any reports whether there are Hooks.
func (l *List) Any() bool { return len(l.list) > 0 }

// Waiting reports whether a caller waits for a hook.
func (l *List) Waiting() bool { return l.waiting.Load() > 0 }

// Run is the goroutine of the hooks. It returns when Finish was called and the queue is empty.
func (l *List) Run() {
	ending := false
	defer func() {
		if ending {
			close(l.Ended)
		} else { // a hook ended the goroutine, as t.FailNow does
			go l.Run() // waited for like this one, through Ended
		}
	}()
	for {
		l.mu.Lock()
		queue, finished := l.queue, l.finished
		l.queue = nil
		l.mu.Unlock()
		for i := range queue {
			l.call(&queue[i], queue[i+1:])
		}
		if len(queue) > 0 {
			continue
		}
		if finished {
			ending = true
			return
		}
		<-l.work
	}
}

// call runs one call. If it ends the goroutine, the rest goes back to the head of the queue.
func (l *List) call(c *call, rest []call) {
	returned := false
	defer func() {
		l.running.Store(nil)
		close(c.done)
		if !returned {
			l.mu.Lock()
			l.queue = append(rest, l.queue...)
			l.mu.Unlock()
		}
	}()
	c.since = time.Now()
	l.running.Store(c)
	c.f()
	returned = true
}

// push has the goroutine call f. It returns false if Finish was called.
func (l *List) push(name string, f func()) (done chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.finished {
		return nil, false
	}
	done = make(chan struct{})
	l.queue = append(l.queue, call{name: name, f: f, done: done})
	l.wake()
	return done, true
}

func (l *List) wake() {
	select {
	case l.work <- struct{}{}:
	default:
	}
}

// Finish makes the goroutine end when all queued hooks have been called.
func (l *List) Finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished = true
	l.wake()
}

// tell calls one hook of all Hooks that have it.
func tell[T any](l *List, field func(*observe.Hooks) func(T), info T) {
	for i := range l.list {
		if f := field(&l.list[i]); f != nil {
			f(info)
		}
	}
}

// hooked reports whether any Hooks has this hook.
func hooked[T any](l *List, field func(*observe.Hooks) func(T)) bool {
	for i := range l.list {
		if field(&l.list[i]) != nil {
			return true
		}
	}
	return false
}

// inTurn calls hooks and waits for them, until Release is called. It reports whether they have returned.
func inTurn[T any](l *List, name string, field func(*observe.Hooks) func(T), info T) (told bool) {
	if !hooked(l, field) {
		return true
	}
	done, ok := l.push(name, func() { tell(l, field, info) })
	if !ok {
		return false
	}
	l.waiting.Add(1)
	defer l.waiting.Add(-1)
	select {
	case <-done:
		return true
	case <-l.released:
	}
	select {
	case <-done: // both channels may have been ready
		return true
	default:
		return false
	}
}

// later calls hooks without waiting.
func later[T any](l *List, name string, field func(*observe.Hooks) func(T), info T) {
	if hooked(l, field) {
		l.push(name, func() { tell(l, field, info) })
	}
}

// Stuck returns the hook that has not returned, nil if there is none.
func (l *List) Stuck() *observe.StuckCall {
	select {
	case <-l.Ended:
		return nil
	default:
	}
	c := l.running.Load()
	if c == nil {
		return nil
	}
	return &observe.StuckCall{Op: observe.OpHook, Since: c.since, Err: errors.New("Hooks." + c.name + " has not returned")}
}
