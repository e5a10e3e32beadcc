//go:build unix

package franz

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
)

// BenchmarkDeliver measures only the conversion, which is what the driver adds to a record that kgo has read.
func BenchmarkDeliver(b *testing.B) {
	const n = maxPollRecords
	slab := make([]kgo.Record, n)
	value := make([]byte, 100)
	fetched := kgo.FetchPartition{Records: make([]*kgo.Record, n)}
	for i := range slab {
		slab[i] = kgo.Record{Topic: "t", Value: value, Timestamp: time.UnixMilli(1700000000000), Offset: int64(i)}
		fetched.Records[i] = &slab[i]
	}
	c := &consumer{}
	c.assigned.init()
	var into driver.Fetch
	b.ReportAllocs()
	for b.Loop() {
		p := partition{TopicPartition: tp("t", 0)}
		into.Reset()
		c.deliver(&p, &fetched, &into)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}

// BenchmarkPoll reads the in-process broker's canned batches of 100-byte values: the same fetches once with a bare kgo
// loop that reads each record's offset and value, and once with the driver's Poll and a loop that does the same. The
// broker runs in this process too, so compare only these two results.
func BenchmarkPoll(b *testing.B) {
	c := cluster(b, kfake.SeedTopics(8, "t"), kfake.SyntheticFetch(kfake.SyntheticBatch{}))
	cfg := config(c.ListenAddrs(), "g", "t")
	cfg.FetchMaxWait = 100 * time.Millisecond

	b.Run("bare", func(b *testing.B) {
		total, per := (&consumer{cfg: cfg}).fetchSizes(1)
		cl, err := kgo.NewClient(
			kgo.SeedBrokers(cfg.BootstrapServers...), kgo.ConsumerGroup("bare"), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxBytes(total), kgo.FetchMaxPartitionBytes(per),
			kgo.FetchMaxWait(cfg.FetchMaxWait), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		)
		if err != nil {
			b.Fatal(err)
		}
		defer cl.Close()
		cl.PollRecords(b.Context(), maxPollRecords)
		var sum int64
		b.ReportAllocs()
		used := cpuTime(b)
		b.ResetTimer()
		for n := 0; n < b.N; {
			cl.PollRecords(b.Context(), maxPollRecords).EachRecord(func(r *kgo.Record) {
				sum += r.Offset + int64(len(r.Value))
				n++
			})
		}
		b.StopTimer()
		b.ReportMetric(float64(cpuTime(b)-used)/float64(b.N), "cpu-ns/record")
		if sum == 0 {
			b.Fatal("nothing read")
		}
	})
	b.Run("driver", func(b *testing.B) {
		opened, err := Driver().Open(cfg, starter{})
		if err != nil {
			b.Fatal(err)
		}
		defer opened.Close(context.Background())
		var fetch driver.Fetch
		read := func() (n int, sum int64) {
			if err := opened.Poll(b.Context(), &fetch); err != nil {
				b.Fatal(err)
			}
			for _, run := range fetch.Runs {
				for i := range run.Records {
					r := &run.Records[i]
					sum += r.Offset + int64(len(r.Value))
				}
				n += len(run.Records)
			}
			return n, sum
		}
		for n := 0; n == 0; n, _ = read() {
			held := opened.(*consumer).assigned.owned(map[string][]int32{"t": {0, 1, 2, 3, 4, 5, 6, 7}})
			opened.Start(starts(held, 0, 0))
		}
		var sum int64
		b.ReportAllocs()
		used := cpuTime(b)
		b.ResetTimer()
		for n := 0; n < b.N; {
			m, s := read()
			n, sum = n+m, sum+s
		}
		b.StopTimer()
		b.ReportMetric(float64(cpuTime(b)-used)/float64(b.N), "cpu-ns/record")
		if sum == 0 {
			b.Fatal("nothing read")
		}
	})
}

type starter struct{}

func (starter) Assigned([]driver.TopicPartition) {}
func (starter) Revoked([]driver.TopicPartition)  {}
func (starter) Lost([]driver.TopicPartition)     {}

// cpuTime returns the CPU time that this process has used, in nanoseconds: on a shared machine it says more than the
// clock.
func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
