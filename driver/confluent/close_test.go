//go:build cgo

package confluent

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

// deaf ignores all calls.
type deaf struct{}

func (deaf) Assigned([]driver.TopicPartition) {}
func (deaf) Revoked([]driver.TopicPartition)  {}
func (deaf) Lost([]driver.TopicPartition)     {}

// TestCloseWithAssignmentQueued closes members whose assignment arrived but was never polled. librdkafka queues the
// revocation behind it, and ends at the answer to the first of the two. It ends soonest if it leaves without telling
// the broker, as static members do.
func TestCloseWithAssignmentQueued(t *testing.T) {
	t.Parallel()
	fake := kafkatest.Fake(t)
	b := &broker{t: t, Client: fake.Client, session: 2 * time.Second}
	topic := b.NewTopic(t, 1)

	// A member sends heartbeats once it has its assignment.
	var mu sync.Mutex
	joined := map[string]chan struct{}{}
	fake.Kfake.ControlKey(kmsg.Heartbeat.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.Kfake.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		if c := joined[request.(*kmsg.HeartbeatRequest).Group]; c != nil {
			select {
			case <-c:
			default:
				close(c)
			}
		}
		return nil, nil, false
	})

	var members sync.WaitGroup
	for i := range 64 {
		group := fmt.Sprintf("%s-%d", topic, i)
		config := b.config(group, topic)
		config.HeartbeatInterval = 20 * time.Millisecond
		if i%2 == 0 {
			config.InstanceID = "static"
		}
		assigned := make(chan struct{})
		mu.Lock()
		joined[group] = assigned
		mu.Unlock()
		members.Go(func() {
			consumer, err := Driver().Open(config, deaf{})
			if err != nil {
				t.Error(err)
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			select {
			case <-assigned:
			case <-ctx.Done():
				t.Errorf("%s was not assigned", group)
			}
			if err := consumer.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	members.Wait()
}
