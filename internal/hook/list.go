package hook

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/esm-go/esm/observe"
)

// List calls each of several Hooks, on a goroutine of its own but for those of a batch.
type List struct {
	list []observe.Hooks

	mu       sync.Mutex
	queue    []call
	finished bool
	// work holds a word when there is something in the queue, or it is finished.
	work chan struct{}
	// Ended is closed when the goroutine has ended.
	Ended chan struct{}
	// released is closed when nobody waits for a hook any more.
	released chan struct{}
	// Release has nobody wait any more.
	Release func()

	// waiting is how many wait for a hook, running the one that runs.
	waiting atomic.Int32
	running atomic.Pointer[call]
}

// call is one call that stands in the queue. Done is closed when it has returned.
type call struct {
	name  string
	f     func()
	done  chan struct{}
	since time.Time
}

// NewList makes the list of several Hooks.
func NewList(list []observe.Hooks) *List {
	l := &List{list: list, work: make(chan struct{}, 1), Ended: make(chan struct{}), released: make(chan struct{})}
	l.Release = sync.OnceFunc(func() { close(l.released) })
	return l
}

// Any reports whether there are Hooks.
func (l *List) Any() bool { return len(l.list) > 0 }

// Waiting reports whether somebody waits for a hook.
func (l *List) Waiting() bool { return l.waiting.Load() > 0 }

// Run is the goroutine of the hooks. It ends when it is told to finish and the queue is empty.
func (l *List) Run() {
	ending := false
	defer func() {
		if ending {
			close(l.Ended)
		} else { // a hook ended its goroutine, as t.FailNow does
			go l.Run() // awaited as this one is, through Ended
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

// call runs one call. The rest goes back to the queue's head when it does not return.
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

// push has the goroutine call f; false when it is past that.
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

// Finish has the goroutine end when all has been told.
func (l *List) Finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished = true
	l.wake()
}

// tell calls one field of every Hooks that has it.
func tell[T any](l *List, field func(*observe.Hooks) func(T), info T) {
	for i := range l.list {
		if f := field(&l.list[i]); f != nil {
			f(info)
		}
	}
}

// hooked reports whether any Hooks has a field.
func hooked[T any](l *List, field func(*observe.Hooks) func(T)) bool {
	for i := range l.list {
		if field(&l.list[i]) != nil {
			return true
		}
	}
	return false
}

// inTurn calls hooks and waits for them, until nobody does any more. It reports whether they have returned.
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
	case <-done: // both were so
		return true
	default:
		return false
	}
}

// later calls hooks with nobody waiting.
func later[T any](l *List, name string, field func(*observe.Hooks) func(T), info T) {
	if hooked(l, field) {
		l.push(name, func() { tell(l, field, info) })
	}
}

// Stuck names the hook that has not returned, nil when there is none.
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
