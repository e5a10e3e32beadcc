package drivertest

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/driver"
)

var faultCases = []testCase{
	{name: "faults/coordinator moves", needs: []string{needMoveCoordinator}, run: func(k *kit) {
		topic := k.topic(2)
		p := tp(topic, 0)
		m := k.open(topic)
		m.waitOwns(tps(topic, 0, 1)...)
		k.commit(m, p, 1)
		k.env.MoveCoordinator(k, k.group)
		k.commitInTheEnd(m, p, 2)
		k.committed(p, 2)
		k.produce(topic, 0, 2)
		m.waitRecords(p, 2)
		// The new coordinator knows the member, and assigns the partitions again when another joins.
		b := k.open(topic, other)
		b.wait("one partition", func(s *seen) bool { return s.owned() == 1 })
		m.wait("one partition", func(s *seen) bool { return s.owned() == 1 })
	}},
	{name: "faults/leader moves", needs: []string{needMoveLeader}, run: func(k *kit) {
		topic := k.topic(1)
		p := tp(topic, 0)
		m := k.open(topic)
		var epochs []int32
		for i := range 3 {
			k.produce(topic, 0, 10)
			m.waitRecords(p, 10*(i+1))
			m.look(func(s *seen) { epochs = append(epochs, s.part(p).leaderEpoch) })
			k.env.MoveLeader(k, p)
		}
		k.produce(topic, 0, 10)
		for i, r := range m.waitRecords(p, 40) {
			if r.Offset != int64(i) {
				k.Fatalf("record %d has offset %d", i, r.Offset)
			}
		}
		m.look(func(s *seen) { epochs = append(epochs, s.part(p).leaderEpoch) })
		if !slices.IsSorted(epochs) || len(slices.Compact(slices.Clone(epochs))) != 4 {
			k.Errorf("the runs' leader epochs are %v, want one more with each leader", epochs)
		}
		answers, err := m.c.ListOffsets(k.ctx(), []driver.OffsetQuery{{TopicPartition: p, At: driver.AtEnd}})
		if err != nil || len(answers) != 1 || answers[0].Err != nil || answers[0].Offset != 40 {
			k.Errorf("AtEnd after the moves: %+v, %v", answers, err)
		}
	}},
	{name: "faults/broker restarts", needs: []string{needStop}, run: func(k *kit) {
		topic := k.topic(1)
		p := tp(topic, 0)
		k.produce(topic, 0, 5)
		m := k.open(topic)
		m.waitRecords(p, 5)
		k.commit(m, p, 2)
		k.env.Stop(k)
		m.wait("the report", func(s *seen) bool { return s.errors(driver.KindUnavailable, "") > 0 })
		k.env.Start(k)
		k.produce(topic, 0, 5)
		m.wait("the records of after, read once or again from a new assignment", func(s *seen) bool {
			r := s.part(p).records
			return len(r) > 0 && r[len(r)-1].Offset == 9
		})
		k.commitInTheEnd(m, p, 10)
		k.committed(p, 10)
		m.look(func(s *seen) {
			if n := s.errors(driver.KindUnavailable, ""); n > 10 {
				k.Errorf("one outage was reported %d times", n)
			}
		})
	}},
	{name: "faults/unreachable at first", needs: []string{needStop}, run: func(k *kit) {
		topic := k.topic(1)
		k.produce(topic, 0, 2)
		k.env.Stop(k)
		m := k.open(topic)
		m.wait("the report", func(s *seen) bool { return s.errors(driver.KindUnavailable, "") > 0 })
		k.env.Start(k)
		m.waitRecords(tp(topic, 0), 2)
	}},
	{name: "faults/unreadable batch", needs: []string{needSpoil}, run: func(k *kit) {
		topic := k.topic(2)
		p, well := tp(topic, 0), tp(topic, 1)
		k.env.Spoil(k, true)
		k.produce(topic, 0, 3)
		k.env.Produce(k, topic, Record{Value: []byte(spoilt)})
		k.env.Produce(k, topic, Record{Value: []byte("after")})
		m := k.open(topic)
		m.wait("the report", func(s *seen) bool { return s.errors(driver.KindCorrupt, topic) > 0 })
		// The other partition continues meanwhile.
		for i := range 3 {
			k.produce(topic, 1, 1)
			m.waitRecords(well, i+1)
		}
		m.look(func(s *seen) {
			for _, e := range s.errs {
				if e.Kind == driver.KindCorrupt && (e.TopicPartition != p || e.Offset != 3) {
					k.Errorf("reported %v at %d, want %v at 3", e.TopicPartition, e.Offset, p)
				}
			}
			if n := s.errors(driver.KindCorrupt, topic); n != 1 {
				k.Errorf("one condition was reported %d times", n)
			}
			if n := len(s.part(p).records); n != 3 {
				k.Errorf("%d records arrived, want the 3 before the unreadable one", n)
			}
		})
		k.env.Spoil(k, false)
		for i, r := range m.waitRecords(p, 5) {
			if r.Offset != int64(i) || i == 3 && string(r.Value) != spoilt {
				k.Errorf("record %d is %q at offset %d", i, r.Value, r.Offset)
			}
		}
	}},
	{name: "faults/calls end with their context", needs: []string{needFreeze}, run: func(k *kit) {
		topic := k.topic(1)
		p := tp(topic, 0)
		m := k.open(topic)
		m.waitOwns(p)
		k.env.Freeze(k)
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		ended(ctx, k, m, p)
		k.env.Thaw(k)
		k.produce(topic, 0, 1)
		m.wait("the record after the thaw", func(s *seen) bool { return len(s.part(p).records) > 0 })
	}},
}

