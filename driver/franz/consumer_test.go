package franz

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/esm-go/esm/driver"
)

func TestReadsFromStart(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(3, "t"))
	for p := range int32(3) {
		produce(t, c.ListenAddrs(), values("t", p, 0, 10)...)
	}
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(4))
	m.until(t, "all partitions read", func() bool {
		return m.next[tp("t", 0)] == 10 && m.next[tp("t", 1)] == 10 && m.next[tp("t", 2)] == 10
	})
	for p, rs := range m.records {
		if len(rs) != 6 || rs[0].Offset != 4 || string(rs[0].Value) != "v4" {
			t.Errorf("%v: %d records from offset %d", p, len(rs), rs[0].Offset)
		}
	}
	if m.end[tp("t", 1)] != 10 {
		t.Errorf("end is %d, want 10", m.end[tp("t", 1)])
	}
	if len(m.calls) != 1 || m.overlaps != 0 || len(m.errs) != 0 {
		t.Errorf("calls %v, overlaps %d, errors %v", m.calls, m.overlaps, m.errs)
	}
}

// A Start long after the assignment moves the cursor of a partition that the client already has.
func TestHeldUntilStarted(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(2, "t"))
	produce(t, c.ListenAddrs(), values("t", 0, 0, 10)...)
	produce(t, c.ListenAddrs(), values("t", 1, 0, 10)...)
	m := join(t, config(c.ListenAddrs(), "g", "t"), nil)
	m.until(t, "assigned", func() bool { return len(m.owned) == 2 })
	// The client places its cursors when adjustOffsets stops waiting.
	placed := func() bool {
		m.consumer.assigned.mu.Lock()
		defer m.consumer.assigned.mu.Unlock()
		p := m.consumer.assigned.get(tp("t", 0))
		return p != nil && p.placed
	}
	m.until(t, "placed", placed)
	m.consumer.Start(starts([]driver.TopicPartition{tp("t", 1)}, 3, 7))
	m.until(t, "t-1 read", func() bool { return m.next[tp("t", 1)] == 10 })
	m.mu.Lock()
	defer m.mu.Unlock()
	if rs := m.records[tp("t", 1)]; len(rs) != 7 || rs[0].Offset != 3 || m.runs[0].Epoch != 7 {
		t.Errorf("%d records from %d under epoch %d, want 7 from 3 under 7", len(rs), rs[0].Offset, m.runs[0].Epoch)
	}
	if len(m.records[tp("t", 0)]) != 0 {
		t.Error("a held partition delivered")
	}
}

func TestStartMovesRunningPartition(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(1, "t"))
	produce(t, c.ListenAddrs(), values("t", 0, 0, 10)...)
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(0))
	one := tp("t", 0)
	m.until(t, "read", func() bool { return m.next[one] == 10 })
	m.consumer.Start(starts([]driver.TopicPartition{one}, 2, 9))
	m.until(t, "read again", func() bool { return len(m.records[one]) == 18 })
	m.mu.Lock()
	defer m.mu.Unlock()
	if last := m.runs[len(m.runs)-1]; last.Epoch != 9 || m.records[one][10].Offset != 2 {
		t.Errorf("epoch %d from %d, want 9 from 2", last.Epoch, m.records[one][10].Offset)
	}
}

func TestPauseAndResume(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(2, "t"))
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(0))
	a, b := tp("t", 0), tp("t", 1)
	produce(t, c.ListenAddrs(), append(values("t", 0, 0, 5), values("t", 1, 0, 5)...)...)
	m.until(t, "read", func() bool { return m.next[a] == 5 && m.next[b] == 5 })
	m.consumer.Pause([]driver.TopicPartition{a})
	produce(t, c.ListenAddrs(), append(values("t", 0, 5, 5), values("t", 1, 5, 5)...)...)
	m.until(t, "the other goes on", func() bool { return m.next[b] == 10 })
	m.mu.Lock()
	if m.next[a] != 5 {
		t.Errorf("paused partition went on to %d", m.next[a])
	}
	m.mu.Unlock()
	m.consumer.Resume([]driver.TopicPartition{a})
	m.until(t, "resumed", func() bool { return m.next[a] == 10 })
	if rs := m.records[a]; len(rs) != 10 || rs[5].Offset != 5 {
		t.Errorf("%d records, the sixth at %d", len(rs), rs[5].Offset)
	}
}

func TestOutOfRange(t *testing.T) {
	for name, at := range map[string]int64{"below the start": 2, "above the end": 50} {
		t.Run(name, func(t *testing.T) {
			c := cluster(t, kfake.SeedTopics(1, "t"))
			produce(t, c.ListenAddrs(), values("t", 0, 0, 20)...)
			if err := c.DeleteRecords("t", 0, 10); err != nil {
				t.Fatal(err)
			}
			m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(at))
			one := tp("t", 0)
			m.until(t, "reported", func() bool { return m.has(driver.KindOffsetOutOfRange) == 1 })
			m.mu.Lock()
			if e := m.errs[len(m.errs)-1]; e.Offset != at || e.TopicPartition != one {
				t.Errorf("reported %v", e)
			}
			m.mu.Unlock()
			m.consumer.Start(starts([]driver.TopicPartition{one}, 10, 2))
			m.until(t, "read", func() bool { return m.next[one] == 20 })
			if n := m.has(driver.KindOffsetOutOfRange); n != 1 || len(m.records[one]) != 10 {
				t.Errorf("reported %d times, %d records", n, len(m.records[one]))
			}
		})
	}
}

func TestCommitReadBack(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(2, "t"))
	m := join(t, config(c.ListenAddrs(), "g", "t"), startAt(0))
	m.until(t, "assigned", func() bool { return len(m.owned) == 2 })
	commit := driver.Commit{TopicPartition: tp("t", 1), Offset: 7, LeaderEpoch: 0, Metadata: "note"}
	if err := m.consumer.Commit(ctx(t), []driver.Commit{commit}); err != nil {
		t.Fatal(err)
	}
	got, err := m.consumer.Committed(ctx(t), []driver.TopicPartition{tp("t", 1), tp("t", 0)})
	if err != nil {
		t.Fatal(err)
	}
	want := []driver.Committed{
		{TopicPartition: tp("t", 1), Offset: 7, LeaderEpoch: 0, Metadata: "note"},
		{TopicPartition: tp("t", 0), Offset: -1, LeaderEpoch: -1},
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestListOffsets(t *testing.T) {
	c := cluster(t, kfake.SeedTopics(2, "t"))
	rs := values("t", 0, 0, 10)
	for i, r := range rs {
		r.Timestamp = time.UnixMilli(1000 + int64(i)*100)
	}
	for _, r := range rs {
		produce(t, c.ListenAddrs(), r)
	}
	if err := c.DeleteRecords("t", 0, 2); err != nil {
		t.Fatal(err)
	}
	m := join(t, config(c.ListenAddrs(), "g", "t"), nil)
	q := func(p int32, at driver.OffsetAt) driver.OffsetQuery {
		return driver.OffsetQuery{TopicPartition: tp("t", p), At: at}
	}
	got, err := m.consumer.ListOffsets(ctx(t), []driver.OffsetQuery{
		q(0, driver.AtEarliest), q(0, driver.AtEnd), q(0, 1450), q(0, 99999), q(1, driver.AtEnd), q(1, 5), q(5, driver.AtEnd), q(0, 1450),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{2, 10, 5, 10, 0, 0, -1, 5} {
		if got[i].Offset != want || (got[i].Err != nil) != (want < 0) {
			t.Errorf("query %d: offset %d, error %v; want %d", i, got[i].Offset, got[i].Err, want)
		}
	}
}
