package run

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/internal/shared"
	"github.com/esm-go/esm/internal/stream"
	"github.com/esm-go/esm/observe"
	"github.com/esm-go/esm/scaling"
)

func TestPollersGrowAndShrinkUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions, each = 8, 4000
		b := membroker.NewBroker(t)
		b.CreateTopic("t", partitions)
		b.Produce("t", spread(partitions*each, partitions)...)
		j := newJournal(taking(200 * time.Millisecond))
		w := wishing(1)
		r := newRig(t, b, polling(1, 4), j.handle, WithScaler(w)).start()
		pass(5 * time.Second)
		wantMembers(t, b, r, 1)
		w.pollers.Store(3)
		pass(10 * time.Second)
		wantMembers(t, b, r, 3)
		st := r.runner.Status()
		if len(st.Partitions) != partitions || st.Metrics.ProvisionedPollers != 3 || st.Workers != partitions {
			t.Errorf("%d partitions, %d pollers, %d workers", len(st.Partitions), st.Metrics.ProvisionedPollers, st.Workers)
		}
		sum := int64(0)
		for _, p := range st.Partitions {
			sum += p.Lag
		}
		if sum != st.SumOffsetLag || sum != b.Lag("g") {
			t.Errorf("lag %d, sum over partitions %d, broker %d", st.SumOffsetLag, sum, b.Lag("g"))
		}
		for _, m := range b.Members("g") {
			if n := len(m.Owned); n < 2 || n > 3 {
				t.Errorf("a member owns %v", m.Owned)
			}
		}
		w.pollers.Store(1)
		pass(10 * time.Second)
		wantMembers(t, b, r, 1)
		pass(time.Minute * 2)
		j.check(t, b, partitions, each)
		if j.again > 0 {
			t.Errorf("%d records came again: members did not drain", j.again)
		}
		r.mustStop()
		if used, parts := r.runner.shared.Budget.Used.Load(), r.runner.shared.Budget.Partitions.Load(); used != 0 || parts != 0 {
			t.Errorf("the budget has %d bytes and %d partitions after the end", used, parts)
		}
		if busy, partitions, waiting := r.runner.shared.Workers.Counts(); busy != 0 || partitions != 0 || waiting != 0 {
			t.Errorf("workers after the end: %d busy, %d partitions, %d waiting", busy, partitions, waiting)
		}
		if n := len(b.Members("g")); n != 0 {
			t.Errorf("%d members are left", n)
		}
	})
}

func TestMinimumPollersFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 8)
		b.Produce("t", spread(800, 8)...)
		j := newJournal(taking(time.Millisecond))
		r := newRig(t, b, polling(4, 8), j.handle).start() // the default policy does not change the pollers
		pass(5 * time.Second)
		wantMembers(t, b, r, 4)
		pass(5 * time.Minute)
		wantMembers(t, b, r, 4)
		j.check(t, b, 8, 100)
		r.mustStop()
	})
}

func TestMorePollersThanPartitionsAreCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 3)
		l := new(load)
		w := wishing(8)
		r := newRig(t, b, polling(1, 200), l.handle, l.hooks(), WithScaler(w)).start()
		pass(30 * time.Second)
		wantMembers(t, b, r, 3)
		why := r.runner.Status().Scaling.Reason
		if text := why.String(); why.Kind != scaling.Clamped || !strings.Contains(text, "8 pollers") || !strings.Contains(text, "3 partitions") {
			t.Errorf("reason %s", text)
		}
		// While partitions move, fewer are assigned, and that does not cap anything.
		for _, i := range l.decisions() {
			if i.To.Pollers < i.From.Pollers {
				t.Errorf("pollers fell: %v", i.Reason)
			}
		}
		r.mustStop()
	})
}

// New partitions go to all members, and their number no longer caps the pollers.
func TestPollersWhenTheTopicGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		j := newJournal(taking(time.Millisecond))
		r := newRig(t, b, polling(1, 4), j.handle, WithScaler(wishing(4)), WithMetadataMaxAge(10*time.Second)).start()
		pass(30 * time.Second)
		wantMembers(t, b, r, 2)
		b.CreateTopic("t", 6)
		b.Produce("t", spread(600, 6)...)
		pass(time.Minute)
		wantMembers(t, b, r, 4)
		j.check(t, b, 6, 100)
		r.mustStop()
	})
}

// A partition whose handler outlasts the drain moves uncommitted to another member, which waits for that handler: order
// holds within the process.
func TestShrinkWaitsForAHandlerThatOutlastsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		var slow atomic.Int64
		slow.Store(int64(time.Millisecond))
		j := newJournal(func() time.Duration { return time.Duration(slow.Load()) })
		w := wishing(2)
		r := newRig(t, b, polling(1, 2), j.handle, WithScaler(w), WithRevokeTimeout(2*time.Second)).start()
		pass(20 * time.Second)
		wantMembers(t, b, r, 2)
		slow.Store(int64(time.Minute))
		b.Produce("t", spread(40, 2)...)
		pass(2 * time.Second)
		slow.Store(int64(time.Millisecond))
		w.pollers.Store(1)
		pass(30 * time.Second) // 2 s, then 5 s for the handler to obey its context
		wantMembers(t, b, r, 1)
		pass(2 * time.Minute)
		j.check(t, b, 2, 20)
		if j.again == 0 {
			t.Error("nothing was repeated: the handler did not outlast the drain")
		}
		if err := r.stop(); err != nil { // the abandoned handler has returned long ago
			t.Errorf("Run: %v", err)
		}
	})
}

