//go:build cgo

package confluent

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
)

// A share group has the name under which a member wants to join: each driver's error says what the cause may be.
func TestKafkaGroupOfAnotherKind(t *testing.T) {
	c := brokers.Cluster(t)
	if c.Older("4.2") {
		t.Skip("share groups are on by default since 4.2")
	}
	for _, d := range []driver.Driver{Driver(), franz.Driver()} {
		t.Run(d.Name(), func(t *testing.T) {
			topic := c.NewTopic(t, 1)
			b := &broker{Client: c.Client, t: t, session: 6 * time.Second}
			config := b.config("share-"+d.Name(), topic)
			share := c.Connect(t, kgo.ShareGroup(config.GroupID), kgo.ConsumeTopics(topic))
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			held := func() bool {
				groups, err := c.Admin().ListGroups(ctx)
				return err == nil && groups[config.GroupID].State != ""
			}
			for !held() && ctx.Err() == nil {
				short, end := context.WithTimeout(ctx, 200*time.Millisecond)
				share.PollFetches(short)
				end()
			}
			consumer, err := d.Open(config, deaf{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = consumer.Close(ctx) }()
			var fetch driver.Fetch
			for ctx.Err() == nil {
				if err := consumer.Poll(ctx, &fetch); err != nil {
					t.Fatalf("Poll: %v", err)
				}
				for _, err := range fetch.Errors {
					e, _ := errors.AsType[*driver.Error](err)
					t.Log(e)
					if e.Kind == driver.KindGroupProtocol {
						if text := e.Error(); !strings.Contains(text, config.GroupID) || !strings.Contains(text, "share group") {
							t.Errorf("it says %q, and not what holds the group", text)
						}
						return
					}
				}
			}
			t.Fatalf("no %v was reported", driver.KindGroupProtocol)
		})
	}
}
