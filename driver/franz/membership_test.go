package franz

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
)

// kick ends a membership without the member's knowledge, like the end of its session.
func kick(t testing.TB, c *kfake.Cluster, group, member string) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Error(err)
		return
	}
	defer cl.Close()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = group, member
	who := kmsg.NewLeaveGroupRequestMember()
	who.MemberID = member
	req.Members = append(req.Members, who)
	if _, err := req.RequestWith(ctx(t), cl); err != nil {
		t.Error(err)
	}
}

// A member learns of a rebalance, is frozen past its session, and joins. When kgo learns that the member is unknown, it
// rejoins with what it had.
func TestAJoinThatFindsTheMemberDroppedIsALoss(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(2, "t"))
	produce(t, c.ListenAddrs(), values("t", 0, 0, 5)...)
	cfg := config(c.ListenAddrs(), "g", "t")
	m := join(t, cfg, startAt(0))
	both := []driver.TopicPartition{tp("t", 0), tp("t", 1)}
	m.until(t, "read", func() bool { return m.next[both[0]] == 5 && m.owned[both[1]] })
	was := m.consumer.Member()

	c.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = kerr.RebalanceInProgress.Code
		return resp, nil, true
	})
	c.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.SleepControl(func() { kick(t, c, cfg.GroupID, was.ID) })
		return nil, nil, false
	})
	m.until(t, "another assignment", func() bool {
		return m.owned[both[0]] && m.owned[both[1]] && m.consumer.Member().ID != was.ID && len(m.calls) > 1
	})
	m.mu.Lock()
	calls := slices.Clone(m.calls)
	m.mu.Unlock()
	if len(calls) != 3 || !strings.HasPrefix(calls[1], "lost") || !strings.HasPrefix(calls[2], "assigned") {
		t.Fatalf("told %v, want a loss between two assignments", calls)
	}
	if err := m.consumer.Commit(ctx(t), []driver.Commit{{TopicPartition: both[0], Offset: 3, LeaderEpoch: -1}}); err != nil {
		t.Errorf("a commit of the new life: %v", err)
	}
}

// A position of one membership is not committed in the next, whatever member ID the client has by then.
func TestACommitCarriesTheLifeOfItsAssignment(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, "t"))
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(0))
	p := tp("t", 0)
	m.until(t, "owned", func() bool { return m.owned[p] })
	sent := make(chan *kmsg.OffsetCommitRequest, 1)
	c.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		sent <- req.(*kmsg.OffsetCommitRequest)
		return nil, nil, false
	})
	was := m.consumer.Member()
	if err := m.consumer.Commit(ctx(t), []driver.Commit{{TopicPartition: p, Offset: 1, LeaderEpoch: -1}}); err != nil {
		t.Fatal(err)
	}
	if req := <-sent; req.MemberID != was.ID || req.Generation != was.Generation || req.Topics[0].TopicID == [16]byte{} && req.Version > 9 {
		t.Errorf("committed as %s of generation %d, want %+v", req.MemberID, req.Generation, was)
	}
	m.consumer.assigned.mu.Lock()
	m.consumer.assigned.get(p).member = "an earlier one"
	m.consumer.assigned.mu.Unlock()
	err := m.consumer.Commit(ctx(t), []driver.Commit{{TopicPartition: p, Offset: 2, LeaderEpoch: -1}})
	refused, ok := errors.AsType[*driver.CommitError](err)
	if !ok || refused.Partitions[p].Kind != driver.KindStaleMember {
		t.Errorf("committed in another life: %v", err)
	}
}

// After a session timeout without an answer the member may have been dropped: nothing is delivered until the group says
// otherwise, and a loss is reported first.
func TestNothingIsDeliveredInDoubt(t *testing.T) {
	for _, out := range []bool{true, false} {
		c := cluster(t, kfake.SeedTopics(1, "t"))
		cfg := config(c.ListenAddrs(), "g", "t")
		m := join(t, cfg, startAt(0))
		p := tp("t", 0)
		m.until(t, "owned", func() bool { return m.owned[p] })
		answer := make(chan struct{})
		c.ControlKey(int16(kmsg.Heartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			c.SleepControl(func() { <-answer })
			return nil, nil, false
		})
		l := &m.consumer.membership
		l.mu.Lock() // as if the process had been stopped for longer than the session
		l.heard = time.Now().Add(-cfg.SessionTimeout - time.Second)
		l.mu.Unlock()
		was := m.consumer.Member()
		for i := range 3 { // round trips in which the records would arrive
			produce(t, c.ListenAddrs(), values("t", 0, i, 1)...)
		}
		m.mu.Lock()
		early := m.next[p]
		m.mu.Unlock()
		if early != 0 {
			t.Errorf("delivered to %d in doubt", early)
		}
		if out {
			kick(t, c, cfg.GroupID, was.ID)
		}
		close(answer)
		m.until(t, "read", func() bool { return m.next[p] == 3 })
		m.mu.Lock()
		lost := slices.ContainsFunc(m.calls, func(s string) bool { return strings.HasPrefix(s, "lost") })
		m.mu.Unlock()
		if lost != out {
			t.Errorf("dropped %t, told %v", out, m.calls)
		}
	}
}
