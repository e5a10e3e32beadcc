package run

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/internal/start"
)

// Records produced to a new topic before the mapping notices it must not be skipped.
func TestTopicMadeLaterBeginsAtItsBeginning(t *testing.T) {
	begin := time.UnixMilli(1_700_000_000_000)
	old := func(n int) []membroker.Record {
		records := numbered(n)
		for i := range records {
			records[i].Timestamp = begin
		}
		return records
	}
	for _, at := range []struct {
		name string
		at   driver.OffsetAt
	}{{"LATEST", driver.AtEnd}, {"AT_TIMESTAMP", driver.OffsetAt(begin.Add(time.Hour).UnixMilli())}} {
		for _, topics := range []string{"t", "^t$"} {
			inBubble(t, at.name+" with "+topics, func(t *testing.T) {
				b := membroker.NewBroker(t)
				r := newRig(t, b, startingAt(at.at), nil, WithMetadataMaxAge(time.Minute))
				r.runner.client.Topics = []string{topics}
				r.start()
				pass(10 * time.Second)
				b.CreateTopic("t", 2)
				b.Produce("t", old(3)...)
				pass(2 * time.Minute)
				if got := r.seen(0); got != "[0 1 2]" {
					t.Errorf("handled %s, want all of the new topic", got)
				}
				if n := start.ParseNote(b.Committed("g", "t", 1).Metadata); !n.Ours || n.Partitions != 0 {
					t.Errorf("the commits say %+v; a member that comes later has to know", n)
				}
				r.mustStop()
			})
		}
	}
	inBubble(t, "started in part when another member takes over", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		b.Produce("t", membroker.Record{Partition: 1}, membroker.Record{Partition: 1})
		b.SetCommitted("g", "t", 0, 0, "esm/1 partitions=0")
		r := newRig(t, b, startingAt(driver.AtEnd), nil).start()
		pass(5 * time.Second)
		if got := r.seen(1); got != "[0 1]" {
			t.Errorf("handled %s, want [0 1]", got)
		}
		r.mustStop()
	})
	inBubble(t, "one that was there and could not be described is no new one", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(3)...)
		refused := true
		d := &tap{Driver: b.Driver(), topics: func(answers []driver.Topic) error {
			for i := range answers {
				if refused {
					answers[i].Err = &driver.Error{Kind: driver.KindAuthorization, Offset: -1, Err: errors.New("no Describe")}
				}
			}
			return nil
		}}
		r := newRig(t, b, startingAt(driver.AtEnd), nil, WithDriver(d)).launch()
		pass(5 * time.Second)
		d.set(func(*tap) { refused = false })
		pass(10 * time.Second)
		b.Produce("t", numbered(1)...)
		pass(5 * time.Second)
		if got := r.seen(0); got != "[3]" {
			t.Errorf("handled %s, want [3]", got)
		}
		r.mustStop()
	})
}

func TestTopicMadeAgainWhileNobodyRan(t *testing.T) {
	begun := func(t *testing.T) *membroker.Broker {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(5)...)
		r := newRig(t, b, defaults(), nil).start()
		pass(3 * time.Second)
		r.mustStop()
		return b
	}
	inBubble(t, "the commit is of the old one", func(t *testing.T) {
		b := begun(t)
		b.RecreateTopic("t")
		b.Produce("t", numbered(8)...)
		r := newRig(t, b, startingAt(driver.AtEnd), nil).start()
		pass(3 * time.Second)
		if got := r.seen(0); got != "[0 1 2 3 4 5 6 7]" {
			t.Errorf("handled %s, want all of the new topic", got)
		}
		r.mustStop()
	})
	inBubble(t, "with a partition that the old one had no commit of", func(t *testing.T) {
		b := begun(t)
		b.CreateTopic("t", 2)
		b.RecreateTopic("t")
		b.Produce("t", membroker.Record{Partition: 1}, membroker.Record{Partition: 1})
		r := newRig(t, b, startingAt(driver.AtEnd), nil).start()
		pass(3 * time.Second)
		if got := r.seen(1); got != "[0 1]" {
			t.Errorf("handled %s, want all of the new topic", got)
		}
		if n := start.ParseNote(b.Committed("g", "t", 1).Metadata); n.Partitions != 0 {
			t.Errorf("the commits say %+v", n)
		}
		r.mustStop()
	})
	inBubble(t, "a commit that was carried over from another cluster holds", func(t *testing.T) {
		b := begun(t)
		n := start.ParseNote(b.Committed("g", "t", 0).Metadata)
		n.Cluster, n.Topic[0] = start.Fingerprint("elsewhere:9092"), n.Topic[0]+1
		b.SetCommitted("g", "t", 0, 3, n.Text(""))
		r := newRig(t, b, startingAt(driver.AtEnd), nil).start()
		pass(3 * time.Second)
		if got := r.seen(0); got != "[3 4]" {
			t.Errorf("handled %s, want [3 4]", got)
		}
		r.mustStop()
	})
}

