package verdict

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/batch"
	"pgregory.net/rapid"
)

// Whatever a policy does with a failed unit, nothing is lost: failed records are retried or given up, in order.
func TestRetryPolicyProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := drawRecords(t, event.TopicPartition{Topic: "t"}, 0, rapid.IntRange(1, 12).Draw(t, "n"))
		u := batch.Unit{Records: slices.Clone(records), Size: batch.EncodedSize(records), Held: rapid.IntRange(0, 10_000).Draw(t, "held")}
		pol := Policy{MaximumRetryAttempts: rapid.IntRange(-1, 3).Draw(t, "max"), Bisect: rapid.Bool().Draw(t, "bisect"), Partial: true}
		now := time.Unix(1000, 0)
		out := rapid.SampledFrom([]Outcome{Succeeded, Failed, Overloaded, Final}).Draw(t, "outcome")
		var items []int
		failedRecords := records
		partial := out != Succeeded && rapid.Bool().Draw(t, "partial")
		if partial {
			failedRecords = nil
			for i := range records {
				if rapid.Bool().Draw(t, fmt.Sprint("fails", i)) {
					items = append(items, i)
					failedRecords = append(failedRecords, records[i])
				}
			}
		}
		next, gone, why := pol.Apply(u, out, partial, items, now)
		var left []int64
		held, size := 0, 0
		for _, n := range next {
			if len(n.Records) == 0 {
				t.Fatal("an empty unit")
			}
			if n.Size != batch.EncodedSize(n.Records) {
				t.Fatalf("a unit says %d bytes, it measures %d", n.Size, batch.EncodedSize(n.Records))
			}
			if n.FirstFailure.IsZero() {
				t.Fatal("a unit that failed has no first failure")
			}
			if n.Attempts > 0 && pol.MaximumRetryAttempts >= 0 && n.Attempts > pol.MaximumRetryAttempts {
				t.Fatalf("%d attempts with MaximumRetryAttempts %d", n.Attempts, pol.MaximumRetryAttempts)
			}
			held += n.Held
			size += n.Size
			for _, r := range n.Records {
				left = append(left, r.Offset)
			}
		}
		if held > u.Held || size > u.Size {
			t.Fatalf("parts hold %d, %d bytes; the whole held %d, %d", held, size, u.Held, u.Size)
		}
		for _, r := range gone {
			left = append(left, r.Offset)
		}
		var want []int64
		if out != Succeeded {
			for _, r := range failedRecords {
				want = append(want, r.Offset)
			}
		}
		if !slices.Equal(left, want) || (len(gone) > 0) != (why != 0) {
			t.Fatalf("%v failed, %v are left, %d given up for %v", want, left, len(gone), why)
		}
		if out == Overloaded && len(gone) > 0 || out == Final && len(next) > 0 {
			t.Fatalf("outcome %d: %d next, %d gone", out, len(next), len(gone))
		}
	})
}

// ItemsIn finds exactly the named records, each once.
func TestItemsIn(t *testing.T) {
	p, q := &batch.Lane[int]{Key: "t-0"}, &batch.Lane[int]{Key: "t-1"}
	records := func(offsets ...int64) []event.KafkaRecord {
		out := make([]event.KafkaRecord, len(offsets))
		for i, o := range offsets {
			out[i].Offset = o
		}
		return out
	}
	parts := []batch.Part[int]{{Lane: p, Records: records(3, 5, 9)}, {Lane: q, Records: records(3, 4)}}
	id := func(p string, o int64) event.ItemID { return event.ItemID{Partition: p, Offset: o} }
	got, ok := ItemsIn(parts, []event.ItemID{id("t-0", 9), id("t-1", 3), id("t-0", 3), id("t-0", 9)})
	if !ok || fmt.Sprint(got) != "[[0 2] [0]]" {
		t.Errorf("ItemsIn = %v, %t", got, ok)
	}
	for _, unknown := range []event.ItemID{id("t-0", 4), id("t-2", 3), id("", 3), id("t-1", 9)} {
		if _, ok := ItemsIn(parts, []event.ItemID{id("t-0", 3), unknown}); ok {
			t.Errorf("ItemsIn found %+v", unknown)
		}
	}
}

// drawRecords returns n records of a partition from an offset on, with gaps.
func drawRecords(t *rapid.T, tp event.TopicPartition, from int64, n int) []event.KafkaRecord {
	records := make([]event.KafkaRecord, n)
	for i := range records {
		records[i] = event.KafkaRecord{Topic: tp.Topic, Partition: tp.Partition, Offset: from, Timestamp: 1_700_000_000_000,
			Value: make([]byte, rapid.SampledFrom([]int{0, 1, 10, 100, 400}).Draw(t, "bytes"))}
		from += int64(rapid.SampledFrom([]int{1, 1, 1, 3}).Draw(t, "step"))
	}
	return records
}
