package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/function/runtime"
)

// pythonFunction sleeps for the 20 ms of its handler, and records how long that took and how long it waited
// for the next event. The wait is everything that is not the handler: the interface client, the Runtime API
// and its server.
const pythonFunction = `import json
import os
import time

last, gaps, sleeps = None, [], []


def handler(event, context):
    global last
    begin = time.monotonic()
    if last is not None:
        gaps.append(begin - last)
    time.sleep(0.020)
    last = time.monotonic()
    sleeps.append(last - begin)
    if len(sleeps) % 50 == 0:
        with open("%s-%d.json" % (os.environ["ESM_BENCH_REPORT"], os.getpid()), "w") as f:
            json.dump({"gaps": gaps, "sleeps": sleeps}, f)
`

// pythonFigures runs eight Python workers whose handler takes 20 ms, in turns behind a mapping of 64
// partitions and behind a minimal Runtime API.
func pythonFigures(ctx context.Context, python string, seconds float64) error {
	if exec.CommandContext(ctx, python, "-c", "import awslambdaric").Run() != nil {
		fmt.Printf("\n%s has no awslambdaric: name one that has with -python\n", python)
		return nil
	}
	const partitions, workers, spare, turns = 64, 8, 2, 5
	dir, err := os.MkdirTemp("", "esm-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "app.py"), []byte(pythonFunction), 0o600); err != nil {
		return err
	}
	command := []string{python, "-m", "awslambdaric", "app.handler"}
	bare, err := startBareLoops(command, dir, workers)
	if err != nil {
		return err
	}
	defer bare.close()
	turn := time.Duration(seconds / turns * float64(time.Second))
	rates := [][]float64{nil, nil, nil}
	var mappings []*pythonMapping
	for _, more := range []int{0, spare} {
		p, err := startPythonMapping(ctx, command, dir, partitions, workers, workers+more, int(seconds*workers*50*2))
		if err != nil {
			return err
		}
		defer p.close()
		mappings = append(mappings, p)
	}
	for range turns {
		rates[0] = append(rates[0], rateOf(turn, bare.count.Load, bare.resume, bare.pause))
		for i, p := range mappings {
			rates[i+1] = append(rates[i+1], rateOf(turn, p.count, p.runner.Resume, p.runner.Pause))
		}
	}
	fmt.Printf("\n%d Python workers, a handler of 20 ms, %d partitions, BatchSize 1; in %d turns of %v each\n\n", workers, partitions, turns, turn)
	fmt.Println("| | invocations/s, the best turn | of 8 × 50 | of the bare loops | the handler, ms (median) | between two handlers of a worker, ms (median) |\n| --- | ---: | ---: | ---: | ---: | ---: |")
	names := []string{"bare Runtime API loops", fmt.Sprintf("a mapping with %d workers", workers), fmt.Sprintf("a mapping with %d workers", workers+spare)}
	for i, name := range names {
		gap, sleep, err := medians(dir, []string{"bare", fmt.Sprint(workers, "-"), fmt.Sprint(workers+spare, "-")}[i])
		if err != nil {
			return err
		}
		best := slices.Max(rates[i])
		fmt.Printf("| %s | %.0f | %.1f %% | %.1f %% | %.2f | %.2f |\n", name, best, best/workers/50*100, best/slices.Max(rates[0])*100, sleep, gap)
	}
	return nil
}

// rateOf returns the count per second during one turn.
func rateOf(turn time.Duration, count func() int64, resume, pause func()) float64 {
	resume()
	defer pause()
	time.Sleep(turn / 5)
	before, begin := count(), time.Now()
	time.Sleep(turn * 4 / 5)
	return float64(count()-before) / time.Since(begin).Seconds()
}

// medians returns the medians of what the workers recorded, in milliseconds.
func medians(dir, name string) (gap, sleep float64, err error) {
	files, err := filepath.Glob(filepath.Join(dir, name+"-*.json"))
	if err != nil || len(files) == 0 {
		return 0, 0, errors.Join(errors.New("no worker of "+name+" wrote anything down"), err)
	}
	var gaps, sleeps []float64
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return 0, 0, err
		}
		var wrote struct{ Gaps, Sleeps []float64 }
		if json.Unmarshal(text, &wrote) == nil { // not in the middle of a write
			gaps, sleeps = append(gaps, wrote.Gaps...), append(sleeps, wrote.Sleeps...)
		}
	}
	slices.Sort(gaps)
	slices.Sort(sleeps)
	if len(gaps) == 0 {
		return 0, 0, errors.New("workers of " + name + " wrote nothing down")
	}
	return gaps[len(gaps)/2] * 1e3, sleeps[len(sleeps)/2] * 1e3, nil
}

