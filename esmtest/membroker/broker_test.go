package membroker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inBubble runs each test in virtual time, as users of the package do.
func inBubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// app is a member of a group that starts what it is assigned and notes what happens.
type app struct {
	t     *testing.T
	c     driver.Consumer
	from  func(driver.TopicPartition) int64
	log   []string
	fetch driver.Fetch
	// onRevoked runs inside Listener.Revoked.
	onRevoked func([]driver.TopicPartition)
}

func open(t *testing.T, b *membroker.Broker, change func(*driver.Config)) *app {
	t.Helper()
	a := &app{t: t, from: func(driver.TopicPartition) int64 { return 0 }}
	cfg := driver.Config{
		GroupID: "g", ClientID: "c", Topics: []string{"orders"}, Logger: slog.New(slog.DiscardHandler),
		SessionTimeout: 10 * time.Second, MaxPollInterval: time.Minute,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := b.Driver().Open(cfg, a)
	if err != nil {
		t.Fatal(err)
	}
	a.c = c
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return a
}

func (a *app) notef(format string, args ...any) { a.log = append(a.log, fmt.Sprintf(format, args...)) }

func (a *app) Assigned(tps []driver.TopicPartition) {
	a.notef("assigned %v", tps)
	if a.from == nil {
		return
	}
	starts := make([]driver.Start, 0, len(tps))
	for _, tp := range tps {
		starts = append(starts, driver.Start{TopicPartition: tp, Offset: a.from(tp), LeaderEpoch: -1, Epoch: 1})
	}
	a.c.Start(starts)
}

func (a *app) Revoked(tps []driver.TopicPartition) {
	a.notef("revoked %v", tps)
	if a.onRevoked != nil {
		a.onRevoked(tps)
	}
}

func (a *app) Lost(tps []driver.TopicPartition) { a.notef("lost %v", tps) }

// poll polls once and notes runs and errors.
func (a *app) poll() {
	a.t.Helper()
	if err := a.c.Poll(context.Background(), &a.fetch); err != nil {
		a.notef("end: %v", err)
		return
	}
	for _, e := range a.fetch.Errors {
		a.notef("%s: %v at %d", e.TopicPartition.Topic, e.Kind, e.Offset)
	}
	for _, r := range a.fetch.Runs {
		values := make([]string, 0, len(r.Records))
		for _, k := range r.Records {
			values = append(values, fmt.Sprintf("%d=%s", k.Offset, k.Value))
		}
		a.notef("%v@%d [%s] next %d end %d", r.TopicPartition, r.Epoch, strings.Join(values, " "), r.Next, r.End)
	}
}

// want checks what happened since the last want, line by line.
func (a *app) want(lines ...string) {
	a.t.Helper()
	if !slices.Equal(a.log, lines) {
		a.t.Fatalf("happened:\n  %s\nwant:\n  %s", strings.Join(a.log, "\n  "), strings.Join(lines, "\n  "))
	}
	a.log = nil
}

func tps(topic string, partitions ...int32) []driver.TopicPartition {
	out := make([]driver.TopicPartition, len(partitions))
	for i, p := range partitions {
		out[i] = driver.TopicPartition{Topic: topic, Partition: p}
	}
	return out
}

func values(partition int32, vs ...string) []membroker.Record {
	records := membroker.Values(vs...)
	for i := range records {
		records[i].Partition = partition
	}
	return records
}

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

func BenchmarkPoll(b *testing.B) {
	for _, c := range []struct{ n, reuse int }{{1000, 0}, {10000, 0}, {1000, 4}, {1000, 64}, {10000, 4}} {
		n := c.n
		b.Run(fmt.Sprintf("run=%d/reuse=%d", n, c.reuse), func(b *testing.B) {
			broker := membroker.NewBroker(b, membroker.FetchRecords(n), membroker.FetchRuns(1), membroker.ReuseLoad(c.reuse))
			broker.Load("orders", 8, 1<<50, membroker.Record{Value: make([]byte, 100)})
			l := &starter{}
			c, err := broker.Driver().Open(driver.Config{GroupID: "g", Topics: []string{"orders"}}, l)
			if err != nil {
				b.Fatal(err)
			}
			l.c = c
			defer func() { _ = c.Close(context.Background()) }()
			var fetch driver.Fetch
			ctx := context.Background()
			records := 0
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Poll(ctx, &fetch); err != nil {
					b.Fatal(err)
				}
				for i := range fetch.Runs {
					records += len(fetch.Runs[i].Records)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(records), "ns/record")
		})
	}
}

type starter struct{ c driver.Consumer }

func (s *starter) Assigned(tps []driver.TopicPartition) {
	for _, tp := range tps {
		s.c.Start([]driver.Start{{TopicPartition: tp}})
	}
}
func (*starter) Revoked([]driver.TopicPartition) {}
func (*starter) Lost([]driver.TopicPartition)    {}

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
