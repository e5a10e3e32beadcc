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

// The group is lost while nobody polls, so that the loss waits in librdkafka's queue. A call of the driver's that changes
// what librdkafka fetches must not turn it into an orderly revocation: the partition may have another owner already.
func TestALossThatWaitsIsNoRevocation(t *testing.T) {
	const illegalGeneration, unknownMemberID = 22, 25
	for _, strategy := range []string{"cooperative-sticky", "range"} {
		for _, then := range []string{"a hold", "a start", "a start and Close"} {
			held, closed, code := then == "a hold", then == "a start and Close", int16(illegalGeneration)
			if held {
				code = unknownMemberID
			}
			name := strategy + "/" + then
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				fake := kafkatest.Fake(t)
				b := &broker{Client: fake.Client, t: t, session: 6 * time.Second}
				topic := b.NewTopic(t, 1)
				b.produce(topic, 0, 5)
				var forgotten atomic.Bool
				fake.Kfake.ControlKey(kmsg.Heartbeat.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
					fake.Kfake.KeepControl()
					if !forgotten.Load() {
						return nil, nil, false
					}
					resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
					resp.ErrorCode = code
					return resp, nil, true
				})
				var step func(*member)
				setup := func(m *member) {
					start := m.onAssign
					m.onAssign = func(tps []driver.TopicPartition) {
						if held {
							start(tps)
						}
					}
					m.beforePoll = func() { step(m) }
				}
				done := false
				step = func(m *member) {
					c := m.consumer.(*consumer)
					p := c.partitions[tp(topic, 0)]
					if done || p == nil || held && p.next < 5 {
						return
					}
					done = true
					forgotten.Store(true)
					waitUntil(t, "the loss", c.client.AssignmentLost)
					forgotten.Store(false)
					if held {
						c.take([]*partition{p})
						return
					}
					c.Start([]driver.Start{{TopicPartition: p.tp, LeaderEpoch: -1, Epoch: 1}})
					if closed {
						m.stop() // this Poll still makes the start, and handles no event
					}
				}
				m := join(t, b.config("g", topic), setup, WithConfig(map[string]any{"partition.assignment.strategy": strategy}))
				if closed {
					<-m.done
					m.leave()
				} else {
					m.until("the loss and the next life", func() bool { return len(m.heard) > 2 })
				}
				m.mu.Lock()
				defer m.mu.Unlock()
				if want := "lost " + tp(topic, 0).String(); m.heard[1] != want {
					t.Errorf("heard %q, want %q", m.heard, want)
				}
			})
		}
	}
}

// waitUntil waits for what librdkafka does not tell.
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
