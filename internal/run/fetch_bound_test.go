package run

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/scaling"
)

// feed produces perSecond records a second over partitions until ctx ends, and returns their number.
func feed(ctx context.Context, b *membroker.Broker, perSecond, partitions int) (produced int) {
	const step = 50 * time.Millisecond
	n := perSecond / int(time.Second/step)
	for ctx.Err() == nil {
		b.Produce("t", spread(n, partitions)...)
		produced += n
		time.Sleep(step)
	}
	return produced
}

func reasons(list []observe.ScaledInfo) map[scaling.Kind]bool {
	seen := make(map[scaling.Kind]bool)
	for _, i := range list {
		seen[i.Reason.Kind] = true
	}
	return seen
}

// If the handler is the bottleneck, workers increase and no member joins, however long the backlog is and however many
// members are allowed.
func TestPollersStayWhereTheHandlerIsTheBottleneck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions, backlog = 16, 40_000
		b := membroker.NewBroker(t)
		b.CreateTopic("t", partitions)
		b.Produce("t", spread(backlog, partitions)...)
		l := &load{time: 100 * time.Millisecond}
		r := newRig(t, b, polling(1, 8), l.handle, l.hooks(), WithScaler(new(scaling.Drain))).start()
		pass(2 * time.Minute) // 400 s of work for 16 workers
		wantMembers(t, b, r, 1)
		if n := r.runner.Metrics().RebalanceCount; n != 1 {
			t.Errorf("%d changes of the assignment, want the first one alone", n)
		}
		if reasons(l.decisions())[scaling.FetchBound] {
			t.Errorf("fetching was taken for the bottleneck: %v", l.decisions())
		}
		l.check(t, backlog)
		r.mustStop()
	})
}

// If a member fetches less than arrives, members join one at a time until they keep up, and leave when the load is
// gone.
func TestPollersRiseWhereFetchingIsTheBottleneck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const partitions, each, arriving = 16, 500, 1280 // records a second that a member fetches, and that are produced
		const poll = 50 * time.Millisecond
		b := membroker.NewBroker(t, membroker.FetchRuns(1), membroker.FetchRecords(each/int(time.Second/poll)))
		b.CreateTopic("t", partitions)
		b.Delay(membroker.OpPoll, poll)
		l := new(load)
		j := newJournal(taking(20 * time.Millisecond))
		r := newRig(t, b, polling(1, 8), j.handle, l.hooks(), WithScaler(new(scaling.Drain))).start()
		ctx, end := context.WithCancel(context.Background())
		fed := make(chan struct{})
		go func() { defer close(fed); feed(ctx, b, arriving, partitions) }()
		pass(6 * time.Minute)
		members := r.runner.Status().Pollers
		if members < 3 || members > 5 {
			t.Errorf("%d members, want the 3 that keep up, or one or two for what they missed: %v", members, r.runner.Status().Scaling.Reason)
		}
		if lag := b.Lag("g"); lag > 10*arriving {
			t.Errorf("lag %d: they do not keep up", lag)
		}
		before := 1
		for _, i := range l.decisions() {
			if i.To.Pollers > before+1 {
				t.Errorf("from %d members to %d at once", before, i.To.Pollers)
			}
			before = i.To.Pollers
		}
		if !reasons(l.decisions())[scaling.FetchBound] {
			t.Errorf("no decision named the fetch: %v", l.decisions())
		}
		end()
		<-fed
		b.Delay(membroker.OpPoll, 0)
		pass(20 * time.Minute)
		wantMembers(t, b, r, 1)
		j.check(t, b, partitions, b.End("t", 0))
		r.mustStop()
	})
}
