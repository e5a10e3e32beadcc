package run

import (
	"testing"
	"time"

	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest/membroker"
)

// A stop and the start of a partition do not wait for the pause between commits, however long it is.
func TestWhatWaitsForNoCommitPause(t *testing.T) {
	inBubble(t, "a stop", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newRig(t, b, small(), nil, WithCommitInterval(time.Hour)).start()
		for range 2 {
			b.Produce("t", numbered(10)...)
			pass(time.Second)
		}
		if k := b.Committed("g", "t", 0).Offset; k == 20 {
			t.Fatal("committed within the interval")
		}
		begun := time.Now()
		r.mustStop()
		if k, took := b.Committed("g", "t", 0).Offset, time.Since(begun); k != 20 || took > time.Second {
			t.Errorf("committed %d, the stop took %v", k, took)
		}
	})
	inBubble(t, "a start", func(t *testing.T) {
		b := membroker.NewBroker(t)
		b.CreateTopic("t", 1)
		r := newRig(t, b, startingAt(driver.AtEnd), nil, WithCommitInterval(time.Hour), WithMetadataMaxAge(5*time.Second)).start()
		b.Produce("t", numbered(10)...)
		pass(time.Second)
		b.CreateTopic("t", 2)
		b.Produce("t", membroker.Record{Partition: 1})
		pass(time.Minute)
		if got := r.seen(1); got != "[0]" {
			t.Errorf("of the partition that was added it handled %s within a minute", got)
		}
		r.mustStop()
	})
}
