package goroutine

import "sync"

// Pool calls a function on goroutines, and keeps them for later calls. A new goroutine has a stack of a few kilobytes, and each
// growth copies the stack; a kept goroutine has the stack that earlier calls needed. The garbage collector shrinks the stacks
// of those that wait.
//
// Only one goroutine may call Go and Close.
type Pool[T any] struct {
	call func(T)
	next chan T // goroutines that wait for a call receive from it

	mu      sync.Mutex
	closed  bool
	waiting sync.WaitGroup
}

// New returns a Pool that calls call.
func New[T any](call func(T)) *Pool[T] { return &Pool[T]{call: call, next: make(chan T)} }

// Go calls the function with x on a goroutine that waits, or else on a new one. It does not block.
func (p *Pool[T]) Go(x T) {
	select {
	case p.next <- x:
	default:
		go p.run(x) // until Close, or until the function ends the goroutine
	}
}

func (p *Pool[T]) run(x T) {
	for ok := true; ok; x, ok = p.wait() {
		p.call(x)
	}
}

// wait returns the next call; ok is false when there will be none.
func (p *Pool[T]) wait() (x T, ok bool) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return x, false
	}
	p.waiting.Add(1)
	p.mu.Unlock()
	defer p.waiting.Done()
	x, ok = <-p.next
	return x, ok
}

// Close ends the goroutines that wait, and returns when they have ended. A goroutine that is in a call ends when the call
// returns, and Close does not wait for it.
func (p *Pool[T]) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	close(p.next)
	p.waiting.Wait()
}
