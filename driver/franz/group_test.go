package franz

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/esm-go/esm/driver"
)

// resume starts partitions at the group's commits, or at the beginning.
func resume(m *member, list []driver.TopicPartition) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		committed, err := m.consumer.Committed(ctx, list)
		if err != nil {
			return // the test notices that nothing is read
		}
		var s []driver.Start
		for _, c := range committed {
			s = append(s, driver.Start{TopicPartition: c.TopicPartition, Offset: max(c.Offset, 0), LeaderEpoch: c.LeaderEpoch})
		}
		m.consumer.Start(s)
	}()
}

// commitPositions commits what was read of revoked partitions.
func commitPositions(t testing.TB) func(*member, []driver.TopicPartition) {
	return func(m *member, list []driver.TopicPartition) {
		var commits []driver.Commit
		m.mu.Lock()
		for _, tp := range list {
			if next, ok := m.next[tp]; ok {
				commits = append(commits, driver.Commit{TopicPartition: tp, Offset: next, LeaderEpoch: -1})
			}
		}
		m.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := m.consumer.Commit(ctx, commits); err != nil {
			t.Errorf("commit while revoked: %v", err)
		}
	}
}

func following(t testing.TB) func(*member) {
	return func(m *member) { m.onAssign, m.onRevoke = resume, commitPositions(t) }
}

// Two members share a topic. The old owner of a partition that moves commits it and the new one continues it; no record
// is read twice and none is left out. The test uses virtual time: all of the bubble's goroutines are this library's and
// kgo's.
func TestRebalanceInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		c := cluster(t, kfake.SeedTopics(4, "t"), kfake.ListenFn(network.Listen), kfake.Ports(19092))
		cfg := config(c.ListenAddrs(), "g", "t")
		cfg.Dialer = network.DialContext
		send := func(from int) {
			for p := range int32(4) {
				produceWith(t, []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(network.DialContext)}, values("t", p, from, 5)...)
			}
		}
		send(0)
		a := join(t, cfg, following(t))
		a.until(t, "the first member read all", func() bool {
			return a.next[tp("t", 0)] == 5 && a.next[tp("t", 1)] == 5 && a.next[tp("t", 2)] == 5 && a.next[tp("t", 3)] == 5
		})
		b := join(t, cfg, following(t))
		b.until(t, "the second member has its share", func() bool { return len(b.owned) == 2 })
		a.until(t, "the first member kept its share", func() bool { return len(a.owned) == 2 })
		send(5)
		for _, m := range []*member{a, b} {
			m.until(t, "its partitions read", func() bool {
				for tp := range m.owned {
					if m.next[tp] != 10 {
						return false
					}
				}
				return true
			})
		}
		a.leave(t)
		b.until(t, "the second member took over", func() bool {
			return len(b.owned) == 4
		})
		send(10)
		b.until(t, "all read by the second member", func() bool {
			return b.next[tp("t", 0)] == 15 && b.next[tp("t", 1)] == 15 && b.next[tp("t", 2)] == 15 && b.next[tp("t", 3)] == 15
		})
		for p := range int32(4) {
			n := len(a.records[tp("t", p)]) + len(b.records[tp("t", p)])
			if n != 15 {
				t.Errorf("t-%d: %d records delivered, want 15", p, n)
			}
		}
		if a.overlaps+b.overlaps > 0 {
			t.Errorf("Listener calls during a Poll's answer: %d and %d", a.overlaps, b.overlaps)
		}
		if got := a.consumer.Member(); got.Rebalances < 2 {
			t.Errorf("the first member saw %d rebalances", got.Rebalances)
		}
	})
}