// For a time after the last record a client returns the end of the log, which it requests second.
func TestTimeIsLookedUpBehindTheEnd(t *testing.T) {
	inBubble(t, "a record comes between the two", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(3)...)
		d := &tap{Driver: b.Driver()}
		d.list = func(ctx context.Context, c driver.Consumer, queries []driver.OffsetQuery) ([]driver.OffsetAnswer, error) {
			for _, q := range queries {
				if q.At >= 0 { // no record is that new; now one arrives; now the end is requested
					b.Produce("t", membroker.Record{Value: []byte("between")})
				}
			}
			return c.ListOffsets(ctx, queries)
		}
		r := newRig(t, b, startingAt(driver.OffsetAt(time.Now().Add(time.Hour).UnixMilli())), nil, WithDriver(d)).start()
		pass(5 * time.Second)
		if got := r.seen(0); got != "[3]" {
			t.Errorf("handled %s, want [3]", got)
		}
		r.mustStop()
	})
}

// A problem of one topic, partition or broker affects only its own partitions.
func TestOneBadPartitionKeepsNoOtherFromStarting(t *testing.T) {
	bad := &driver.Error{Kind: driver.KindUnknownTopic, Offset: -1, Err: errors.New("unknown topic")}
	inBubble(t, "a topic that is not there", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("gone", 1)
		b.Produce("t", numbered(3)...)
		d := &tap{Driver: b.Driver(), topics: func(answers []driver.Topic) error {
			for i := range answers {
				if answers[i].Name == "gone" {
					answers[i].Err = bad
				}
			}
			return nil
		}}
		r := newRig(t, b, defaults(), nil, WithDriver(d))
		r.runner.client.Topics = []string{"t", "gone"}
		r.launch()
		pass(time.Second)
		if got := r.seen(0); got != "[0 1 2]" {
			t.Errorf("handled %s, want [0 1 2]", got)
		}
		d.set(func(d *tap) { d.topics = nil })
		pass(6 * time.Second)
		select {
		case <-r.runner.Ready():
		default:
			t.Error("the other topic did not start when it was there")
		}
		r.mustStop()
	})
	inBubble(t, "the last one that could not start is taken away", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("gone", 1)
		b.Produce("t", numbered(3)...)
		d := &tap{Driver: b.Driver(), topics: func(answers []driver.Topic) error {
			for i := range answers {
				if answers[i].Name == "gone" {
					answers[i].Err = bad
				}
			}
			return nil
		}}
		r := newRig(t, b, defaults(), nil, WithDriver(d), WithMetadataMaxAge(10*time.Second))
		r.runner.client.Topics = []string{"t", "gone"}
		r.launch()
		pass(time.Second)
		b.DeleteTopic("gone")
		pass(time.Minute)
		select {
		case <-r.runner.Ready():
		default:
			t.Error("not ready, with all that is assigned started")
		}
		r.mustStop()
	})
	inBubble(t, "a leader that does not answer", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 64)
		for p := range int32(64) {
			b.Produce("t", membroker.Record{Partition: p})
		}
		for p := range int32(16) {
			b.SetCommitted("g", "t", p, 0, "esm/1 partitions=64")
		}
		d := &tap{Driver: b.Driver()}
		d.list = func(ctx context.Context, c driver.Consumer, queries []driver.OffsetQuery) ([]driver.OffsetAnswer, error) {
			for _, q := range queries {
				if q.Partition == 40 {
					<-ctx.Done()
					return nil, fmt.Errorf("list offsets: %w", ctx.Err())
				}
			}
			return c.ListOffsets(ctx, queries)
		}
		r := newRig(t, b, defaults(), nil, WithDriver(d)).launch()
		handled := func() (n int) {
			for p := range int32(64) {
				if r.seen(p) == "[0]" {
					n++
				}
			}
			return n
		}
		pass(2 * time.Second)
		if n := handled(); n != 16 {
			t.Errorf("%d partitions run at first, want the 16 that the group has commits of", n)
		}
		pass(time.Minute)
		if n := handled(); n != 63 {
			t.Errorf("%d partitions run, want 63", n)
		}
		d.set(func(d *tap) { d.list = nil })
		pass(time.Minute)
		if n := handled(); n != 64 {
			t.Errorf("%d partitions run in the end, want 64", n)
		}
		r.mustStop()
	})
}

// The start of a topic that is recreated while a member runs is committed at once, not with its first record: otherwise
// the next reader would continue at the old topic's commit.
func TestRecreatedTopicIsCommittedAtOnce(t *testing.T) {
	inBubble(t, "the next member loses nothing", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(5)...)
		x := newRig(t, b, defaults(), nil).start()
		pass(3 * time.Second)
		b.RecreateTopic("t")
		pass(3 * time.Minute)
		if k := b.Committed("g", "t", 0).Offset; k != 0 {
			t.Errorf("committed %d, want the start of the new topic", k)
		}
		x.mustStop()
		b.Produce("t", numbered(8)...)
		y := newRig(t, b, defaults(), nil).start()
		pass(3 * time.Second)
		if got := y.seen(0); got != "[0 1 2 3 4 5 6 7]" {
			t.Errorf("handled %s, want all of the new topic", got)
		}
		y.mustStop()
	})
}
