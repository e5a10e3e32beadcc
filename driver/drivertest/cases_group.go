package drivertest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/esm-go/esm/driver"
)

var groupCases = []testCase{
	{name: "group/join", run: func(k *kit) {
		topic := k.topic(3)
		m := k.open(topic)
		m.waitOwns(tps(topic, 0, 1, 2)...)
		if got := m.c.Member(); got.ID == "" || got.Rebalances < 1 {
			k.Errorf("Member() = %+v after joining, want an id and at least one rebalance", got)
		}
		m.look(func(s *seen) {
			for _, p := range tps(topic, 0, 1, 2) {
				if n := s.count("assigned", p); n != 1 {
					k.Errorf("%v was assigned %d times", p, n)
				}
			}
		})
	}},
	{name: "group/second member", run: func(k *kit) {
		topic := k.topic(4)
		for p := range int32(4) {
			k.produce(topic, p, 10)
		}
		a := k.open(topic)
		a.waitOwns(tps(topic, 0, 1, 2, 3)...)
		b := k.open(topic, other)
		b.wait("two partitions", func(s *seen) bool { return s.owned() == 2 })
		a.wait("two partitions", func(s *seen) bool { return s.owned() == 2 })
		a.look(func(s *seen) {
			for _, p := range tps(topic, 0, 1, 2, 3) {
				if n := s.count("revoked", p); n != 0 && s.part(p).owned || n > 1 {
					k.Errorf("%v was revoked %d times and is owned %t: the rebalance is not cooperative", p, n, s.part(p).owned)
				}
			}
		})
		// Both continue to read.
		for _, m := range []*member{a, b} {
			for p := range int32(4) {
				owned := false
				m.look(func(s *seen) { owned = s.part(tp(topic, p)).owned })
				if owned {
					m.waitRecords(tp(topic, p), 10)
				}
			}
		}
	}},
	{name: "group/leave", run: func(k *kit) {
		topic := k.topic(2)
		a := k.open(topic)
		a.waitOwns(tps(topic, 0, 1)...)
		b := k.open(topic, other)
		b.wait("one partition", func(s *seen) bool { return s.owned() == 1 })
		a.wait("one partition", func(s *seen) bool { return s.owned() == 1 })
		if err := a.close(k.ctx()); err != nil {
			k.Errorf("Close: %v", err)
		}
		a.look(func(s *seen) {
			if s.owned() != 0 {
				k.Errorf("Close returned while partitions are owned: Revoked was not called for them")
			}
		})
		b.waitOwns(tps(topic, 0, 1)...)
	}},
	{name: "group/revoke with work in flight", run: func(k *kit) {
		topic := k.topic(2)
		k.produce(topic, 0, 5)
		k.produce(topic, 1, 5)
		revoked := make(chan driver.TopicPartition, 2)
		proceed := make(chan struct{})
		a := k.open(topic, onRevoked(func(m *member, partitions []driver.TopicPartition) {
			for _, p := range partitions {
				revoked <- p
			}
			<-proceed
		}))
		a.waitRecords(tp(topic, 0), 5)
		a.waitRecords(tp(topic, 1), 5)
		b := k.open(topic, other)
		p := <-revoked
		// The member is still the owner, so its commit counts. The round trips give the other member time to take what it
		// does not own yet, which the check of owners would notice.
		for i := range 5 {
			k.commit(a, p, int64(i+1))
			if _, err := b.c.Committed(k.ctx(), []driver.TopicPartition{p}); err != nil {
				k.Errorf("Committed: %v", err)
			}
		}
		b.look(func(s *seen) {
			if s.owned() != 0 {
				k.Errorf("a partition moved while Revoked ran: %v", s.calls)
			}
		})
		close(proceed)
		b.waitOwns(p)
		k.committed(p, 5)
	}},
	{name: "group/lost", needs: []string{needKick}, run: func(k *kit) {
		topic := k.topic(1)
		k.produce(topic, 0, 3)
		p := tp(topic, 0)
		a := k.open(topic)
		a.waitRecords(p, 3)
		k.commit(a, p, 1)
		release := a.park()
		k.env.Kick(k, k.group, a.c.Member())
		// The member cannot know yet; its commit must be refused.
		err := a.c.Commit(k.ctx(), []driver.Commit{{TopicPartition: p, Offset: 3, LeaderEpoch: -1}})
		var refused *driver.CommitError
		if !errors.As(err, &refused) || refused.Partitions[p] == nil || refused.Partitions[p].Kind != driver.KindStaleMember {
			k.Errorf("a commit of a member that the group dropped: %v, want a *CommitError with %v", err, driver.KindStaleMember)
		}
		k.committed(p, 1)
		k.owners.forget(a)
		release()
		a.wait("the loss", func(s *seen) bool { return s.count("lost", p) == 1 })
		a.wait("another assignment", func(s *seen) bool { return s.count("assigned", p) == 2 })
		a.look(func(s *seen) {
			if n := s.count("revoked", p); n != 0 {
				k.Errorf("a lost partition was revoked %d times", n)
			}
		})
		a.waitRecords(p, 3)
		k.commit(a, p, 2)
		k.committed(p, 2)
	}},
	{name: "group/not polled", run: func(k *kit) {
		topic := k.topic(1)
		p := tp(topic, 0)
		short := config(func(c *driver.Config) { c.MaxPollInterval = c.SessionTimeout })
		a := k.open(topic, short)
		a.waitOwns(p)
		release := a.park()
		b := k.open(topic, other)
		k.owners.forget(a)
		b.waitOwns(p)
		release()
		a.wait("the loss", func(s *seen) bool { return s.count("lost", p) == 1 })
		a.wait("the reason", func(s *seen) bool { return s.errors(driver.KindMaxPollExceeded, "") > 0 })
		a.wait("its place in the group, with nothing to own", func(s *seen) bool {
			return slices.Contains(s.calls, "assigned nothing") || s.owns(p)
		})
	}},
	{name: "group/commits", run: func(k *kit) {
		topic := k.topic(3)
		a := k.open(topic)
		a.waitOwns(tps(topic, 0, 1, 2)...)
		commits := []driver.Commit{
			{TopicPartition: tp(topic, 0), Offset: 7, LeaderEpoch: -1, Metadata: "a note"},
			{TopicPartition: tp(topic, 2), Offset: 0, LeaderEpoch: -1},
		}
		if err := a.c.Commit(k.ctx(), commits); err != nil {
			k.Fatalf("Commit: %v", err)
		}
		if got := k.env.Committed(k, k.group, tp(topic, 0)); got.Offset != 7 || got.Metadata != "a note" {
			k.Errorf("the broker has %+v, want offset 7 with its note", got)
		}
		k.committed(tp(topic, 1), -1)
		k.committed(tp(topic, 2), 0)
		got, err := a.c.Committed(k.ctx(), tps(topic, 2, 1, 0))
		if err != nil || len(got) != 3 {
			k.Fatalf("Committed: %v, %v", got, err)
		}
		for i, want := range []driver.Committed{
			{TopicPartition: tp(topic, 2), Offset: 0},
			{TopicPartition: tp(topic, 1), Offset: -1},
			{TopicPartition: tp(topic, 0), Offset: 7, Metadata: "a note"},
		} {
			g := got[i]
			if g.TopicPartition != want.TopicPartition || g.Offset != want.Offset || g.Metadata != want.Metadata || g.Err != nil {
				k.Errorf("Committed()[%d] = %+v, want %+v", i, g, want)
			}
		}
		if err := a.c.Commit(k.ctx(), nil); err != nil {
			k.Errorf("Commit of nothing: %v", err)
		}
	}},
	{name: "group/a commit of an earlier assignment", needs: []string{needKick}, run: func(k *kit) {
		topic := k.topic(1)
		p := tp(topic, 0)
		a := k.open(topic)
		a.waitOwns(p)
		first := a.assignment(p)
		k.env.Kick(k, k.group, a.c.Member())
		k.owners.forget(a)
		a.wait("another assignment", func(s *seen) bool { return s.count("assigned", p) == 2 })
		a.waitOwns(p)
		second := a.assignment(p)
		if first < 1 || second <= first {
			k.Errorf("Member.Rebalances was %d in one assignment, and %d in the next", first, second)
		}
		// The commit was decided before the loss, and is sent after the member has rejoined.
		err := a.c.Commit(k.ctx(), []driver.Commit{{TopicPartition: p, Offset: 3, LeaderEpoch: -1, Assignment: first}})
		var refused *driver.CommitError
		if !errors.As(err, &refused) || refused.Partitions[p] == nil || refused.Partitions[p].Kind != driver.KindStaleMember {
			k.Errorf("a commit of an earlier assignment: %v, want a *CommitError with %v", err, driver.KindStaleMember)
		}
		k.committed(p, -1)
		if err := a.c.Commit(k.ctx(), []driver.Commit{{TopicPartition: p, Offset: 2, LeaderEpoch: -1, Assignment: second}}); err != nil {
			k.Errorf("a commit of this assignment: %v", err)
		}
		k.committed(p, 2)
	}},
	{name: "group/a commit of what is not owned", lacks: lacksNetwork, run: func(k *kit) {
		topic := k.topic(1)
		p := tp(topic, 0)
		a := k.open(topic)
		a.waitOwns(p)
		b := k.open(topic, other)
		b.wait("Assigned with no partition", func(s *seen) bool { return len(s.calls) > 0 })
		for _, m := range []*member{a, b} {
			owns := false
			m.look(func(s *seen) { owns = s.owns(p) })
			if owns { // the group may have a generation that the member does not know yet
				k.commitInTheEnd(m, p, 1)
				continue
			}
			if err := m.c.Commit(k.ctx(), []driver.Commit{{TopicPartition: p, Offset: 1, LeaderEpoch: -1}}); err == nil {
				k.Errorf("a commit by a member that does not own the partition was accepted")
			}
		}
		k.committed(p, 1)
	}},
	{name: "group/nothing is committed by itself", run: func(k *kit) {
		topic := k.topic(1)
		k.produce(topic, 0, 10)
		a := k.open(topic)
		a.waitRecords(tp(topic, 0), 10)
		if err := a.close(k.ctx()); err != nil {
			k.Errorf("Close: %v", err)
		}
		k.committed(tp(topic, 0), -1)
	}},
	{name: "group/first answer empty", run: func(k *kit) {
		topic := k.topic(1)
		a := k.open(topic)
		a.waitOwns(tp(topic, 0))
		b := k.open(topic, other)
		b.wait("Assigned with no partition", func(s *seen) bool { return len(s.calls) == 1 && s.calls[0] == "assigned nothing" })
	}},
}

