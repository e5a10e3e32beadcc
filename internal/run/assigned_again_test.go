package run

import (
	"context"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/observe"
)

// eavesdropper keeps the engine's listener.
type eavesdropper struct {
	driver.Driver
	listener driver.Listener
}

func (d *eavesdropper) Open(cfg driver.Config, l driver.Listener) (driver.Consumer, error) {
	d.listener = l
	return d.Driver.Open(cfg, l)
}

// If a client assigns a partition again without reporting the end of the previous assignment, that ends the previous
// assignment.
func TestAssignedWhileHeld(t *testing.T) {
	inBubble(t, "while its records are handled", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(3)...)
		d := &eavesdropper{Driver: b.Driver()}
		back := make(chan struct{})
		r := newRig(t, b, defaults(), func(context.Context, event.KafkaEvent) error { <-back; return nil }, WithDriver(d)).start()
		pass(time.Second)
		d.listener.Assigned([]event.TopicPartition{{Topic: "t"}})
		pass(time.Second)
		if _, partitions, _ := r.runner.shared.Workers.Counts(); partitions != 1 || r.runner.shared.Budget.Partitions.Load() != 1 {
			t.Errorf("%d partitions share the workers, %d the budget; want 1", partitions, r.runner.shared.Budget.Partitions.Load())
		}
		if n := len(r.events()); n != 1 {
			t.Errorf("%d invocations while the first still runs", n)
		}
		close(back)
		pass(10 * time.Second)
		if n := len(r.events()); n != 2 { // what the previous assignment handled resolves nothing
			t.Errorf("%d invocations, want 2", n)
		}
		if k := b.Committed("g", "t", 0).Offset; k != 3 || r.runner.shared.Budget.Used.Load() != 0 {
			t.Errorf("committed %d, %d bytes in the budget", k, r.runner.shared.Budget.Used.Load())
		}
		r.mustStop()
	})
}

// A member whose first assignment is revoked before it was started, and that gets nothing instead, is a spare: ready
// and healthy. The client need not report an empty assignment.
func TestSpareBeforeItsFirstStart(t *testing.T) {
	inBubble(t, "revoked while its start was looked up", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		release := b.Hang(membroker.OpCommitted)
		x := newRig(t, b, defaults(), nil).launch()
		pass(time.Second)
		y := newRig(t, b, defaults(), nil).launch()
		pass(time.Second)
		b.Revoke()
		pass(time.Second)
		release()
		pass(5 * time.Minute)
		if n := len(y.runner.Status().Partitions); n != 1 {
			t.Fatalf("the other process holds %d partitions", n)
		}
		if st, err := x.runner.Status(), x.runner.Healthy(); st.State != observe.Enabled || err != nil {
			t.Errorf("the spare process is %s: %v", st.State, err)
		}
		x.mustStop()
		y.mustStop()
	})
}