// A client that fails for good ends Run, even if it is not the only one; the others drain and leave.
func TestAPollerThatFailsEndsTheMapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 4)
		j := newJournal(taking(time.Millisecond))
		r := newRig(t, b, polling(3, 3), j.handle).start()
		pass(20 * time.Second)
		wantMembers(t, b, r, 3)
		b.Fail(membroker.OpPoll, 1, &driver.Error{Kind: driver.KindFenced, Offset: -1, Err: errors.New("another took its place")})
		err := <-r.done
		if _, is := errors.AsType[*observe.SourceError](err); !is {
			t.Errorf("Run returned %v", err)
		}
		pass(0)
		if n := len(b.Members("g")); n > 1 { // the failed one can no longer leave
			t.Errorf("%d members are left", n)
		}
		r.cancel()
	})
}

func TestStaticPollersHaveAnInstanceEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 4)
		w := wishing(3)
		r := newRig(t, b, polling(1, 4), nil, WithScaler(w), WithGroupInstanceID("shop-0")).start()
		pass(20 * time.Second)
		var got []string
		for _, m := range b.Members("g") {
			got = append(got, m.InstanceID)
		}
		if slices.Sort(got); !slices.Equal(got, []string{"shop-0", "shop-0-2", "shop-0-3"}) {
			t.Errorf("instances %s", got)
		}
		w.pollers.Store(1) // a poller that leaves would keep its partitions blocked
		pass(20 * time.Second)
		wantMembers(t, b, r, 3)
		if k := r.runner.Status().Scaling.Reason.Kind; k != scaling.Clamped {
			t.Errorf("reason %v", k)
		}
		r.mustStop()
	})
}

// Whatever the policy asks for, and when: nothing is lost, no two invocations have the same partition, each partition
// continues at its position, and in the end the group has the number of pollers asked for.
func TestPollersModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			partitions := 1 + rng.IntN(8)
			b := membroker.NewBroker(t)
			b.CreateTopic("t", int32(partitions))
			j := newJournal(func() time.Duration { return time.Duration(rng.IntN(400)) * time.Millisecond }) // under j.mu
			w := wishing(1)
			r := newRig(t, b, polling(1, 5), j.handle, WithScaler(w), WithSeed(seed)).start()
			script := rand.New(rand.NewPCG(seed, 2))
			each := int64(0)
			for range 30 {
				switch script.IntN(6) {
				case 0, 1:
					n := int64(1 + script.IntN(100))
					each += n
					b.Produce("t", spread(int(n)*partitions, partitions)...)
				case 2, 3:
					w.pollers.Store(int64(1 + script.IntN(5)))
				case 4:
					b.Rebalance("g")
				case 5:
					r.runner.Pause()
					pass(time.Duration(script.IntN(3)) * time.Second)
					r.runner.Resume()
				}
				pass(time.Duration(script.IntN(8000)) * time.Millisecond)
			}
			w.pollers.Store(2)
			pass(5 * time.Minute)
			wantMembers(t, b, r, min(2, partitions))
			j.check(t, b, partitions, each)
			if j.again > 0 {
				t.Errorf("%d records came again", j.again)
			}
			r.mustStop()
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
	}
}

// While partitions move from one member to another they are unassigned: a decision made then changes no pollers.
func TestPollersStayInARebalance(t *testing.T) {
	c := &shared.State{Config: shared.Config{Driver: membroker.NewBroker(t).Driver()}}
	f := &fleet{r: &Process{shared: c}}
	now := time.Unix(1000, 0)
	decided := func(after time.Duration) int {
		d := scaling.Decision{Pollers: 2, Next: time.Minute}
		f.hold(now.Add(after), &d)
		if held := d.Pollers == 0; held != (d.Next == time.Second) {
			t.Errorf("after %v: %d pollers, and the next look after %v", after, d.Pollers, d.Next)
		}
		return d.Pollers
	}
	c.Counters.Rebalances.Add(1)
	if decided(0) != 2 {
		t.Error("the first assignment of all holds a change up")
	}
	c.Counters.Rebalances.Add(2)
	for _, x := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {time.Second, 0}, {fleetCalm - 1, 0}, {fleetCalm, 2}} {
		if got := decided(x.after); got != x.want {
			t.Errorf("%v after a rebalance %d pollers, want %d", x.after, got, x.want)
		}
	}
	c.Counters.Rebalances.Add(1)
	f.r.roster.add(&poller{member: stream.NewMember(c)})
	if got := f.settled(now.Add(time.Hour)); got {
		t.Error("settled while a member is joining")
	}
}
