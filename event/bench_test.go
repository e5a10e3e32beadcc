package event

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
)

// benchEvent has 100 records over two partitions, with keys of 16 bytes.
func benchEvent(valueBytes int, withHeaders bool) KafkaEvent {
	e := KafkaEvent{
		EventSource:      SourceSelfManagedKafka,
		BootstrapServers: "broker-1.example.com:9092,broker-2.example.com:9092,broker-3.example.com:9092",
		Records:          make(map[string][]KafkaRecord),
	}
	for i := range 100 {
		r := KafkaRecord{
			Topic: "orders.created.v1", Partition: int32(i / 50), Offset: 1_000_000 + int64(i),
			Timestamp: 1_700_000_000_000 + int64(i), Key: fmt.Appendf(nil, "customer-%07d", i), Value: make([]byte, valueBytes),
		}
		for j := range r.Value {
			r.Value[j] = byte(j*31 + i)
		}
		if withHeaders {
			r.Headers = []Header{
				{"traceparent", []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
				{"content-type", []byte("application/json")},
				{"attempt", []byte{0, 0, 0, 200}},
			}
		}
		key := PartitionKey(r.Topic, r.Partition)
		e.Records[key] = append(e.Records[key], r)
	}
	return e
}

// benchCases runs a benchmark for the sizes reported in bench/README.md.
func benchCases(b *testing.B, run func(b *testing.B, e KafkaEvent)) {
	for _, size := range []int{100, 1_000, 10_000} {
		for _, headers := range []bool{false, true} {
			b.Run(fmt.Sprintf("value=%d/headers=%t", size, headers), func(b *testing.B) {
				b.ReportAllocs()
				run(b, benchEvent(size, headers))
			})
		}
	}
}

func BenchmarkMarshal(b *testing.B) {
	benchCases(b, func(b *testing.B, e KafkaEvent) {
		for b.Loop() {
			if _, err := e.MarshalJSON(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAppend writes into a reused buffer.
func BenchmarkAppend(b *testing.B) {
	benchCases(b, func(b *testing.B, e KafkaEvent) {
		var buffer []byte
		for b.Loop() {
			buffer = e.AppendJSON(buffer[:0])
		}
	})
}

// BenchmarkMarshalLambdaGo measures the alternative without this package: building and marshalling aws-lambda-go's
// event.
func BenchmarkMarshalLambdaGo(b *testing.B) {
	benchCases(b, func(b *testing.B, e KafkaEvent) {
		for b.Loop() {
			if _, err := json.Marshal(lambdaGo(e)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkBase64Alone encodes the same keys and values with encoding/base64 into a reused buffer.
func BenchmarkBase64Alone(b *testing.B) {
	benchCases(b, func(b *testing.B, e KafkaEvent) {
		buffer := make([]byte, 1<<16)
		for b.Loop() {
			for _, records := range e.Records {
				for i := range records {
					base64.StdEncoding.Encode(buffer, records[i].Key)
					base64.StdEncoding.Encode(buffer, records[i].Value)
				}
			}
		}
	})
}

// BenchmarkBase64Ours does the same with this package's encoder.
func BenchmarkBase64Ours(b *testing.B) {
	benchCases(b, func(b *testing.B, e KafkaEvent) {
		buffer := make([]byte, 1<<16)
		for b.Loop() {
			for _, records := range e.Records {
				for i := range records {
					appendBase64(buffer[:0], records[i].Key)
					appendBase64(buffer[:0], records[i].Value)
				}
			}
		}
	})
}

func BenchmarkUnmarshal(b *testing.B) {
	benchCases(b, func(b *testing.B, e KafkaEvent) {
		input := e.AppendJSON(nil)
		b.SetBytes(int64(len(input)))
		for b.Loop() {
			var decoded KafkaEvent
			if err := decoded.UnmarshalJSON(input); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSize computes the size of one record per operation.
func BenchmarkSize(b *testing.B) {
	benchCases(b, func(b *testing.B, e KafkaEvent) {
		records := e.Records["orders.created.v1-0"]
		i, sum := 0, 0
		for b.Loop() {
			sum += records[i].Size()
			if i++; i == len(records) {
				i = 0
			}
		}
		if sum == 0 {
			b.Fatal("no size")
		}
	})
}
