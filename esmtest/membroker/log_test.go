package membroker_test

import (
	"testing"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
)

func TestGaps(t *testing.T) {
	inBubble(t, "markers and compaction", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("orders", membroker.Values("a", "b", "c")...)
		b.Compact("orders", 0, func(offset int64, _ []byte) bool { return offset != 1 })
		b.Gap("orders", 0, 2)
		a := open(t, b, nil)
		a.poll()
		a.want("assigned [orders-0]", "orders-0@1 [0=a 2=c] next 5 end 5")
		b.Gap("orders", 0, 1)
		a.poll()
		a.want("orders-0@1 [] next 6 end 6")
	})
	inBubble(t, "transactions", func(t *testing.T) {
		b := membroker.NewBroker(t)
		tx := b.Begin()
		tx.Produce("orders", membroker.Values("a")...)
		b.Produce("orders", membroker.Values("b")...)
		a := open(t, b, nil)
		dirty := open(t, b, func(c *driver.Config) { c.GroupID, c.ReadUncommitted = "dirty", true })
		a.poll()
		a.want("assigned [orders-0]")
		dirty.poll()
		dirty.want("assigned [orders-0]", "orders-0@1 [0=a 1=b] next 2 end 2")
		tx.Abort()
		a.poll()
		a.want("orders-0@1 [1=b] next 3 end 3")
		tx = b.Begin()
		tx.Produce("orders", membroker.Values("c")...)
		tx.Commit()
		a.poll()
		a.want("orders-0@1 [3=c] next 5 end 5")
	})
	inBubble(t, "out of range, both ways, once", func(t *testing.T) {
		b := membroker.NewBroker(t, membroker.FetchRecords(1))
		b.Produce("orders", membroker.Values("a", "b", "c", "d")...)
		a := open(t, b, nil)
		a.poll()
		b.DeleteRecords("orders", 0, 2)
		a.poll()
		a.poll()
		a.want("assigned [orders-0]", "orders-0@1 [0=a] next 1 end 4", "orders: offset out of range at 1")
		a.c.Start([]driver.Start{{TopicPartition: tps("orders", 0)[0], Offset: 3, Epoch: 2}})
		a.poll()
		b.Truncate("orders", 0, 2)
		a.poll()
		a.poll()
		a.want("orders-0@2 [3=d] next 4 end 4", "orders: log truncated at 4")
	})
}

func TestLag(t *testing.T) {
	inBubble(t, "lag", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("orders", 2)
		b.Produce("orders", append(values(0, "a", "b"), values(1, "c")...)...)
		a := open(t, b, nil)
		if lag := b.Lag("g"); lag != 3 {
			t.Errorf("lag %d before any commit, want 3", lag)
		}
		if err := a.c.Commit(t.Context(), []driver.Commit{{TopicPartition: tps("orders", 0)[0], Offset: 2}}); err != nil {
			t.Fatal(err)
		}
		b.DeleteRecords("orders", 1, 1)
		if lag := b.Lag("g"); lag != 0 {
			t.Errorf("lag %d, want 0", lag)
		}
	})
}

func TestCutLog(t *testing.T) {
	inBubble(t, "what was read is not what is there any more", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("orders", membroker.Values("a", "b", "c")...)
		a := open(t, b, nil)
		a.poll()
		a.want("assigned [orders-0]", "orders-0@1 [0=a 1=b 2=c] next 3 end 3")
		b.Truncate("orders", 0, 1)
		b.Produce("orders", membroker.Values("x", "y", "z")...)
		a.poll()
		a.want("orders: log truncated at 3")
		a.c.Start([]driver.Start{{TopicPartition: tps("orders", 0)[0], Offset: 1, LeaderEpoch: 0, Epoch: 2}})
		a.poll()
		a.want("orders-0@2 [1=x 2=y 3=z] next 4 end 4")
	})
	inBubble(t, "a reader that does not know what it read is not told", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("orders", membroker.Values("a", "b")...)
		b.Truncate("orders", 0, 1)
		b.Produce("orders", membroker.Values("x", "y")...)
		a := open(t, b, nil)
		a.from = func(driver.TopicPartition) int64 { return 2 }
		a.poll()
		a.want("assigned [orders-0]", "orders-0@1 [2=y] next 3 end 3")
	})
}
