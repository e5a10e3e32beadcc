package manager_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/store/files"
)

// many runs a number of mappings, each with its own topic of four partitions, on an in-memory broker.
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

func add(b *testing.B, m *manager.Manager, broker *esmtest.Broker, i int) (id string) {
	b.Helper()
	topic := fmt.Sprintf("topic-%d", i)
	broker.CreateTopic(topic, 4)
	d, err := m.Create(context.Background(), mapping(topic))
	if err != nil {
		b.Fatal(err)
	}
	return d.Mapping.UUID
}

// settle waits until a mapping runs, deletes it, and waits until it is gone.
func settle(b *testing.B, m *manager.Manager, id string) {
	b.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deleted := false; ; <-tick.C {
		d, err := m.Get(id)
		if errors.Is(err, manager.ErrNotFound) && deleted {
			return
		}
		if err != nil {
			b.Fatal(err)
		}
		if d.State == esm.Enabled && !deleted {
			if _, err := m.Delete(context.Background(), id); err != nil {
				b.Fatal(err)
			}
			deleted = true
		}
	}
}

// BenchmarkCreate measures Create with 200 running mappings, with files that are synced to disk. Each created mapping
// runs, and is deleted before the next. As a baseline for disk and machine, it also writes a file of a mapping's size
// just as durably after each Create.
func BenchmarkCreate(b *testing.B) {
	m, broker := many(b, 200)
	var took, bare []time.Duration
	directory := b.TempDir()
	b.ResetTimer()
	for i := range b.N {
		began := time.Now()
		id := add(b, m, broker, 200+i)
		took = append(took, time.Since(began))
		settle(b, m, id)
		began = time.Now()
		if err := writeDurably(filepath.Join(directory, strconv.Itoa(i))); err != nil {
			b.Fatal(err)
		}
		bare = append(bare, time.Since(began))
	}
	b.StopTimer()
	for name, took := range map[string][]time.Duration{"": took, "write-": bare} {
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, name+"median-ms")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, name+"p99-ms")
	}
	b.ReportMetric(0, "ns/op")
}

// writeDurably writes a file of 500 bytes, renames it, and syncs it and its directory.
func writeDurably(name string) error {
	f, err := os.Create(name + "~")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 500))
	if err = errors.Join(err, f.Sync(), f.Close(), os.Rename(name+"~", name)); err != nil {
		return err
	}
	directory, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

// BenchmarkIdle measures the heap, stack and CPU of an idle mapping, of 200, without a client library.
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
