package event

import (
	"testing"

	"pgregory.net/rapid"
)

// RunSize is the sum, and the greatest, of the exact sizes, whatever the records have in common.
func TestRunSize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := make([]KafkaRecord, rapid.IntRange(0, 12).Draw(t, "n"))
		offset := rapid.Int64Range(0, 1<<40).Draw(t, "offset")
		if rapid.Bool().Draw(t, "small") {
			offset %= 12
		}
		plain := rapid.Bool().Draw(t, "plain")
		for i := range records {
			r := &records[i]
			r.Topic, r.Partition, r.Offset = "orders", 7, offset+int64(i)
			r.Timestamp = rapid.SampledFrom([]int64{-1, 0, 1, 1545084650987, 9e12, 1e13, 1 << 50}).Draw(t, "timestamp")
			if rapid.Bool().Draw(t, "key") {
				r.Key = make([]byte, rapid.IntRange(0, 9).Draw(t, "keylen"))
			}
			if rapid.Bool().Draw(t, "value") {
				r.Value = make([]byte, rapid.IntRange(0, 50).Draw(t, "valuelen"))
			}
			if !plain {
				r.TimestampType = TimestampType(rapid.IntRange(0, 2).Draw(t, "type"))
				if rapid.Bool().Draw(t, "headers") {
					r.Headers = []Header{{Key: "h", Value: []byte{1, 200}}}
				}
			}
		}
		total, largest := RunSize(records)
		wantTotal, wantLargest := 0, 0
		for i := range records {
			n := Size(&records[i]) + 1
			wantTotal += n
			wantLargest = max(wantLargest, n)
		}
		if total != wantTotal || largest != wantLargest {
			t.Fatalf("RunSize = %d, %d; want %d, %d", total, largest, wantTotal, wantLargest)
		}
	})
}

func BenchmarkRunSize(b *testing.B) {
	records := make([]KafkaRecord, 1000)
	value := make([]byte, 100)
	for i := range records {
		records[i] = KafkaRecord{Topic: "orders", Partition: 3, Offset: 1000000 + int64(i), Timestamp: 1545084650987, Value: value}
	}
	for b.Loop() {
		RunSize(records)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(records)), "ns/record")
}
