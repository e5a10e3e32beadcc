package run

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/start"
)

// deaf is a client that does not notice that a topic was recreated, and keeps its partitions.
func deaf(b *membroker.Broker) *wire {
	return &wire{Driver: b.Driver(), brings: func(_ int, into *driver.Fetch) {
		into.Errors = slices.DeleteFunc(into.Errors, func(e *driver.Error) bool { return e.Kind == driver.KindTopicRecreated })
	}}
}

// A client may learn only by a Start that a topic was recreated, so Start is called before anything of the topic is
// committed.
func TestStartOfATopicThatWasMadeAgain(t *testing.T) {
	inBubble(t, "the order of the client's calls", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(5)...)
		var mu sync.Mutex
		var calls []string
		d := &tap{Driver: b.Driver()}
		r := newRig(t, b, defaults(), nil, WithDriver(d)).start()
		pass(3 * time.Second)
		note := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, what)
		}
		d.set(func(d *tap) {
			d.commit = func([]driver.Commit) { note("commit") }
			d.started = func([]driver.Start) { note("start") }
		})
		b.RecreateTopic("t")
		b.Produce("t", numbered(3)...)
		pass(time.Minute)
		mu.Lock()
		if len(calls) < 2 || calls[0] != "start" {
			t.Errorf("called %v", calls)
		}
		mu.Unlock()
		r.mustStop()
	})
}

// The engine checks the topics' ids by itself.
func TestMadeAgainUnderADeafClient(t *testing.T) {
	inBubble(t, "the lag interval later", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(5)...)
		r := newRig(t, b, defaults(), nil, WithDriver(deaf(b)), WithLagInterval(20*time.Second)).start()
		pass(3 * time.Second)
		b.RecreateTopic("t")
		b.Produce("t", numbered(3)...)
		pass(time.Minute)
		if got, k := r.seen(0), b.Committed("g", "t", 0).Offset; got != "[0 1 2 3 4 0 1 2]" || k != 3 {
			t.Errorf("handled %s, committed %d", got, k)
		}
		r.mustStop()
	})
}

// A client that reports late what the engine already knows holds the partitions for that: they are restarted at their
// current positions.
func TestMadeAgainToldLate(t *testing.T) {
	inBubble(t, "after the engine went on", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(5)...)
		var starts []driver.Start
		d := &tap{Driver: b.Driver()}
		r := newRig(t, b, defaults(), nil, WithDriver(d), WithLagInterval(20*time.Second)).start()
		pass(3 * time.Second)
		b.RecreateTopic("t")
		b.Produce("t", numbered(3)...)
		pass(time.Minute)
		d.set(func(d *tap) { d.started = func(s []driver.Start) { starts = append(starts, s...) } })
		b.Report("g", &driver.Error{Kind: driver.KindTopicRecreated, TopicPartition: event.TopicPartition{Topic: "t", Partition: -1}, Offset: -1})
		pass(10 * time.Second)
		if len(starts) != 1 || starts[0].Offset != 3 {
			t.Errorf("started at %+v, want 3", starts)
		}
		r.mustStop()
	})
}

// If brokers start to return topic ids, for example after an upgrade, the topics have not changed.
func TestIDsThatBecomeKnown(t *testing.T) {
	inBubble(t, "in the middle", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.Produce("t", numbered(5)...)
		var lost []string
		d := &tap{Driver: b.Driver(), topics: func(answers []driver.Topic) error {
			for i := range answers {
				answers[i].ID = [16]byte{}
			}
			return nil
		}}
		r := newRig(t, b, defaults(), nil, WithDriver(d), WithLagInterval(5*time.Second), offsetsLostInto(&lost)).start()
		pass(20 * time.Second)
		d.set(func(d *tap) { d.topics = nil })
		pass(20 * time.Second)
		b.Produce("t", numbered(1)...)
		pass(10 * time.Second)
		if got := r.seen(0); got != "[0 1 2 3 4 5]" || len(lost) != 0 {
			t.Errorf("handled %s, lost %v", got, lost)
		}
		b.RecreateTopic("t") // from now on its id is compared
		b.Produce("t", numbered(2)...)
		pass(20 * time.Second)
		if got := r.seen(0); got != "[0 1 2 3 4 5 0 1]" {
			t.Errorf("made again, handled %s", got)
		}
		r.mustStop()
	})
}

