package run

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
)

// lateDriver can hold back what a Poll returns, like a slow filter on the poll goroutine.
type lateDriver struct {
	driver.Driver
	hold    atomic.Bool
	release chan struct{}
	holding atomic.Int64 // records of the Poll that is held back
}

func (d *lateDriver) Open(cfg driver.Config, l driver.Listener) (driver.Consumer, error) {
	c, err := d.Driver.Open(cfg, l)
	return &lateConsumer{c, d}, err
}

type lateConsumer struct {
	driver.Consumer
	d *lateDriver
}

func (c *lateConsumer) Poll(ctx context.Context, into *driver.Fetch) error {
	err := c.Consumer.Poll(ctx, into)
	if len(into.Runs) > 0 && c.d.hold.Load() {
		for i := range into.Runs {
			c.d.holding.Add(int64(len(into.Runs[i].Records)))
		}
		<-c.d.release
	}
	return err
}

// stale is a topic that is recreated while records of the old topic are on their way to the loop.
type stale struct{ Before, Late, After, Batch int }

func (s stale) play(t testing.TB) error {
	b := membroker.NewBroker(nil)
	values := func(prefix string, n int) (records []membroker.Record) {
		for i := range n {
			records = append(records, membroker.Record{Value: fmt.Appendf(nil, "%s%d", prefix, i)})
		}
		return records
	}
	b.CreateTopic("t", 1)
	b.Produce("t", values("before", s.Before)...)
	settings := defaults()
	settings.BatchSize = s.Batch
	d := &lateDriver{Driver: b.Driver(), release: make(chan struct{})}
	r := newRig(t, b, settings, nil, WithDriver(d), WithLagInterval(5*time.Second)).start()
	pass(time.Minute)
	d.hold.Store(true)
	b.Produce("t", values("late", s.Late)...)
	pass(2 * time.Second)
	if n := d.holding.Load(); n != int64(s.Late) {
		return fmt.Errorf("%d records are on their way, want %d", n, s.Late)
	}
	b.RecreateTopic("t")
	pass(20 * time.Second) // the check of topic ids shows it, and the partition restarts
	d.hold.Store(false)
	close(d.release)
	b.Produce("t", values("after", s.After)...)
	pass(time.Minute)
	if err := r.stop(); err != nil {
		return err
	}
	var got []string
	for _, e := range r.events() {
		for _, rec := range e.Records["t-0"] {
			got = append(got, string(rec.Value))
		}
	}
	var want []string
	for _, rec := range append(values("before", s.Before), values("after", s.After)...) {
		want = append(want, string(rec.Value))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("handled %v, want %v", got, want)
	}
	if k := b.Committed("g", "t", 0).Offset; k != int64(s.After) {
		return fmt.Errorf("committed %d, want %d", k, s.After)
	}
	return nil
}

// Records that were read before their partition was restarted are not handled, and do not move its position.
func TestStaleRuns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := stale{
			Before: rapid.IntRange(0, 30).Draw(rt, "before"),
			Late:   rapid.IntRange(1, 30).Draw(rt, "late"),
			After:  rapid.IntRange(0, 30).Draw(rt, "after"),
			Batch:  rapid.SampledFrom([]int{1, 7, 100}).Draw(rt, "batch"),
		}
		var err error
		synctest.Test(t, func(t *testing.T) { err = s.play(t) })
		if err != nil {
			rt.Fatalf("%+v: %v", s, err)
		}
	})
}