var staticCases = []testCase{
	{name: "static/comes back", needs: []string{needStatic}, run: func(k *kit) {
		topic := k.topic(2)
		static := config(func(c *driver.Config) { c.InstanceID = k.group + "-i" })
		a := k.open(topic, static)
		a.waitOwns(tps(topic, 0, 1)...)
		b := k.open(topic, other)
		b.wait("one partition", func(s *seen) bool { return s.owned() == 1 })
		a.wait("one partition", func(s *seen) bool { return s.owned() == 1 })
		var mine, theirs driver.TopicPartition
		a.look(func(s *seen) {
			mine, theirs = tp(topic, 0), tp(topic, 1)
			if !s.part(mine).owned {
				mine, theirs = theirs, mine
			}
		})
		if err := a.close(k.ctx()); err != nil {
			k.Errorf("Close: %v", err)
		}
		again := k.open(topic, static)
		again.waitOwns(mine)
		b.look(func(s *seen) {
			if s.count("assigned", mine) > 1 || s.count("revoked", theirs) > 0 {
				k.Errorf("the return of a static member moved partitions: %v", s.calls)
			}
		})
	}},
	{name: "static/fenced", needs: []string{needStatic}, run: func(k *kit) {
		topic := k.topic(1)
		static := config(func(c *driver.Config) { c.InstanceID = k.group + "-i" })
		a := k.open(topic, static)
		a.waitOwns(tp(topic, 0))
		k.owners.forget(a)
		b := k.open(topic, other, static)
		a.wait("the end of Poll", func(s *seen) bool { return s.end != nil })
		a.look(func(s *seen) {
			var e *driver.Error
			if !errors.As(s.end, &e) || e.Kind != driver.KindFenced {
				k.Errorf("Poll ended with %v, want %v", s.end, driver.KindFenced)
			}
			if s.count("lost", tp(topic, 0)) != 1 {
				k.Errorf("a fenced member was told %v, want its partition lost", s.calls)
			}
		})
		b.waitOwns(tp(topic, 0))
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := a.c.Commit(ctx, []driver.Commit{{TopicPartition: tp(topic, 0), Offset: 1, LeaderEpoch: -1}}); err == nil {
			k.Error("a fenced member's commit was accepted")
		}
		k.committed(tp(topic, 0), -1)
	}},
}
