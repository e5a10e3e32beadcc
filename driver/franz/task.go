package franz

import "context"

// goTask runs f in a goroutine that Close waits for. It returns false, without running f, after endTasks.
func (c *consumer) goTask(f func()) bool {
	c.tasksMu.Lock()
	defer c.tasksMu.Unlock()
	if !c.ended {
		c.tasks.Go(f)
	}
	return !c.ended
}

// call runs f, which sends a request, and stops waiting for it when ctx ends: kgo checks a context between its
// attempts, but not while it dials or holds requests back.
func call[T any](ctx context.Context, c *consumer, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var zero T
	done := make(chan answer, 1)
	if !c.goTask(func() {
		value, err := f()
		done <- answer{value, err}
	}) {
		return zero, ErrClosed
	}
	select {
	case a := <-done:
		if a.err != nil && c.life.Err() != nil {
			return zero, ErrClosed
		}
		if a.err != nil && ctx.Err() != nil {
			return zero, ctx.Err()
		}
		return a.value, a.err
	case <-ctx.Done():
		return zero, ctx.Err()
	}
}

func (c *consumer) endTasks() {
	c.endLife()
	c.tasksMu.Lock()
	c.ended = true
	c.tasksMu.Unlock()
	c.tasks.Wait()
}
