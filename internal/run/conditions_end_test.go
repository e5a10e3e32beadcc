package run

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// The condition of failing commits ends when there is nothing left to commit: what was handled went with its partition.
func TestCommitsThatNobodyNeeds(t *testing.T) {
	inBubble(t, "the partition is another process's by then", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		d := &wire{Driver: b.Driver()}
		var refusing atomic.Bool
		d.commit = func(_ int, ctx context.Context, c driver.Consumer, commits []driver.Commit) error {
			if refusing.Load() {
				return &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("no coordinator")}
			}
			return c.Commit(ctx, commits)
		}
		x := newRig(t, b, defaults(), nil, WithDriver(d), WithRevokeTimeout(2*time.Second)).start()
		pass(time.Second)
		y := newRig(t, b, defaults(), nil).launch()
		pass(time.Second)
		refusing.Store(true)
		b.Produce("t", numbered(3)...)
		pass(10 * time.Second)
		wantKinds(t, "while they fail", x.runner.Status(), "commit unavailable")
		b.Revoke()
		pass(10 * time.Minute)
		if got := y.seen(0); got != "[0 1 2]" {
			t.Fatalf("the new owner handled %s", got)
		}
		if s, err := x.runner.Status(), x.runner.Healthy(); len(s.Conditions) != 0 || err != nil {
			t.Errorf("without a partition: %v, %v", kinds(s), err)
		}
		x.mustStop()
		y.mustStop()
	})
}

// A probe of the brokers ends conditions reported before it started, but none reported while it was running.
func TestReportedDuringAProbe(t *testing.T) {
	inBubble(t, "no broker answers the client", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		report := func() {
			b.Report("g", &driver.Error{Kind: driver.KindUnavailable, TopicPartition: event.TopicPartition{Partition: -1}, Offset: -1, Err: errors.New("script")})
		}
		var probes atomic.Int32
		d := &tap{Driver: b.Driver()}
		r := newRig(t, b, defaults(), nil, WithDriver(d), WithLagInterval(time.Hour)).start()
		pass(3 * time.Second)
		d.set(func(d *tap) {
			d.listed = func([]driver.OffsetQuery, []driver.OffsetAnswer) {
				if probes.Add(1) == 1 {
					report()
					time.Sleep(2 * time.Second)
				}
			}
		})
		report()
		for probes.Load() == 0 {
			pass(100 * time.Millisecond)
		}
		pass(2200 * time.Millisecond)
		wantKinds(t, "after the look that it was reported in", r.runner.Status(), "poll unavailable")
		pass(5 * time.Minute)
		wantKinds(t, "after the next one", r.runner.Status())
		r.mustStop()
	})
}