// pythonMapping is a mapping on Python workers.
type pythonMapping struct {
	runner  *esm.Runner
	count   func() int64
	closers []func()
}

func (p *pythonMapping) close() {
	for _, c := range slices.Backward(p.closers) {
		c()
	}
}

func startPythonMapping(ctx context.Context, command []string, dir string, partitions int32, processes, workers, records int) (p *pythonMapping, err error) {
	p = new(pythonMapping)
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	const topic = "esm-bench-functions"
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		return p, err
	}
	p.closers = append(p.closers, cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		return p, err
	}
	defer client.Close()
	var all []*kgo.Record
	for i := range records {
		all = append(all, kgo.StringRecord(strings.Repeat("x", 1024)+fmt.Sprint(i)))
	}
	if err := client.ProduceSync(ctx, all...).FirstErr(); err != nil {
		return p, err
	}
	pool, err := runtime.New(runtime.Config{FunctionName: "bench", Command: command, Dir: dir, Timeout: time.Minute,
		Environment: map[string]string{"ESM_BENCH_REPORT": filepath.Join(dir, fmt.Sprint(workers, "-"))}},
		runtime.WithLogger(silent), runtime.WithWorkerRange(processes, processes), runtime.WithInitTimeout(time.Minute))
	if err != nil {
		return p, err
	}
	p.closers = append(p.closers, func() { pool.Stop(context.WithoutCancel(ctx)) })
	if err := pool.Start(ctx); err != nil {
		return p, err
	}
	m := mapping(job{Bootstrap: cluster.ListenAddrs(), Topic: topic, Group: groupName(), Batch: 1})
	m.MaximumBatchingWindowInSeconds = new(0)
	p.runner, err = esm.New(m, pool.Handle, esm.WithDriver(franz.Driver()), esm.WithLogger(silent), esm.WithWorkers(workers))
	if err != nil {
		return p, err
	}
	p.count = func() int64 { return pool.Status().Invocations }
	runCtx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.runner.Run(runCtx) }()
	p.closers = append(p.closers, func() {
		cancel()
		if err := <-ended; err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	})
	<-p.runner.Ready()
	p.runner.Pause()
	return p, nil
}

// bareLoops are loops that each have their own worker, and nothing else.
type bareLoops struct {
	workers []*bare
	count   atomic.Int64
	ended   atomic.Bool
	turn    sync.RWMutex // held while they pause
	loops   sync.WaitGroup
}

func startBareLoops(command []string, dir string, n int) (*bareLoops, error) {
	b := new(bareLoops)
	b.pause()
	e := event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, Records: map[string][]event.KafkaRecord{"t-0": {{Topic: "t", Value: make([]byte, 1024)}}}}
	for range n {
		worker, err := startBare(command, dir, "PATH="+os.Getenv("PATH"), "_HANDLER=app.handler", "LAMBDA_TASK_ROOT="+dir, "AWS_LAMBDA_FUNCTION_NAME=bench",
			"ESM_BENCH_REPORT="+filepath.Join(dir, "bare"))
		if err != nil {
			b.close()
			return nil, err
		}
		b.workers = append(b.workers, worker)
		b.loops.Go(func() {
			for {
				b.turn.RLock()
				if b.ended.Load() {
					b.turn.RUnlock()
					return
				}
				_ = worker.invoke(e.AppendJSON(nil)) // it never fails
				b.turn.RUnlock()
				b.count.Add(1)
			}
		})
	}
	return b, nil
}

func (b *bareLoops) pause()  { b.turn.Lock() }
func (b *bareLoops) resume() { b.turn.Unlock() }

func (b *bareLoops) close() {
	b.ended.Store(true)
	b.resume()
	b.loops.Wait()
	for _, w := range b.workers {
		w.close()
	}
}