// Commits after a truncation carry the same note about the topic as before, and the epoch of the records.
func TestNotesAndEpochsAfterACut(t *testing.T) {
	inBubble(t, "the note of the commit", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.Produce("t", numbered(20)...)
		r := newRig(t, b, defaults(), nil).start()
		pass(3 * time.Second)
		before := b.Committed("g", "t", 0).Metadata
		b.Truncate("t", 0, 10)
		b.Produce("t", numbered(5)...)
		pass(10 * time.Second)
		after := b.Committed("g", "t", 0)
		if after.Offset != 15 || after.Metadata != before || !start.ParseNote(before).Ours {
			t.Errorf("committed %d; before %q, after %q", after.Offset, before, after.Metadata)
		}
		r.mustStop()
	})
	inBubble(t, "the epoch of what was read, of which nothing is resolved", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.MoveLeader("t", 0)
		b.Produce("t", numbered(20)...)
		b.SetCommitted("g", "t", 0, 0, "")
		var starts []driver.Start
		d := &tap{Driver: b.Driver()}
		r := newRig(t, b, defaults(), blocked, WithDriver(d)).start()
		pass(3 * time.Second)
		d.set(func(d *tap) { d.started = func(s []driver.Start) { starts = append(starts, s...) } })
		b.Report("g", &driver.Error{Kind: driver.KindTruncated, TopicPartition: event.TopicPartition{Topic: "t"}, Offset: 20, To: 10, Err: errors.New("script")})
		pass(3 * time.Second)
		if len(starts) != 1 || starts[0].Offset != 0 || starts[0].LeaderEpoch != 1 {
			t.Errorf("started at %+v, want 0 of epoch 1", starts)
		}
		r.mustStop()
	})
}

// The brokers' first answer decides which topics existed when the mapping first asked, even if two members ask at the
// same time.
func TestFirstCensusCounts(t *testing.T) {
	inBubble(t, "two questions under way", func(t *testing.T) {
		b := membroker.NewBroker(t)
		c, err := b.Driver().Open(driver.Config{BootstrapServers: []string{"b:9092"}, GroupID: "g", Topics: []string{"t"}}, nobody{})
		if err != nil {
			t.Fatal(err)
		}
		var census start.Census
		fingerprint := func() string { return "" }
		late := &second{Consumer: c, asked: make(chan struct{}), made: make(chan struct{})}
		done := make(chan struct{})
		go func() {
			defer close(done)
			(&start.Asker{Consumer: late, Census: &census, Fingerprint: fingerprint}).Resolve(context.Background(), &start.Question{Kind: start.Topics, Start: start.Policy{At: driver.AtEnd}})
		}()
		<-late.asked
		(&start.Asker{Consumer: c, Census: &census, Fingerprint: fingerprint}).Resolve(context.Background(), &start.Question{Kind: start.Topics, Start: start.Policy{At: driver.AtEnd}})
		b.CreateTopic("t", 1)
		close(late.made)
		<-done
		q := start.Question{Kind: start.Begin, Names: []event.TopicPartition{{Topic: "t"}}, Anew: []bool{false}, Found: make([]start.Answer, 1), Start: start.Policy{At: driver.AtEnd}}
		(&start.Asker{Consumer: c, Census: &census, Fingerprint: fingerprint}).Resolve(context.Background(), &q)
		if f := q.Found[0]; q.Err != nil || f.Err != nil || f.At != driver.AtEarliest {
			t.Errorf("a topic that was made after the first answer begins at %v: %v %v", f.At, q.Err, f.Err)
		}
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// second is a client whose request for topics is answered late.
type second struct {
	driver.Consumer
	asked, made chan struct{}
}

func (c *second) Topics(ctx context.Context, names ...string) ([]driver.Topic, error) {
	close(c.asked)
	<-c.made
	return c.Consumer.Topics(ctx, names...)
}

type nobody struct{}

func (nobody) Assigned([]event.TopicPartition) {}
func (nobody) Revoked([]event.TopicPartition)  {}
func (nobody) Lost([]event.TopicPartition)     {}
