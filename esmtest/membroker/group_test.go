package membroker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
)

func TestGroup(t *testing.T) {
	inBubble(t, "two members share, one leaves", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("orders", 4)
		a := open(t, b, nil)
		a.poll()
		z := open(t, b, nil)
		z.poll()
		a.want("assigned [orders-0 orders-1 orders-2 orders-3]")
		z.want("assigned []")
		a.poll()
		a.want("revoked [orders-2 orders-3]")
		z.poll()
		z.want("assigned [orders-2 orders-3]")
		if err := a.c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		a.want("revoked [orders-0 orders-1]")
		z.poll()
		z.want("assigned [orders-0 orders-1]")
		if m := z.c.Member(); m.ID != "c-2" || m.Rebalances != 2 || m.Generation != 3 {
			t.Errorf("member %+v", m)
		}
	})
	inBubble(t, "a partition does not move while Revoked runs", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("orders", 2)
		a := open(t, b, nil)
		a.poll()
		z := open(t, b, nil)
		proceed := make(chan struct{})
		a.onRevoked = func(tps []driver.TopicPartition) {
			<-proceed
			if err := a.c.Commit(t.Context(), []driver.Commit{{TopicPartition: tps[0], Offset: 9}}); err != nil {
				t.Errorf("commit in Revoked: %v", err)
			}
		}
		done := make(chan struct{})
		go func() { defer close(done); a.poll() }()
		synctest.Wait()
		z.poll()
		z.want("assigned []")
		close(proceed)
		<-done
		z.poll()
		z.want("assigned [orders-1]")
		if k := b.Committed("g", "orders", 1); k.Offset != 9 {
			t.Errorf("committed %+v", k)
		}
		a.onRevoked = nil
	})
	inBubble(t, "a member that does not poll is dropped, and comes back", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("orders", 1)
		a := open(t, b, nil)
		z := open(t, b, func(c *driver.Config) { c.MaxPollInterval = 0 })
		a.poll()
		time.Sleep(2 * time.Minute)
		z.poll()
		z.want("assigned [orders-0]")
		err := a.c.Commit(t.Context(), []driver.Commit{{TopicPartition: tps("orders", 0)[0], Offset: 1}})
		var refused *driver.CommitError
		if !errors.As(err, &refused) || refused.Partitions[tps("orders", 0)[0]].Kind != driver.KindStaleMember {
			t.Errorf("a late commit: %v, want it refused as stale", err)
		}
		a.poll()
		a.want("assigned [orders-0]", "lost [orders-0]", "assigned []", ": max poll interval exceeded at -1")
		if id := a.c.Member().ID; id != "c-3" {
			t.Errorf("member id %q after it joined again", id)
		}
	})
	inBubble(t, "lost without the member's knowledge", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("orders", 1)
		a := open(t, b, nil)
		a.poll()
		b.Lose(b.Members("g")[0].ID)
		a.poll()
		a.want("assigned [orders-0]", "lost [orders-0]", "assigned [orders-0]")
	})
	inBubble(t, "revoke moves, or bounces off a lone member", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("orders", 1)
		a := open(t, b, nil)
		a.poll()
		b.Revoke()
		a.poll()
		a.want("assigned [orders-0]", "revoked [orders-0]", "assigned [orders-0]")
		z := open(t, b, nil)
		z.poll()
		z.want("assigned []")
		b.Revoke(tps("orders", 0)...)
		a.poll()
		z.poll()
		a.want("revoked [orders-0]")
		z.want("assigned [orders-0]")
	})
	inBubble(t, "a static member comes back to what it had", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("orders", 2)
		static := func(c *driver.Config) { c.InstanceID = "i" }
		a := open(t, b, static)
		z := open(t, b, nil)
		a.poll()
		z.poll()
		_ = a.c.Close(t.Context())
		z.poll()
		z.want("assigned [orders-1]")
		again := open(t, b, static)
		again.poll()
		again.want("assigned [orders-0]")
		other := open(t, b, static)
		other.poll()
		again.poll()
		other.want("assigned [orders-0]")
		again.want("lost [orders-0]", "end: fenced: memory: another member joined with group.instance.id i")
		_ = other.c.Close(t.Context())
		time.Sleep(10 * time.Second)
		z.poll()
		z.want("assigned [orders-0]")
	})
	inBubble(t, "topics come, grow and go", func(t *testing.T) {
		b := membroker.NewBroker(t)
		pattern := func(c *driver.Config) {
			c.Topics, c.MetadataMaxAge = []string{"^ord.*", "bills"}, 5*time.Second
		}
		a := open(t, b, pattern)
		a.poll()
		a.want("assigned []", "bills: unknown topic at -1")
		b.CreateTopic("orders", 1)
		b.CreateTopic("bills", 1)
		for range 6 {
			a.poll()
		}
		a.want("assigned [bills-0 orders-0]")
		b.CreateTopic("orders", 2)
		for range 6 {
			a.poll()
		}
		a.want("assigned [orders-1]")
		b.DeleteTopic("orders")
		for range 7 {
			a.poll()
		}
		a.want("orders: unknown topic at -1", "revoked [orders-0 orders-1]")
	})
	inBubble(t, "deleted and made again", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("orders", membroker.Values("a", "b")...)
		a := open(t, b, nil)
		a.poll()
		a.want("assigned [orders-0]", "orders-0@1 [0=a 1=b] next 2 end 2")
		was, _ := a.c.Topics(t.Context())
		b.RecreateTopic("orders")
		b.Produce("orders", membroker.Values("c", "d", "e")...)
		a.poll()
		a.poll()
		a.want("orders: topic recreated at -1")
		is, _ := a.c.Topics(t.Context(), "orders")
		if was[0].ID == is[0].ID {
			t.Error("the topic id did not change")
		}
		a.c.Start([]driver.Start{{TopicPartition: tps("orders", 0)[0], Epoch: 2}})
		a.poll()
		a.want("orders-0@2 [0=c 1=d 2=e] next 3 end 3")
	})
}

func TestALateCommitIsOfItsGeneration(t *testing.T) {
	inBubble(t, "sent before a rebalance, arrived after it", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("orders", membroker.Values("a", "b", "c")...)
		a := open(t, b, nil)
		a.poll()
		release := b.Hang(membroker.OpCommit)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := a.c.Commit(ctx, []driver.Commit{{TopicPartition: tps("orders", 0)[0], Offset: 1}}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		b.Rebalance("g")
		release()
		if c := b.Committed("g", "orders", 0); c.Offset != -1 {
			t.Errorf("a commit of an earlier generation is accepted: %+v", c)
		}
	})
}
