//go:build unix

package run

import (
	"bytes"
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// cpuTime returns the processor time of this process. A busy machine disturbs it less than the wall clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkEngine measures the engine alone, with records of 100 bytes from the in-memory driver to a no-op handler:
// the cost if Kafka cost nothing. The in-memory driver returns slices that it created before, so that creating records,
// which is the client's work, is not measured.
func BenchmarkEngine(b *testing.B) {
	for _, partitions := range []int{8, 64, 1000} {
		for _, size := range []int{1, 100, 1000, 10000} {
			b.Run(fmt.Sprintf("partitions=%d/BatchSize=%d", partitions, size), func(b *testing.B) {
				broker := membroker.NewBroker(b, membroker.FetchRecords(1000), membroker.ReuseLoad(max(512/partitions, 8)))
				each := int64(max(b.N/partitions, 1))
				broker.Load("t", int32(partitions), each, membroker.Record{Value: bytes.Repeat([]byte("v"), 100)})
				total := each * int64(partitions)
				seen := make(chan int, 64)
				s := defaults()
				s.BatchSize = size
				r := newRig(b, broker, s, nil, WithLagInterval(0))
				r.runner.shared.Handler = func(_ context.Context, e event.KafkaEvent) error {
					seen <- e.Len()
					return nil
				}
				b.ReportAllocs()
				before := cpuTime(b)
				b.ResetTimer()
				r.start()
				for n := int64(0); n < total; {
					n += int64(<-seen)
				}
				b.StopTimer()
				b.ReportMetric(float64(cpuTime(b)-before)/float64(total), "cpu-ns/record")
				if err := r.stop(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
