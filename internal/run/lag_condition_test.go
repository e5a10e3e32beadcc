package run

import (
	"errors"
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/observe"
)

// The condition that ends cannot be looked up ends when a process has no partitions left.
func TestTheLagsConditionEndsWithThePartitions(t *testing.T) {
	inBubble(t, "the topic is deleted", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newMapped(t, b, memoryMapping(), nil, WithLagInterval(time.Second)).start()
		b.Fail(membroker.OpListOffsets, 1000, &driver.Error{Kind: driver.KindUnavailable, Offset: -1, Err: errors.New("gone")})
		pass(3 * time.Minute)
		lag := func() (stands bool) {
			for _, c := range r.runner.Status().Conditions {
				stands = stands || c.Op == observe.OpLag
			}
			return stands
		}
		if !lag() {
			t.Fatal("the lookups that fail are no condition")
		}
		b.DeleteTopic("t")
		pass(10 * time.Minute)
		if n := len(r.runner.Status().Partitions); n != 0 {
			t.Fatalf("%d partitions are left", n)
		}
		if lag() {
			t.Error("the condition stands with nothing to look up")
		}
		r.mustStop()
	})
}
