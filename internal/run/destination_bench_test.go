//go:build unix

package run

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/event"
)

// BenchmarkEngineWithDestination measures what a destination costs while nothing fails: the processor time of a record
// with one, as a ratio to that without. Both are measured one after the other, in alternating order, and the median of
// the ratios counts. An operation is such a pair: -benchtime 51x.
func BenchmarkEngineWithDestination(b *testing.B) {
	for _, size := range []int{1, 100, 10000} {
		b.Run(fmt.Sprintf("partitions=64/BatchSize=%d", size), func(b *testing.B) {
			ratios := make([]float64, b.N)
			least := [2]float64{math.Inf(1), math.Inf(1)}
			for i := range ratios {
				var took [2]float64
				for k := range 2 {
					which := (i + k) % 2
					var opts []Option
					if which == 1 {
						opts = append(opts, WithDestination(new(scriptedDestination)))
					}
					took[which] = engineOnce(b, size, opts...)
					least[which] = min(least[which], took[which])
				}
				ratios[i] = took[1] / took[0]
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "ratio")
			b.ReportMetric(least[1]/least[0], "ratio-of-least")
			b.ReportMetric(least[0], "cpu-ns/record")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// engineOnce returns the processor time of a record, in nanoseconds.
func engineOnce(b *testing.B, size int, opts ...Option) float64 {
	b.Helper()
	const partitions = 64
	each := int64(40_000)
	if size == 1 {
		each = 1000
	}
	broker := membroker.NewBroker(b, membroker.FetchRecords(1000), membroker.ReuseLoad(8))
	broker.Load("t", partitions, each, membroker.Record{Value: bytes.Repeat([]byte("v"), 100)})
	seen := make(chan int, 64)
	m := memoryMapping()
	m.BatchSize = size
	r := newMapped(b, broker, m, nil, append(opts, WithLagInterval(0))...)
	r.runner.shared.Handler = func(_ context.Context, e event.KafkaEvent) error {
		seen <- e.Len()
		return nil
	}
	before := cpuTime(b)
	r.start()
	for n := int64(0); n < each*partitions; {
		n += int64(<-seen)
	}
	took := cpuTime(b) - before
	if err := r.stop(); err != nil {
		b.Fatal(err)
	}
	if d := r.runner.shared.Outlet.Load(); (d != nil) != (len(opts) > 0) {
		b.Fatal("there is no destination")
	}
	return float64(took) / float64(each*partitions)
}
