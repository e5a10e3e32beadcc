package run

import (
	"errors"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// A problem of a topic that a member no longer reads is not a condition.
func TestConditionsOfTopicsThatAreNotRead(t *testing.T) {
	inBubble(t, "where to start in a topic whose last partition went to another member", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		b.CreateTopic("u", 2)
		m := memoryMapping()
		m.Topics = []string{"t", "u"}
		d := &tap{Driver: b.Driver(), topics: func(answers []driver.Topic) error {
			for i := range answers {
				if answers[i].Name == "u" {
					answers[i].Err = &driver.Error{Kind: driver.KindAuthorization, Offset: -1, TopicPartition: event.TopicPartition{Topic: "u", Partition: -1}, Err: errors.New("denied")}
				}
			}
			return nil
		}}
		x := newMapped(t, b, m, nil, WithDriver(d)).launch()
		pass(time.Minute)
		wantKinds(t, "with the topic", x.runner.Status(), "start authorization u")
		first := b.Members("")[0].ID
		y := newMapped(t, b, m, nil).launch()
		owned := func() (u []event.TopicPartition) {
			for _, member := range b.Members("") {
				for _, tp := range member.Owned {
					if member.ID == first && tp.Topic == "u" {
						u = append(u, tp)
					}
				}
			}
			return u
		}
		for range 50 {
			pass(20 * time.Second)
			left := owned()
			if len(left) == 0 {
				break
			}
			wantKinds(t, "with a part of the topic", x.runner.Status(), "start authorization u")
			b.Revoke(left[0])
		}
		if left := owned(); len(left) > 0 {
			t.Fatalf("the first member has %v", left)
		}
		wantKinds(t, "without the topic", x.runner.Status())
		wantHealth(t, "without the topic", x, "")
		x.mustStop()
		y.mustStop()
	})
	inBubble(t, "a topic that only a pattern asked for, and that was deleted for good", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("orders-1", 1)
		b.CreateTopic("orders-2", 1)
		m := memoryMapping()
		m.Topics = []string{"^orders-.*", "named"}
		b.CreateTopic("named", 1)
		r := newMapped(t, b, m, nil, WithMetadataMaxAge(30*time.Second)).start()
		pass(time.Minute)
		wantKinds(t, "all are there", r.runner.Status())
		b.DeleteTopic("orders-2")
		b.DeleteTopic("named")
		pass(2 * time.Minute)
		wantKinds(t, "two are deleted", r.runner.Status(), "poll unknown topic named")
		b.CreateTopic("named", 1)
		pass(2 * time.Minute)
		wantKinds(t, "the one that is named is there again", r.runner.Status())
		wantHealth(t, "in the end", r, "")
		r.mustStop()
	})
}
