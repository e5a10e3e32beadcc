//go:build cgo

package confluent

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/kafkatest"
)

// The member is lost to its group while nobody polls, so the loss waits in librdkafka's queue. If the driver then changes
// what librdkafka fetches, the loss must not become an orderly revocation: the partition may have another owner already.
func TestALossThatWaitsIsNoRevocation(t *testing.T) {
	for _, strategy := range []string{"cooperative-sticky", "range"} {
		for _, then := range []string{"a hold", "a start", "a start and Close"} {
			t.Run(strategy+"/"+then, func(t *testing.T) {
				t.Parallel()
				lossThatWaits(t, strategy, then)
			})
		}
	}
}

func lossThatWaits(t *testing.T, strategy, then string) {
	const illegalGeneration, unknownMemberID = 22, 25
	held, closed, code := then == "a hold", then == "a start and Close", int16(illegalGeneration)
	if held {
		code = unknownMemberID
	}
	fake := kafkatest.Fake(t)
	b := &broker{Client: fake.Client, t: t, session: 6 * time.Second}
	topic := b.NewTopic(t, 1)
	b.produce(topic, 0, 5)
	var refused atomic.Bool // whether the group refuses the member
	fake.Kfake.ControlKey(kmsg.Heartbeat.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.Kfake.KeepControl()
		if !refused.Load() {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = code
		return resp, nil, true
	})
	m := join(t, b.config("g", topic), func(m *member) {
		if !held {
			m.onAssign = func([]driver.TopicPartition) {} // it is started below
		}
		done := false
		m.beforePoll = func() {
			c := m.consumer.(*consumer)
			p := c.partitions[tp(topic, 0)]
			if done || p == nil || held && p.next < 5 {
				return
			}
			done = true
			refused.Store(true)
			waitUntil(t, "the loss", c.client.AssignmentLost)
			refused.Store(false)
			if held {
				c.take([]*partition{p})
				return
			}
			c.Start([]driver.Start{{TopicPartition: p.tp, LeaderEpoch: -1, Epoch: 1}})
			if closed {
				m.stop() // this Poll still makes the start, and handles no event
			}
		}
	}, WithConfig(map[string]any{"partition.assignment.strategy": strategy}))
	if closed {
		<-m.done
		m.leave()
	} else {
		m.until("the loss and the next assignment", func() bool { return len(m.heard) > 2 })
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if want := "lost " + tp(topic, 0).String(); len(m.heard) < 2 || m.heard[1] != want {
		t.Errorf("heard %q, want %q", m.heard, want)
	}
}

// waitUntil waits for what librdkafka does not report.
func waitUntil(t *testing.T, what string, ok func() bool) {
	deadline, tick := time.After(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Error("waited too long: " + what)
			return
		}
	}
}
