package manager_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/store/files"
)

// many runs a number of mappings, each of a topic of its own with four partitions, on a broker in memory.
func many(b *testing.B, n int) (*manager.Manager, *esmtest.Broker) {
	b.Helper()
	broker := esmtest.NewBroker(b)
	s, err := files.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	m, err := manager.New(s, manager.Handlers{"orders": func(context.Context, esm.KafkaEvent) error { return nil }},
		manager.WithLogger(slog.New(slog.DiscardHandler)), manager.WithRunnerOptions(esm.WithDriver(broker.Driver())))
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		_ = s.Close()
	})
	for i := range n {
		add(b, m, broker, i)
	}
	for i := 0; i < n; {
		page, _ := m.List(manager.Filter{})
		i = 0
		for _, d := range page {
			if d.State == esm.Enabled {
				i++
			}
		}
		runtime.Gosched()
	}
	return m, broker
}

func add(b *testing.B, m *manager.Manager, broker *esmtest.Broker, i int) {
	b.Helper()
	topic := fmt.Sprintf("topic-%d", i)
	broker.CreateTopic(topic, 4)
	if _, err := m.Create(context.Background(), mapping(topic)); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCreate is Create with 200 mappings running, with files that are synced to the disk.
func BenchmarkCreate(b *testing.B) {
	m, broker := many(b, 200)
	var took []time.Duration
	b.ResetTimer()
	for i := range b.N {
		began := time.Now()
		add(b, m, broker, 200+i)
		took = append(took, time.Since(began))
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkIdle is what an idle mapping takes of heap, stack and CPU, of 200, without any client library.
func BenchmarkIdle(b *testing.B) {
	used := func() (memory uint64, cpu time.Duration) {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return s.HeapAlloc + s.StackInuse, time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	for range b.N {
		before, _ := used()
		_, _ = many(b, 200)
		after, cpu := used()
		const watch = 10 * time.Second
		timer := time.NewTimer(watch)
		<-timer.C
		_, cpuAfter := used()
		b.ReportMetric(float64(after-before)/200/1024, "KB/mapping")
		b.ReportMetric(100*float64(cpuAfter-cpu)/float64(watch)/200, "%core/mapping")
	}
}
