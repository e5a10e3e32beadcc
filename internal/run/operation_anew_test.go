package run

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// An operation belongs to the assignment: if the log is truncated or the topic recreated while it waits, it continues
// with the new log.
func TestAnOperationOutlivesABeginningAnew(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(b *membroker.Broker)
	}{
		{"the log is cut", func(b *membroker.Broker) {
			b.Truncate("t", 0, 2)
			b.Produce("t", numbered(1)...)
		}},
		{"the topic is made again", func(b *membroker.Broker) {
			b.RecreateTopic("t")
			b.Produce("t", numbered(3)...)
		}},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			b := membroker.NewBroker(t)
			b.Produce("t", numbered(4)...)
			var told asks
			r := newMapped(t, b, one(), nil, told.hooks()).start()
			group := r.runner.Status().ConsumerGroupId
			pass(time.Minute)
			release := b.Hang(membroker.OpListOffsets)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
			defer cancel()
			done := make(chan error, 1)
			go func() {
				_, err := r.runner.Seek(ctx, t0, event.ToOffset(1))
				done <- err
			}()
			pass(time.Second)
			test.change(b)
			pass(time.Second)
			release()
			if err := <-done; err != nil {
				t.Fatalf("Seek: %v", err)
			}
			pass(time.Minute)
			if did := told.list(); len(did) != 1 || !strings.HasSuffix(did[0], "-1") { // From depends on the timing
				t.Errorf("told of %q, want one Seek to 1", did)
			}
			if c := b.Committed(group, "t", 0).Offset; c != 3 {
				t.Errorf("committed %d of 3", c)
			}
			if got := r.seen(0); !strings.HasSuffix(got, " 1 2]") {
				t.Errorf("handled %s, and not at last from offset 1 on", got)
			}
			r.mustStop()
		})
	}
}