func TestCommitRefusedForOthersPartitions(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, "t", "other"))
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(0))
	m.until(t, "assigned", func() bool { return len(m.owned) == 1 })
	err := m.consumer.Commit(ctx(t), []driver.Commit{
		{TopicPartition: tp("t", 0), Offset: 1, LeaderEpoch: -1}, {TopicPartition: tp("other", 0), Offset: 1, LeaderEpoch: -1},
	})
	refused, ok := errors.AsType[*driver.CommitError](err)
	if !ok || len(refused.Partitions) != 1 || refused.Partitions[tp("other", 0)].Kind != driver.KindStaleMember {
		t.Fatalf("got %v", err)
	}
	got, err := m.consumer.Committed(ctx(t), []driver.TopicPartition{tp("t", 0), tp("other", 0)})
	if err != nil || got[0].Offset != 1 || got[1].Offset != -1 {
		t.Errorf("committed %v, %v", got, err)
	}
}

// A member that the group dropped has lost its partitions, and rejoins.
func TestLost(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, "t"))
	var forgotten atomic.Bool
	c.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if !forgotten.CompareAndSwap(true, false) {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = kerr.UnknownMemberID.Code
		return resp, nil, true
	})
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(0))
	m.until(t, "assigned", func() bool { return len(m.owned) == 1 })
	forgotten.Store(true)
	m.until(t, "lost and assigned again", func() bool {
		return len(m.calls) == 3 && m.calls[1] == "lost[t-0]" && m.calls[2] == "assigned[t-0]"
	})
	if m.has(driver.KindStaleMember) != 1 {
		t.Errorf("errors %v", m.errs)
	}
	produce(t, c.ListenAddrs(), values("t", 0, 0, 3)...)
	m.until(t, "read", func() bool { return m.next[tp("t", 0)] == 3 })
}

// Of two members with one instance ID the newer stays; the older one's Poll returns an error.
func TestFenced(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, "t"))
	cfg := config(c.ListenAddrs(), "g", "t")
	cfg.InstanceID = "one"
	a := join(t, cfg, startAt(0))
	a.until(t, "assigned", func() bool { return len(a.owned) == 1 })
	b := join(t, cfg, startAt(0))
	b.until(t, "assigned", func() bool { return len(b.owned) == 1 })
	a.until(t, "fenced", func() bool { return a.fatal != nil })
	if e, ok := errors.AsType[*driver.Error](a.fatal); !ok || e.Kind != driver.KindFenced {
		t.Errorf("got %v", a.fatal)
	}
	if len(a.owned) != 0 || len(b.owned) != 1 {
		t.Errorf("owned by the first %v, by the second %v", a.owned, b.owned)
	}
}

// silent is a network whose connections stop answering once hung is set.
type silent struct {
	hung atomic.Bool
	net.Dialer
}

func (s *silent) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if s.hung.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	conn, err := s.Dialer.DialContext(ctx, network, address)
	return &silentConn{Conn: conn, s: s}, err
}

type silentConn struct {
	net.Conn
	s *silent
}

func (c *silentConn) Write(b []byte) (int, error) {
	if c.s.hung.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func TestCloseWhileBrokerHangs(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, "t"))
	var network silent
	cfg := config(c.ListenAddrs(), "g", "t")
	cfg.Dialer = network.DialContext
	m := join(t, cfg, func(m *member) {
		startAt(0)(m)
		m.onRevoke = func(m *member, list []driver.TopicPartition) {
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			if err := m.consumer.Commit(ctx, []driver.Commit{{TopicPartition: list[0], Offset: 1}}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("commit to a broker that hangs: %v", err)
			}
		}
	})
	m.until(t, "assigned", func() bool { return len(m.owned) == 1 })
	network.hung.Store(true)
	m.stop()
	<-m.done
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	begun := time.Now()
	if err := m.consumer.Close(ctx); err == nil {
		t.Error("closed without an error")
	}
	if took := time.Since(begun); took > 1200*time.Millisecond {
		t.Errorf("took %v", took)
	}
	if len(m.calls) != 2 || m.calls[1] != "revoked[t-0]" {
		t.Errorf("calls %v", m.calls)
	}
	// Nothing blocks or panics afterwards.
	var fetch driver.Fetch
	if err := m.consumer.Poll(context.Background(), &fetch); !errors.Is(err, ErrClosed) {
		t.Errorf("poll: %v", err)
	}
	if err := m.consumer.Commit(context.Background(), []driver.Commit{{TopicPartition: tp("t", 0)}}); err == nil {
		t.Error("commit: no error")
	}
	if _, err := m.consumer.ListOffsets(context.Background(), []driver.OffsetQuery{{TopicPartition: tp("t", 0)}}); err == nil {
		t.Error("list offsets: no error")
	}
	m.consumer.Start(starts([]driver.TopicPartition{tp("t", 0)}, 0, 0))
	m.consumer.Pause([]driver.TopicPartition{tp("t", 0)})
	m.consumer.Member()
}

