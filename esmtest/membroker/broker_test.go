package membroker_test

import (
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

func TestConsume(t *testing.T) {
	inBubble(t, "records in order, runs as long as asked for", func(t *testing.T) {
		b := membroker.NewBroker(t, membroker.FetchRecords(2))
		b.CreateTopic("orders", 2)
		b.Produce("orders", values(0, "a", "b", "c")...)
		b.Produce("orders", values(1, "x")...)
		a := open(t, b, nil)
		a.poll()
		a.want("assigned [orders-0 orders-1]", "orders-0@1 [0=a 1=b] next 2 end 3", "orders-1@1 [0=x] next 1 end 1")
		a.poll()
		a.want("orders-0@1 [2=c] next 3 end 3")
		a.poll()
		a.want()
	})
	inBubble(t, "partitions take turns", func(t *testing.T) {
		b := membroker.NewBroker(t, membroker.FetchRecords(1), membroker.FetchRuns(1))
		b.CreateTopic("orders", 2)
		b.Produce("orders", append(values(0, "a", "b"), values(1, "x", "y")...)...)
		a := open(t, b, nil)
		for range 4 {
			a.poll()
		}
		a.want("assigned [orders-0 orders-1]", "orders-0@1 [0=a] next 1 end 2", "orders-1@1 [0=x] next 1 end 2",
			"orders-0@1 [1=b] next 2 end 2", "orders-1@1 [1=y] next 2 end 2")
	})
	inBubble(t, "a Poll that waits hears of a new record at once, and ends after a second", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("orders", 1)
		a := open(t, b, nil)
		begin := time.Now()
		a.poll()
		a.want("assigned [orders-0]")
		if d := time.Since(begin); d != time.Second {
			t.Errorf("an idle Poll took %v, want 1s", d)
		}
		begin = time.Now()
		time.AfterFunc(300*time.Millisecond, func() { b.Produce("orders", membroker.Values("a")...) })
		a.poll()
		a.want("orders-0@1 [0=a] next 1 end 1")
		if d := time.Since(begin); d != 300*time.Millisecond {
			t.Errorf("Poll took %v, want 300ms", d)
		}
	})
	inBubble(t, "pause, resume, move", func(t *testing.T) {
		b := membroker.NewBroker(t, membroker.FetchRecords(1))
		b.Produce("orders", membroker.Values("a", "b", "c")...)
		a := open(t, b, nil)
		a.poll()
		a.want("assigned [orders-0]", "orders-0@1 [0=a] next 1 end 3")
		a.c.Pause(tps("orders", 0))
		a.poll()
		a.want()
		a.c.Start([]driver.Start{{TopicPartition: tps("orders", 0)[0], Offset: 2, Epoch: 7}})
		a.poll()
		a.want()
		a.c.Resume(tps("orders", 0))
		a.poll()
		a.want("orders-0@7 [2=c] next 3 end 3")
	})
	inBubble(t, "what a reader does to its records does not reach the log", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("orders", membroker.Record{Key: []byte("k"), Value: []byte("v"),
			Headers: []event.Header{{Key: "h", Value: []byte("1")}, {Key: "h"}}})
		a := open(t, b, nil)
		for range 2 {
			a.poll()
			r := a.fetch.Runs[0].Records[0]
			if string(r.Key) != "k" || string(r.Value) != "v" || len(r.Headers) != 2 || string(r.Headers[0].Value) != "1" || r.Headers[1].Value != nil {
				t.Fatalf("record %+v", r)
			}
			r.Key[0], r.Value[0], r.Headers[0].Value[0] = 'X', 'X', 'X'
			a.c.Start([]driver.Start{{TopicPartition: tps("orders", 0)[0]}})
		}
	})
}