var closeCases = []testCase{
	{name: "close/the broker hangs", needs: []string{needFreeze}, run: func(k *kit) {
		topic := k.topic(1)
		m := k.open(topic)
		m.waitOwns(tp(topic, 0))
		k.env.Freeze(k)
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		begin := time.Now()
		err := m.close(ctx)
		if d := time.Since(begin); d > 2500*time.Millisecond {
			k.Errorf("Close with a deadline of 500ms took %v (%v)", d, err)
		}
		m.look(func(s *seen) {
			if s.count("revoked", tp(topic, 0)) != 1 {
				k.Errorf("Close told %v, want its partition revoked", s.calls)
			}
		})
		k.env.Thaw(k)
	}},
	{name: "close/a pending commit against a hanging broker", needs: []string{needFreeze}, run: func(k *kit) {
		topic := k.topic(1)
		p := tp(topic, 0)
		m := k.open(topic)
		m.waitOwns(p)
		k.env.Freeze(k)
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		pending := make(chan error, 1)
		go func() {
			pending <- m.c.Commit(ctx, []driver.Commit{{TopicPartition: p, Offset: 1, LeaderEpoch: -1}})
		}()
		begin := time.Now()
		_ = m.close(ctx)
		if d := time.Since(begin); d > 2500*time.Millisecond {
			k.Errorf("Close with a deadline of 500ms took %v", d)
		}
		if err := <-pending; err == nil {
			k.Error("a commit to a hanging broker succeeded")
		}
		k.env.Thaw(k)
	}},
	{name: "close/nobody answers", needs: []string{needFreeze}, lacks: lacksNetwork, run: func(k *kit) {
		topic := k.topic(1)
		m := k.open(topic)
		m.waitOwns(tp(topic, 0))
		k.env.Freeze(k)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		begin := time.Now()
		_ = m.close(ctx)
		if d := time.Since(begin); d > 10*time.Second {
			k.Errorf("Close waited %v for a group that does not answer", d)
		}
		k.env.Thaw(k)
	}},
	{name: "close/Listener does not return", run: func(k *kit) {
		topic := k.topic(1)
		proceed := make(chan struct{})
		m := k.open(topic, onRevoked(func(*member, []driver.TopicPartition) { <-proceed }))
		m.waitOwns(tp(topic, 0))
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		begin := time.Now()
		if err := m.close(ctx); err == nil {
			k.Error("Close left a Listener call behind and says nothing")
		}
		if d := time.Since(begin); d > 2500*time.Millisecond {
			k.Errorf("Close with a deadline of 200ms took %v", d)
		}
		close(proceed)
		m.wait("the Listener call", func(s *seen) bool { return !s.part(tp(topic, 0)).owned })
	}},
	{name: "close/calls after it", run: func(k *kit) {
		topic := k.topic(1)
		p := tp(topic, 0)
		m := k.open(topic)
		m.waitOwns(p)
		if err := m.close(k.ctx()); err != nil {
			k.Errorf("Close: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), k.target.Patience)
		defer cancel()
		begin := time.Now()
		var fetch driver.Fetch
		var e *driver.Error
		if err := m.c.Poll(ctx, &fetch); !errors.As(err, &e) || len(fetch.Runs) != 0 {
			k.Errorf("Poll after Close: %v with %d runs, want a *driver.Error", err, len(fetch.Runs))
		}
		if err := m.c.Commit(ctx, []driver.Commit{{TopicPartition: p, Offset: 1, LeaderEpoch: -1}}); err == nil {
			k.Error("Commit after Close succeeded")
		}
		if _, err := m.c.Committed(ctx, []driver.TopicPartition{p}); err == nil {
			k.Error("Committed after Close succeeded")
		}
		if _, err := m.c.ListOffsets(ctx, []driver.OffsetQuery{{TopicPartition: p, At: driver.AtEnd}}); err == nil {
			k.Error("ListOffsets after Close succeeded")
		}
		if _, err := m.c.Topics(ctx); err == nil {
			k.Error("Topics after Close succeeded")
		}
		m.c.Start([]driver.Start{{TopicPartition: p, LeaderEpoch: -1}})
		m.c.Pause([]driver.TopicPartition{p})
		m.c.Resume([]driver.TopicPartition{p})
		_ = m.c.Member()
		if err := m.c.Close(ctx); err != nil && !errors.As(err, &e) {
			k.Errorf("a second Close: %v", err)
		}
		if d := time.Since(begin); d > 5*time.Second {
			k.Errorf("calls after Close took %v", d)
		}
		k.committed(p, -1)
	}},
	{name: "close/at once", run: func(k *kit) {
		m := k.open(k.topic(1))
		if err := m.close(k.ctx()); err != nil {
			k.Errorf("Close right after Open: %v", err)
		}
	}},
	{name: "close/no goroutine left", run: func(k *kit) {
		topic := k.topic(2)
		k.produce(topic, 0, 5)
		before := goleak.IgnoreCurrent()
		a := k.open(topic)
		a.waitRecords(tp(topic, 0), 5)
		k.commit(a, tp(topic, 0), 1)
		b := k.open(topic, other)
		b.wait("one partition", func(s *seen) bool { return s.owned() == 1 })
		_ = a.close(k.ctx())
		_ = b.close(k.ctx())
		if err := goleak.Find(append(k.env.Background, before)...); err != nil {
			k.Errorf("after Close: %v", err)
		}
	}},
}