// A partition continues, and stays paused, through a rebalance that does not move it.
func TestPauseAcrossRebalance(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(2, "t"))
	cfg := config(c.ListenAddrs(), "g", "t")
	a := join(t, cfg, following(t))
	a.until(t, "assigned", func() bool { return len(a.owned) == 2 })
	both := []driver.TopicPartition{tp("t", 0), tp("t", 1)}
	a.consumer.Pause(both)
	b := join(t, cfg, following(t))
	b.until(t, "shared", func() bool { return len(b.owned) == 1 })
	a.until(t, "shared", func() bool { return len(a.owned) == 1 })
	produce(t, c.ListenAddrs(), append(values("t", 0, 0, 3), values("t", 1, 0, 3)...)...)
	b.until(t, "the pause ended with the assignment", func() bool {
		for tp := range b.owned {
			return b.next[tp] == 3
		}
		return false
	})
	a.mu.Lock()
	if len(a.records) != 0 {
		t.Error("a paused partition delivered")
	}
	a.mu.Unlock()
	a.consumer.Resume(both)
	a.until(t, "read after all", func() bool {
		for tp := range a.owned {
			return a.next[tp] == 3
		}
		return false
	})
}

// Brokers before 2.8 give topics no IDs, so commits are sent differently. The loss of a member that the group dropped
// is reported all the same, where kgo would rejoin with its old partitions.
func TestLostBeforeTopicIDs(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, "t"), kfake.MaxVersions(kversion.V2_7_0()))
	cfg := config(c.ListenAddrs(), "g", "t")
	cfg.HeartbeatInterval = 2 * time.Second // the commit finds out before a heartbeat does
	m := join(t, cfg, startAt(0))
	m.until(t, "assigned", func() bool { return len(m.owned) == 1 })
	leave(t, c, "g", m.consumer.Member().ID)
	err := m.consumer.Commit(ctx(t), []driver.Commit{{TopicPartition: tp("t", 0), Offset: 1, LeaderEpoch: -1}})
	refused, ok := errors.AsType[*driver.CommitError](err)
	if !ok || refused.Partitions[tp("t", 0)] == nil || refused.Partitions[tp("t", 0)].Kind != driver.KindStaleMember {
		t.Fatalf("a commit of a member that the group dropped: %v", err)
	}
	m.until(t, "lost and assigned again", func() bool {
		return len(m.calls) == 3 && m.calls[1] == "lost[t-0]" && m.calls[2] == "assigned[t-0]"
	})
}

// leave ends a membership without the member's knowledge.
func leave(t *testing.T, c *kfake.Cluster, group, id string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewPtrLeaveGroupRequest()
	who := kmsg.NewLeaveGroupRequestMember()
	who.MemberID = id
	req.Group, req.Members = group, append(req.Members, who)
	if resp, err := req.RequestWith(ctx(t), cl); err != nil || resp.ErrorCode != 0 || resp.Members[0].ErrorCode != 0 {
		t.Fatalf("leave for %s: %+v, %v", id, resp, err)
	}
}
