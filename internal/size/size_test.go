package size_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/size"
)

// Run returns the sum and the largest of the exact sizes, whatever the records have in common.
func TestRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := make([]event.KafkaRecord, rapid.IntRange(0, 12).Draw(t, "n"))
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
				r.TimestampType = event.TimestampType(rapid.IntRange(0, 2).Draw(t, "type"))
				if rapid.Bool().Draw(t, "headers") {
					r.Headers = []event.Header{{Key: "h", Value: []byte{1, 200}}}
				}
			}
		}
		total, largest := size.Run(records)
		wantTotal, wantLargest := 0, 0
		for i := range records {
			n := records[i].Size() + 1
			wantTotal += n
			wantLargest = max(wantLargest, n)
		}
		if total != wantTotal || largest != wantLargest {
			t.Fatalf("Run = %d, %d; want %d, %d", total, largest, wantTotal, wantLargest)
		}
	})
}

func BenchmarkRun(b *testing.B) {
	records := make([]event.KafkaRecord, 1000)
	value := make([]byte, 100)
	for i := range records {
		records[i] = event.KafkaRecord{Topic: "orders", Partition: 3, Offset: 1000000 + int64(i), Timestamp: 1545084650987, Value: value}
	}
	for b.Loop() {
		size.Run(records)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(records)), "ns/record")
}

// The sums that fill a batch equal the size of the event that is sent.
func TestSizesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: rapid.String().Draw(t, "servers"),
			Records: map[string][]event.KafkaRecord{}}
		sum := size.Envelope(e)
		topic := rapid.String().Draw(t, "topic")
		for partition := range int32(rapid.IntRange(1, 12).Draw(t, "partitions")) {
			records := make([]event.KafkaRecord, rapid.IntRange(1, 4).Draw(t, "records"))
			for i := range records {
				records[i] = event.KafkaRecord{Topic: topic, Partition: partition, Offset: 9 + int64(i), Timestamp: rapid.Int64Range(-1, 1e14).Draw(t, "timestamp"),
					Value: rapid.SliceOf(rapid.Byte()).Draw(t, "value")}
				if rapid.Bool().Draw(t, "headers") {
					records[i].Headers = []event.Header{{Key: rapid.String().Draw(t, "name"), Value: rapid.SliceOf(rapid.Byte()).Draw(t, "header")}}
				}
			}
			e.Records[event.PartitionKey(topic, partition)] = records
			total, _ := size.Run(records)
			sum += size.Partition(topic, partition) + total
		}
		if got := len(e.AppendJSON(nil)); got != sum {
			t.Fatalf("the sizes add up to %d, the event has %d", sum, got)
		}
	})
}
