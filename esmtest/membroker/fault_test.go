package membroker_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
)

func TestFaults(t *testing.T) {
	orders := tps("orders", 0)[0]
	inBubble(t, "scripted errors", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("orders", 1)
		a := open(t, b, nil)
		boom := errors.New("boom")
		b.Fail(membroker.OpCommit, 2, boom)
		for i := range 3 {
			err := a.c.Commit(t.Context(), []driver.Commit{{TopicPartition: orders, Offset: 5, Metadata: "m", LeaderEpoch: 3}})
			if got, want := errors.Is(err, boom), i < 2; got != want {
				t.Errorf("commit %d: %v", i, err)
			}
		}
		if k := b.Committed("", "orders", 0); k.Offset != 5 || k.Metadata != "m" || k.LeaderEpoch != 3 {
			t.Errorf("committed %+v", k)
		}
		b.Report("g", &driver.Error{Kind: driver.KindAuthorization, Offset: -1})
		a.poll()
		a.poll()
		a.want("assigned [orders-0]", ": authorization at -1")
		b.Fail(membroker.OpPoll, 1, boom)
		a.poll()
		a.want("end: other: boom")
	})
	inBubble(t, "a commit that hangs is carried out late", func(t *testing.T) {
		var seen []int64
		b := membroker.NewBroker(t, membroker.OnCommit(func(i membroker.CommitInfo) { seen = append(seen, i.Offset) }))
		b.CreateTopic("orders", 1)
		a := open(t, b, nil)
		release := b.Hang(membroker.OpCommit)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		err := a.c.Commit(ctx, []driver.Commit{{TopicPartition: orders, Offset: 5}})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 3*time.Second {
			t.Errorf("commit: %v after %v", err, time.Since(begin))
		}
		release()
		release()
		if !slices.Equal(seen, []int64{5}) {
			t.Errorf("commits %v", seen)
		}
	})
	inBubble(t, "stopped and started", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("orders", membroker.Values("a")...)
		b.Stop()
		a := open(t, b, nil)
		a.poll()
		a.poll()
		a.want(": unavailable at -1")
		time.AfterFunc(5*time.Second, b.Start)
		if _, err := a.c.Topics(t.Context()); err != nil {
			t.Errorf("Topics across a restart: %v", err)
		}
		a.poll()
		a.want("assigned [orders-0]", "orders-0@1 [0=a] next 1 end 1")
	})
	inBubble(t, "Close has a deadline; the session ends the membership", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("orders", 1)
		a := open(t, b, nil)
		z := open(t, b, nil)
		a.poll()
		z.poll()
		z.want("assigned []")
		b.Hang(membroker.OpClose)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.c.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		z.poll()
		z.want()
		time.Sleep(10 * time.Second)
		z.poll()
		z.want("assigned [orders-0]")
		b.Heal()
	})
	inBubble(t, "slow answers", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("orders", 1)
		a := open(t, b, nil)
		b.Delay(membroker.OpListOffsets, 2*time.Second)
		begin := time.Now()
		if _, err := a.c.ListOffsets(t.Context(), []driver.OffsetQuery{{TopicPartition: orders, At: driver.AtEnd}}); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d != 2*time.Second {
			t.Errorf("took %v", d)
		}
		if n := b.Calls(membroker.OpListOffsets); n != 1 {
			t.Errorf("%d calls", n)
		}
	})
}

func TestCorrupt(t *testing.T) {
	inBubble(t, "nothing behind it is handed out until it is repaired", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("orders", membroker.Values("a", "b", "c")...)
		b.Corrupt("orders", 0, 1)
		a := open(t, b, nil)
		a.poll()
		a.want("assigned [orders-0]", "orders-0@1 [0=a] next 1 end 3")
		a.poll()
		a.want("orders: corrupt batch at 1")
		a.poll()
		a.want()
		b.Repair("orders", 0)
		a.poll()
		a.want("orders-0@1 [1=b 2=c] next 3 end 3")
	})
}

func TestWithhold(t *testing.T) {
	inBubble(t, "one partition brings nothing, without a word, until all have released it", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("orders", 2)
		release, again := b.Withhold("orders", 0), b.Withhold("orders", 0)
		b.Produce("orders", membroker.Values("a")...)
		b.Produce("orders", membroker.Record{Partition: 1, Value: []byte("b")})
		a := open(t, b, nil)
		a.poll()
		a.want("assigned [orders-0 orders-1]", "orders-1@1 [0=b] next 1 end 1")
		release()
		release()
		a.poll()
		a.want()
		again()
		a.poll()
		a.want("orders-0@1 [0=a] next 1 end 1")
	})
}
