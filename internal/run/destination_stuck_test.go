package run

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/condition"
	"github.com/esm-go/esm/internal/stop"
	"github.com/esm-go/esm/observe"
)

// losing keeps what it is sent, and loses its first responses.
type losing struct {
	scriptedDestination
	lost int
}

func (d *losing) Send(ctx context.Context, f *destination.Failure) error {
	_ = d.scriptedDestination.Send(ctx, f)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost--; d.lost >= 0 {
		return errors.New("no answer")
	}
	return nil
}

// A Send that does not return is waited for no longer than a handler, and its later result is not committed.
func TestDestinationThatDoesNotReturn(t *testing.T) {
	for _, closes := range []string{"no Close", "a Close that ends it", "a Close that hangs too"} {
		inBubble(t, "a stop, with "+closes, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 2)
			d := &stubborn{release: make(chan struct{}), closes: closes}
			var to destination.Destination = d
			if closes == "no Close" {
				to = destination.Func(d.Send)
			}
			r := newMapped(t, b, poisonMapping(10), poison, WithDestination(to)).start()
			group := r.runner.Status().ConsumerGroupId
			b.Produce("t", membroker.Record{Partition: 0}, membroker.Record{Partition: 1})
			pass(time.Minute)
			if text := conditionOf(r.runner, condition.KindDelivery); !strings.Contains(text, "ignores the end of its context") {
				t.Errorf("while it runs: %q", text)
			}
			begin := time.Now()
			err := r.stop()
			if took := time.Since(begin); took > stop.DefaultTimeout {
				t.Errorf("the stop took %v", took)
			}
			var stuck *observe.StuckError
			switch named := errors.As(err, &stuck); {
			case closes == "a Close that ends it":
				if err != nil {
					t.Errorf("Run: %v", err)
				}
			case !named || len(stuck.Handlers) > 0 || !slices.ContainsFunc(stuck.Calls, func(c observe.StuckCall) bool { return c.Op == observe.OpDestination && !c.Since.IsZero() }):
				t.Errorf("Run: %v", err)
			}
			if want := map[bool]int32{true: 0, false: 1}[closes == "no Close"]; d.closed.Load() != want {
				t.Errorf("%d calls of Close, want %d", d.closed.Load(), want)
			}
			if at0, at1 := b.Committed(group, "t", 0).Offset, b.Committed(group, "t", 1).Offset; at0 != 0 || at1 != 1 {
				t.Errorf("committed %d and %d", at0, at1)
			}
			d.let()
			pass(time.Minute)
			if at := b.Committed(group, "t", 0).Offset; at != 0 {
				t.Errorf("committed %d in the end", at)
			}
		})
	}
	inBubble(t, "a revocation", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &stubborn{release: make(chan struct{})}
		r := newMapped(t, b, poisonMapping(10), poison, WithDestination(d)).start()
		group := r.runner.Status().ConsumerGroupId
		b.Produce("t", numbered(1)...)
		pass(time.Minute)
		b.Revoke(event.TopicPartition{Topic: "t"})
		pass(30 * time.Second)
		// By now they were read again and are in a second Send, concurrent with the abandoned one.
		if n := d.sends.Load(); n != 2 || b.Committed(group, "t", 0).Offset != 0 {
			t.Errorf("%d sends, committed %d", n, b.Committed(group, "t", 0).Offset)
		}
		d.let()
		pass(time.Minute)
		if at := b.Committed(group, "t", 0).Offset; at != 1 || len(r.runner.Status().Conditions) != 0 {
			t.Errorf("committed %d, %v", at, r.runner.Status().Conditions)
		}
		r.mustStop()
	})
}

// stubborn is a destination whose Send ignores its context.
type stubborn struct {
	release chan struct{}
	once    sync.Once
	closes  string
	sends   atomic.Int32
	closed  atomic.Int32
}

func (d *stubborn) Send(context.Context, *destination.Failure) error {
	d.sends.Add(1)
	<-d.release
	if d.closes == "" {
		return nil
	}
	return errors.New("closed")
}

func (d *stubborn) let() { d.once.Do(func() { close(d.release) }) }

func (d *stubborn) Close(context.Context) error {
	d.closed.Add(1)
	if d.closes == "a Close that hangs too" {
		<-d.release
	}
	d.let()
	return nil
}
