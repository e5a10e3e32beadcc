package commit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
)

// ran runs f beside the commit goroutine in a bubble, and ends the goroutine afterwards.
func ran(t *testing.T, f func(t *testing.T, b *membroker.Broker, c *Commits)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		c, client := prepared(0), member(t, b)
		closed, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			c.Run(context.Background(), client, closed)
		}()
		f(t, b, c)
		close(closed)
		<-ended
	})
}

// ask requests a commit of partition i.
func ask(t *testing.T, c *Commits, i int32) {
	t.Helper()
	p := running(i, 5, 3)
	p.Assignment = 0
	c.Mark(p)
	if c.Advance(time.Now(), true, false); c.UnderWay() == nil {
		t.Fatal("no commit begins")
	}
}

// Requests are answered in order, each with its duration.
func TestRunAnswers(t *testing.T) {
	ran(t, func(t *testing.T, b *membroker.Broker, c *Commits) {
		b.Delay(membroker.OpCommit, 30*time.Millisecond)
		for i := range int32(2) {
			ask(t, c, i)
			r := <-c.Answers
			if r.Err != nil || r.Took != 30*time.Millisecond || len(r.Commits) != 1 || r.Commits[0].Partition != i {
				t.Errorf("the answer is %+v", r)
			}
			if got := b.Committed("g", "t", i).Offset; got != 5 {
				t.Errorf("the group has %d", got)
			}
			c.Take(time.Now(), r)
		}
		if c.Began() != 0 {
			t.Error("a commit is at the client, and all are answered")
		}
	})
}

// A commit may take at most 15 s, and Began returns when it started.
func TestRunIsBounded(t *testing.T) {
	ran(t, func(t *testing.T, b *membroker.Broker, c *Commits) {
		release := b.Hang(membroker.OpCommit)
		defer release()
		if c.Began() != 0 {
			t.Error("a commit is at the client, and none was asked for")
		}
		begun := time.Now()
		ask(t, c, 0)
		synctest.Wait()
		if c.Began() != begun.UnixNano() {
			t.Errorf("a commit is at the client since %v, want %v", c.Began(), begun.UnixNano())
		}
		r := <-c.Answers
		if took := time.Since(begun); took != 15*time.Second || r.Took != took || !errors.Is(r.Err, context.DeadlineExceeded) {
			t.Errorf("after %v the answer is %+v", took, r)
		}
		synctest.Wait()
		if c.Began() != 0 {
			t.Error("a commit is at the client, and it was given up")
		}
	})
}

// The goroutine ends when closed is closed, even with an answer that nothing receives.
func TestRunEnds(t *testing.T) {
	ran(t, func(t *testing.T, _ *membroker.Broker, c *Commits) {
		c.Answers <- Result{} // the channel holds one
		ask(t, c, 0)
		synctest.Wait()
	})
}
