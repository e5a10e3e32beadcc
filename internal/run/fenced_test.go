package run

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
)

var errFenced = &driver.Error{Kind: driver.KindFenced, Offset: -1, Err: errors.New("another member joined with this group.instance.id")}

// A static member that is fenced without another process, as after a lost join response, rejoins once, and again ten
// minutes later.
func TestAFencedMemberJoinsOnceMore(t *testing.T) {
	inBubble(t, "alone", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 2)
		r := newMapped(t, b, memoryMapping(), nil, WithGroupInstanceID("shop")).start()
		group := r.runner.Status().ConsumerGroupId
		for i := range 3 {
			before := b.Members(group)[0].ID
			b.Fail(membroker.OpPoll, 1, errFenced)
			b.Produce("t", numbered(10)...)
			pass(10 * time.Second)
			if m := b.Members(group); len(m) != 1 || m[0].ID == before || m[0].InstanceID != "shop" {
				t.Fatalf("fencing %d: members %+v, %s was fenced", i, m, before)
			}
			if lag := b.Lag(group); lag != 0 {
				t.Errorf("fencing %d: lag %d", i, lag)
			}
			wantHealth(t, "after a fencing", r, "")
			pass(fencedTwice)
		}
		r.mustStop()
	})
	inBubble(t, "several pollers in one incident", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 4)
		r := newRig(t, b, polling(2, 2), nil, WithGroupInstanceID("shop")).start()
		pass(20 * time.Second)
		// Each poller is fenced once. A failure of two Polls would not do: a replaced client can have both.
		for _, m := range b.Members("g") {
			c, err := b.Driver().Open(driver.Config{BootstrapServers: []string{"b:9092"}, GroupID: "g", Topics: []string{"t"}, InstanceID: m.InstanceID}, nobody{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close(context.Background()) }()
		}
		b.Produce("t", numbered(10)...)
		pass(2 * replacePause)
		wantMembers(t, b, r, 2)
		if lag := b.Lag("g"); lag != 0 {
			t.Errorf("lag %d", lag)
		}
		r.mustStop()
	})
}

// Of two processes with one group.instance.id the later one stays, and the other one's Run says why it ended.
func TestOfTwoWithOneInstanceTheYoungerStays(t *testing.T) {
	inBubble(t, "double", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		older := newMapped(t, b, memoryMapping(), nil, WithGroupInstanceID("shop")).start()
		pass(time.Minute)
		younger := newMapped(t, b, memoryMapping(), nil, WithGroupInstanceID("shop")).start()
		pass(time.Minute)
		select {
		case err := <-older.done:
			if e, ok := errors.AsType[*driver.Error](err); !ok || e.Kind != driver.KindFenced {
				t.Errorf("Run: %v, want KindFenced", err)
			}
		default:
			t.Fatal("the older one still runs")
		}
		b.Produce("t", numbered(10)...)
		pass(time.Minute)
		wantHealth(t, "the younger one", younger, "")
		if lag := b.Lag(""); lag != 0 {
			t.Errorf("lag %d", lag)
		}
		younger.mustStop()
	})
}
