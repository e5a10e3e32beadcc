//go:build linux

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/internal/kafkatest"
)

// BenchmarkKafkaDestination makes a mapping give up every record, of 100 bytes in 8 partitions, and write it
// to a topic on the same broker: -benchtime 500000x. It ends when all are committed. Besides the records per
// second it reports the peak memory of this process in each half, which should be the same for any number of
// records.
func BenchmarkKafkaDestination(b *testing.B) {
	const partitions = 8
	c := brokers.Cluster(b)
	for name := range drivers {
		b.Run(name, func(b *testing.B) {
			e := newEnv(c, name)
			k, topic := e.dead(b, partitions), e.NewTopic(b, partitions)
			n := max(b.N/partitions, 1)
			value := bytes.Repeat([]byte("v"), 100)
			e.ProduceN(b, topic, n*partitions, func(i int) *kgo.Record {
				return kafkatest.At(int32(i%partitions), &kgo.Record{Key: fmt.Append(nil, i), Value: value})
			})
			m := e.failing(topic, k)
			m.BatchSize = 1000
			b.ResetTimer()
			p := e.run(b, m, func(context.Context, esm.KafkaEvent) error { return esm.Permanent(errors.New("no")) })
			var most [2]int
			done := int64(0)
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for end := time.Now().Add(5 * time.Minute); done < int64(n*partitions); <-tick.C {
				if time.Now().After(end) {
					b.Fatalf("%d of %d records in 5 minutes; %+v", done, n*partitions, p.runner.Status())
				}
				done = p.runner.Metrics().OnFailureDestinationDeliveredEventCount
				half := min(int(2*done/int64(n*partitions)), 1)
				most[half] = max(most[half], resident(b))
			}
			want := map[int32]int64{}
			for i := range int32(partitions) {
				want[i] = int64(n)
			}
			e.committed(b, topic, want, p)
			b.StopTimer()
			b.ReportMetric(float64(n*partitions)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(most[0])/1024, "MB-first-half")
			b.ReportMetric(float64(most[1])/1024, "MB-second-half")
			if s := p.runner.Status(); s.Metrics.DroppedEventCount != 0 || s.BufferedBytes != 0 {
				b.Errorf("%+v", s)
			}
			written := int64(0)
			for _, end := range e.EndOffsets(b, k.name[len("kafka://"):]) {
				written += end
			}
			if written < int64(n*partitions) {
				b.Errorf("%d of %d are in the topic", written, n*partitions)
			}
			p.endClean()
		})
	}
}

// resident returns this process's memory in KB.
func resident(b *testing.B) (kb int) {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	if _, rest, ok := bytes.Cut(status, []byte("VmRSS:")); ok {
		_, err = fmt.Sscan(string(rest), &kb)
	}
	if err != nil || kb == 0 {
		b.Fatalf("no VmRSS: %v", err)
	}
	return kb
}
