package run

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// Where a group starts is decided once: a member that gives up a partition waits for the commit of its start that is in
// flight. Otherwise the next owner would look up the end again, after records that arrived meanwhile.
func TestStartThatIsBeingCommitted(t *testing.T) {
	const slow = 2 * time.Second
	inBubble(t, "when its partition is revoked", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(3)...)
		late := &tap{Driver: b.Driver(), commit: func([]driver.Commit) { time.Sleep(slow) }}
		x := newRig(t, b, startingAt(driver.AtEnd), nil, WithDriver(late)).launch()
		pass(slow / 2)
		b.Produce("t", numbered(5)...)
		y := newRig(t, b, startingAt(driver.AtEnd), nil).launch()
		pass(slow / 4)
		b.Revoke()
		pass(20 * time.Second)
		if got := y.seen(0); got != "[3 4 5 6 7]" || x.seen(0) != "[]" {
			t.Errorf("the new owner handled %s, the old one %s", got, x.seen(0))
		}
		x.mustStop()
		y.mustStop()
	})
	inBubble(t, "when the mapping stops", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(3)...)
		b.Delay(membroker.OpCommit, slow)
		r := newRig(t, b, startingAt(driver.AtEnd), nil).launch()
		pass(slow / 2)
		r.mustStop()
		b.Produce("t", numbered(5)...)
		again := newRig(t, b, startingAt(driver.AtEnd), nil).start()
		pass(20 * time.Second)
		if got := again.seen(0); got != "[3 4 5 6 7]" {
			t.Errorf("the next process handled %s", got)
		}
		again.mustStop()
	})
}

// A stop starts no commit of a start: a hanging one would hold it up, and nothing is lost without it.
func TestStopCommitsNoStarts(t *testing.T) {
	inBubble(t, "a coordinator that is away", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newRig(t, b, startingAt(driver.AtEnd), func(context.Context, event.KafkaEvent) error {
			time.Sleep(10 * time.Second)
			return errors.New("no")
		}, WithMetadataMaxAge(5*time.Second)).start()
		b.Produce("t", numbered(1)...)
		b.CreateTopic("t", 2)
		b.Fail(membroker.OpCommit, 1000, &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("no coordinator")})
		pass(8 * time.Second) // the added partition is found, and the commit of its start fails
		b.Hang(membroker.OpCommit)
		begun := time.Now()
		r.cancel()
		err := <-r.done
		if took := time.Since(begun); err != nil || took > 6*time.Second {
			t.Errorf("the stop took %v, and the handler 2s of it: %v", took, err)
		}
	})
}

// A revocation waits for records on their way to the destination: once acknowledged they are committed, and are not
// given up again.
func TestRevocationWaitsForTheDestination(t *testing.T) {
	inBubble(t, "one that takes its time", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		to := &scriptedDestination{answer: func(context.Context, *destination.Failure) error { time.Sleep(5 * time.Second); return nil }}
		m := poisonMapping(10)
		m.MaximumRetryAttempts = new(0)
		r := newMapped(t, b, m, poison, WithDestination(to), WithRevokeTimeout(20*time.Second)).start()
		b.Produce("t", numbered(3)...)
		pass(2 * time.Second)
		b.Revoke()
		pass(time.Minute)
		if n, k := len(to.ids()), b.Committed("", "t", 0).Offset; n != 1 || k != 3 || r.seen(0) != "[0 1 2]" {
			t.Errorf("given up %d times, handled %s, committed %d", n, r.seen(0), k)
		}
		r.mustStop()
	})
}

// A member whose client has failed for good does not report the end of its partitions. They end with it: its
// replacement has all the memory and workers, and waits for a handler that the first member left behind.
func TestPartitionsEndWithTheirMember(t *testing.T) {
	inBubble(t, "a client that is replaced, over a handler that does not return", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &wire{Driver: b.Driver()}
		d.close = func(n int, ctx context.Context, c driver.Consumer) error {
			if n > 1 {
				return c.Close(ctx)
			}
			go func() { _ = c.Close(context.WithoutCancel(ctx)) }() // the revocation is not reported, because the member has ended
			return errors.New("no way back")
		}
		var dead atomic.Bool
		d.polled = func(n int, err error) error {
			if n == 1 && dead.Load() {
				return &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: driver.ErrReplace}
			}
			return err
		}
		back := make(chan struct{})
		var running, most atomic.Int32
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error {
			defer running.Add(-1)
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-back
			return nil
		}, WithDriver(d)).start()
		b.Produce("t", numbered(3)...)
		pass(2 * time.Second)
		dead.Store(true)
		pass(5 * time.Minute)
		if n := len(r.runner.Status().Partitions); d.opened.Load() != 2 || n != 1 {
			t.Fatalf("%d clients were opened, %d partitions are held", d.opened.Load(), n)
		}
		if _, partitions, _ := r.runner.shared.Workers.Counts(); partitions != 1 || r.runner.shared.Budget.Partitions.Load() != 1 {
			t.Errorf("%d partitions share the workers, %d the memory", partitions, r.runner.shared.Budget.Partitions.Load())
		}
		close(back)
		pass(time.Minute)
		if k := b.Committed("g", "t", 0).Offset; most.Load() != 1 || k != 3 {
			t.Errorf("%d invocations of one partition at a time, committed %d", most.Load(), k)
		}
		_ = r.stop()
	})
}
