package run

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/scaling"
)

func TestWorkersFollowABacklogWithNoRebalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions, backlog = 64, 20_000
		b := membroker.NewBroker(t)
		b.CreateTopic("t", partitions)
		b.Produce("t", spread(backlog, partitions)...)
		l := &load{time: 50 * time.Millisecond}
		r := newRig(t, b, small(), l.handle, l.hooks(), WithScaler(new(scaling.Drain)))
		if n := r.runner.shared.Workers.Limit(); n != 1 {
			t.Errorf("a policy that was chosen begins with %d workers, want the minimum", n)
		}
		r.start()
		begun := time.Now()
		for l.takeMost() < 10 {
			pass(100 * time.Millisecond)
			if time.Since(begun) > 5*time.Second {
				t.Fatalf("no rise in %v; %v", time.Since(begun), r.runner.Status().Scaling.Reason)
			}
		}
		for r.runner.Status().SumOffsetLag > 0 {
			pass(100 * time.Millisecond)
			if time.Since(begun) > time.Minute {
				t.Fatalf("lag %d after a minute", r.runner.Status().SumOffsetLag)
			}
		}
		drained := time.Since(begun)
		if drained > 14*time.Second { // 100 s of work in the drain time of 10 s
			t.Errorf("drained in %v", drained)
		}
		pass(20 * time.Second)
		s := r.runner.Status()
		if s.Workers != 1 || s.Scaling.Target.Workers != 1 || s.Metrics.Workers != 1 {
			t.Errorf("%d workers after the backlog, want 1: %v", s.Workers, s.Scaling.Reason)
		}
		if s.Metrics.RebalanceCount != 1 {
			t.Errorf("%d changes of the assignment, want the first one alone", s.Metrics.RebalanceCount)
		}
		if s.Scaling.Policy != "*scaling.Drain" || s.Scaling.Since.Before(begun) || s.Scaling.LagAge > 2*time.Second {
			t.Errorf("status %+v", s.Scaling)
		}
		l.check(t, backlog)
		up, down := false, false
		for _, i := range l.decisions() {
			up = up || i.To.Workers > i.From.Workers && i.From.Workers > 0
			down = down || i.To.Workers < i.From.Workers
			if i.Reason.String() == "" || i.Reason.To != i.To {
				t.Errorf("hook %+v", i)
			}
		}
		if !up || !down {
			t.Errorf("the hook was told of %v", l.decisions())
		}
		r.mustStop()
	})
}

// The default policy starts with all workers, so that a start is as fast as possible, and gives up those that are not
// needed.
func TestTheDefaultBeginsWithAllWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 40)
		b.Produce("t", spread(4000, 40)...)
		l := &load{time: time.Second}
		r := newRig(t, b, small(), l.handle, l.hooks()).start()
		pass(1500 * time.Millisecond)
		if n := l.takeMost(); n != 40 {
			t.Errorf("%d invocations at a time, want one for each partition", n)
		}
		pass(30 * time.Second)
		if s := r.runner.Status(); s.Workers != 40 || s.Scaling.Policy != "*scaling.Lambda" {
			t.Errorf("%d workers after half a minute, %+v", s.Workers, s.Scaling)
		}
		pass(10 * time.Minute)
		if s := r.runner.Status(); s.Workers != 5 {
			t.Errorf("%d workers after ten idle minutes, want one consumer's 5: %v", s.Workers, s.Scaling.Reason)
		}
		l.check(t, 4000)
		r.mustStop()
	})
}

func TestLambdaEachMinuteDoneWithinThree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const partitions, backlog = 64, 400_000
		b := membroker.NewBroker(t)
		b.CreateTopic("t", partitions)
		b.Produce("t", spread(backlog, partitions)...)
		l := &load{time: 50 * time.Millisecond}
		r := newRig(t, b, small(), l.handle, l.hooks(), WithScaler(new(scaling.Lambda))).start()
		begun := time.Now()
		var changes []time.Duration
		last := 0
		for time.Since(begun) < 10*time.Minute {
			if n := r.runner.shared.Workers.Limit(); n != last {
				last = n
				changes = append(changes, time.Since(begun).Truncate(time.Second))
			}
			pass(time.Second)
		}
		// 2,000 s of work, of which one consumer has done 300 s at the first minute: the rest in three minutes wants 9.4
		// workers, so two consumers.
		most := 0
		for _, i := range l.decisions() {
			most = max(most, i.To.Workers)
		}
		if most != 10 {
			t.Errorf("at most %d workers, want two consumers' 10; %v", most, l.decisions())
		}
		for _, d := range changes {
			if off := d % time.Minute; d > 2*time.Second && off > 2*time.Second && off < 58*time.Second {
				t.Errorf("a change after %v; want them each minute: %v", d, changes)
			}
		}
		if last != 5 {
			t.Errorf("%d workers in the end, want 5", last)
		}
		if n := r.runner.Metrics().RebalanceCount; n != 1 {
			t.Errorf("%d changes of the assignment", n)
		}
		l.check(t, backlog)
		r.mustStop()
	})
}

func TestFewerWorkersLetWhatRunsFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 8)
		b.Produce("t", spread(320, 8)...)
		l := &load{time: 10 * time.Second}
		var want atomic.Int64
		want.Store(8)
		policy := scaling.PolicyFunc(func(scaling.Sample) scaling.Decision {
			return scaling.Decision{Workers: int(want.Load()), Pollers: 1, Next: time.Second}
		})
		r := newRig(t, b, small(), l.handle, WithScaler(policy)).start()
		pass(5 * time.Second)
		if n := l.takeMost(); n != 8 {
			t.Fatalf("%d at a time, want 8", n)
		}
		want.Store(2)
		pass(2 * time.Second)
		if s := r.runner.Status(); s.Workers != 2 || s.InFlight != 8 {
			t.Errorf("%d workers, %d in flight; want 2 and the 8 that ran", s.Workers, s.InFlight)
		}
		pass(6 * time.Second)
		l.takeMost()
		pass(5 * time.Second)
		if n := l.takeMost(); n != 2 {
			t.Errorf("%d at a time, want 2", n)
		}
		want.Store(8)
		pass(2 * time.Second)
		if s := r.runner.Status(); s.InFlight != 8 {
			t.Errorf("%d in flight, want 8 at once", s.InFlight)
		}
		pass(2 * time.Minute)
		l.check(t, 320)
		r.mustStop()
	})
}

func TestWorkerRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 16)
		b.Produce("t", spread(60_000, 16)...)
		l := &load{time: 50 * time.Millisecond}
		r := newRig(t, b, small(), l.handle, WithScaler(new(scaling.Drain)), WithWorkerRange(2, 7))
		if n := r.runner.shared.Workers.Limit(); n != 2 {
			t.Errorf("begins with %d", n)
		}
		r.start()
		pass(5 * time.Second)
		if n := l.takeMost(); n != 7 {
			t.Errorf("%d at a time, want the maximum of 7", n)
		}
		if k := r.runner.Status().Scaling.Reason.Kind; k != scaling.AtMaximum {
			t.Errorf("reason %v", k)
		}
		pass(2 * time.Minute)
		if n := r.runner.shared.Workers.Limit(); n != 2 {
			t.Errorf("ends with %d, want the minimum of 2", n)
		}
		l.check(t, 60_000)
		r.mustStop()
	})
}

// A policy's nonsense is clamped, and its panic is recovered; both are reported.
func TestPolicyNonsense(t *testing.T) {
	for name, c := range map[string]struct {
		policy  scaling.PolicyFunc
		kind    scaling.Kind
		workers int
	}{
		"too many": {func(scaling.Sample) scaling.Decision {
			return scaling.Decision{Workers: math.MaxInt, Pollers: math.MaxInt}
		}, scaling.Clamped, 4},
		"negative": {func(scaling.Sample) scaling.Decision { return scaling.Decision{Workers: -7, Pollers: -7, Next: -1} }, scaling.Clamped, 1},
		"panic":    {func(scaling.Sample) scaling.Decision { panic(errors.New("at sea")) }, scaling.Panicked, 1},
	} {
		inBubble(t, name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.CreateTopic("t", 4)
			b.Produce("t", spread(400, 4)...)
			l := &load{time: 10 * time.Millisecond}
			r := newRig(t, b, small(), l.handle, l.hooks(), WithScaler(c.policy)).start()
			pass(20 * time.Second)
			s := r.runner.Status()
			if s.Scaling.Reason.Kind != c.kind || s.Workers != c.workers || s.Pollers != 1 {
				t.Errorf("%d workers, %d pollers, %v", s.Workers, s.Pollers, s.Scaling.Reason)
			}
			if told := l.decisions(); len(told) == 0 || told[0].Reason.Kind != c.kind {
				t.Errorf("the hook was told %v", told)
			}
			l.check(t, 400)
			r.mustStop()
		})
	}
}

// Two processes share a group: each decides from its own partitions, and both settle, whichever joins or leaves.
func TestTwoProcessesSettle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const partitions = 16
		b := membroker.NewBroker(t)
		b.CreateTopic("t", partitions)
		la, lb := &load{time: 50 * time.Millisecond}, &load{time: 50 * time.Millisecond}
		feeding, fed := context.WithCancel(context.Background())
		var producer sync.WaitGroup
		produced := 0
		producer.Go(func() { produced = feed(feeding, b, 1600, partitions) }) // the work of eight workers
		order := func(l *load) shared.Handler {                               // a moved partition starts where the other process stopped
			return func(ctx context.Context, e event.KafkaEvent) error {
				l.mu.Lock()
				if l.next == nil {
					l.next = make(map[string]int64)
				}
				for key, rs := range e.Records {
					l.next[key] = rs[0].Offset
				}
				l.mu.Unlock()
				return l.handle(ctx, e)
			}
		}
		ra := newRig(t, b, small(), order(la), la.hooks(), WithScaler(new(scaling.Drain)), WithClientID("a")).start()
		pass(time.Minute)
		alone := ra.runner.shared.Workers.Limit()
		rb := newRig(t, b, small(), order(lb), lb.hooks(), WithScaler(new(scaling.Drain)), WithClientID("b")).start()
		pass(2 * time.Minute)
		first := len(la.decisions()) + len(lb.decisions())
		pass(3 * time.Minute)
		if n := len(la.decisions()) + len(lb.decisions()) - first; n > 6 {
			t.Errorf("%d decisions in three minutes of the same load: they do not settle: %v", n, la.decisions())
		}
		sum := ra.runner.shared.Workers.Limit() + rb.runner.shared.Workers.Limit()
		if alone < 8 || alone > 12 || sum < 8 || sum > 14 {
			t.Errorf("%d workers alone, %d together; the load is eight", alone, sum)
		}
		ra.mustStop()
		pass(time.Minute)
		if n := rb.runner.shared.Workers.Limit(); n < 8 || n > 12 {
			t.Errorf("%d workers when the other one has left", n)
		}
		fed()
		producer.Wait()
		pass(time.Minute)
		rb.mustStop()
		if n := la.handled + lb.handled; n != produced {
			t.Errorf("handled %d of %d", n, produced)
		}
		if len(la.wrong)+len(lb.wrong) > 0 {
			t.Errorf("order: %v %v", la.wrong, lb.wrong)
		}
	})
}
