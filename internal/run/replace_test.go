package run

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/observe"
)

// A client that reports that it must be replaced is replaced, and nothing is lost; a second replacement soon after is
// delayed.
func TestAClientBeyondHelpIsReplaced(t *testing.T) {
	inBubble(t, "twice", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		r := newMapped(t, b, memoryMapping(), nil).start()
		group := r.runner.Status().ConsumerGroupId
		beyond := &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: fmt.Errorf("no broker answers: %w", driver.ErrReplace)}
		first := b.Members(group)[0].ID
		b.Fail(membroker.OpPoll, 1, beyond)
		b.Produce("t", numbered(10)...)
		pass(10 * time.Second)
		if m := b.Members(group); len(m) != 1 || m[0].ID == first {
			t.Fatalf("members %+v, the first was %s", m, first)
		}
		second := b.Members(group)[0].ID
		b.Fail(membroker.OpPoll, 1, beyond)
		b.Produce("t", numbered(10)...)
		pass(10 * time.Second)
		if n := len(b.Members(group)); n != 0 {
			t.Errorf("%d members 10 s after the second failure", n)
		}
		pass(time.Minute)
		if m := b.Members(group); len(m) != 1 || m[0].ID == second {
			t.Fatalf("members %+v, the second was %s", m, second)
		}
		wantHealth(t, "after both", r, "")
		if lag := b.Lag(group); lag != 0 {
			t.Errorf("lag %d", lag)
		}
		if s := r.runner.Status(); s.Pollers != 1 || len(s.Conditions) != 0 || s.State != observe.Enabled {
			t.Errorf("%+v", s)
		}
		r.mustStop()
	})
	inBubble(t, "stopped meanwhile", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, memoryMapping(), nil).start()
		beyond := &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: fmt.Errorf("no broker answers: %w", driver.ErrReplace)}
		for range 2 {
			b.Fail(membroker.OpPoll, 1, beyond)
			pass(5 * time.Second)
		}
		if err := r.stop(); err != nil && !errors.Is(err, driver.ErrReplace) {
			t.Error(err)
		}
	})
}
