package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/function/golambda"
	"github.com/esm-go/esm/function/runtime"
	"github.com/esm-go/esm/function/web"
)

// workerVariable makes this program a Lambda function's worker.
const workerVariable = "ESM_BENCH_WORKER"

// functionWorker is a Go function that takes the event as it is.
func functionWorker() {
	lambda.Start(func(json.RawMessage) (any, error) { return nil, nil })
}

// pythonFunction sleeps as long as a handler of 20 ms does.
const pythonFunction = `import time


def handler(event, context):
    time.sleep(0.020)
`

var silent = slog.New(slog.DiscardHandler)

// functionFigures lays each invocation target beside the same call made by hand, and then runs eight Python workers.
func functionFigures(ctx context.Context, n int, python string, seconds float64) error {
	e := event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, BootstrapServers: "broker:9092", Records: map[string][]event.KafkaRecord{}}
	for i := range 100 {
		e.Records["orders-0"] = append(e.Records["orders-0"], event.KafkaRecord{Topic: "orders", Offset: int64(i), Timestamp: 1_700_000_000_000,
			Key: fmt.Appendf(nil, "k%d", i), Value: bytes.Repeat([]byte("x"), 1024)})
	}
	fmt.Printf("\n100 records of 1 KB an event, %d invocations by hand and as many through the target, in turns, the fastest tenth\n\n", n)
	fmt.Println("| target | by hand, µs | through the target, µs | more, µs |\n| --- | ---: | ---: | ---: |")
	for _, t := range []struct {
		name string
		make func(context.Context, event.KafkaEvent) (pair, error)
	}{{"golambda", golambdaPair}, {"runtime (a Go worker)", runtimePair}, {"web", webPair}} {
		p, err := t.make(ctx, e)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		hand, target, err := p.measure(n)
		p.close()
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		fmt.Printf("| %s | %.1f | %.1f | %.1f |\n", t.name, hand, target, target-hand)
	}
	return pythonFigures(ctx, python, seconds)
}

// pair is one call made by hand and through a target.
type pair struct {
	hand, target func() error
	closers      []func()
}

func (p *pair) close() {
	for _, c := range slices.Backward(p.closers) {
		c()
	}
}

// measure returns what the fastest tenth of n calls of each kind stays under, in µs, taken in turns: what the calls cost,
// with little of what else the machine does.
func (p *pair) measure(n int) (hand, target float64, err error) {
	var times [2][]float64
	for k := range n + n/10 { // the first tenth warms up
		for i, f := range []func() error{p.hand, p.target} {
			begin := time.Now()
			if err := f(); err != nil {
				return 0, 0, err
			}
			if k >= n/10 {
				times[i] = append(times[i], float64(time.Since(begin).Nanoseconds())/1e3)
			}
		}
	}
	return tenth(times[0]), tenth(times[1]), nil
}

func tenth(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/10]
}

// golambdaPair has a handler that leaves the event undecoded, which is most of the time otherwise, and the same by hand.
func golambdaPair(ctx context.Context, e event.KafkaEvent) (p pair, err error) {
	handler := func(context.Context) error { return nil }
	f, err := golambda.New(handler)
	if err != nil {
		return p, err
	}
	h := lambda.NewHandler(handler)
	p.hand = func() error {
		_, err := h.Invoke(ctx, e.AppendJSON(nil))
		return err
	}
	p.target = func() error { return f.Handle(ctx, e) }
	return p, nil
}

func webPair(ctx context.Context, e event.KafkaEvent) (p pair, err error) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "null")
	}))
	f, err := web.New(s.URL)
	if err != nil {
		return p, err
	}
	client := &http.Client{Transport: &http.Transport{}}
	p.hand = func() error {
		r, err := client.Post(s.URL, "application/json", bytes.NewReader(e.AppendJSON(nil)))
		if err != nil {
			return err
		}
		_, err = io.ReadAll(r.Body)
		_ = r.Body.Close()
		return err
	}
	p.target = func() error { return f.Handle(ctx, e) }
	p.closers = []func(){s.Close, f.CloseIdleConnections, client.CloseIdleConnections}
	return p, nil
}

func runtimePair(ctx context.Context, e event.KafkaEvent) (p pair, err error) {
	bare, err := startBare()
	if err != nil {
		return p, err
	}
	p.closers = []func(){bare.close}
	pool, err := runtime.New(runtime.Config{FunctionName: "bench", Command: []string{os.Args[0]}, Timeout: time.Minute,
		Environment: map[string]string{workerVariable: "1"}}, runtime.WithLogger(silent), runtime.WithInitTimeout(time.Minute))
	if err == nil {
		p.closers = append(p.closers, func() { pool.Stop(context.WithoutCancel(ctx)) })
		err = pool.Start(ctx)
	}
	if err != nil {
		p.close()
		return p, err
	}
	p.hand = func() error { return bare.invoke(e.AppendJSON(nil)) }
	p.target = func() error { return pool.Handle(ctx, e) }
	return p, nil
}

// bare is the least that is a Runtime API: one worker, no checks, no timeouts.
type bare struct {
	work   chan []byte
	done   chan struct{}
	server *http.Server
	cmd    *exec.Cmd
}

func startBare() (*bare, error) {
	b := &bare{work: make(chan []byte), done: make(chan struct{})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = io.ReadAll(r.Body)
			w.WriteHeader(http.StatusAccepted)
			b.done <- struct{}{}
			return
		}
		select {
		case payload := <-b.work:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", "9999999999999")
			_, _ = w.Write(payload)
		case <-r.Context().Done():
		}
	})}
	go func() { _ = b.server.Serve(l) }()
	b.cmd = exec.Command(os.Args[0])
	b.cmd.Env = []string{workerVariable + "=1", "AWS_LAMBDA_RUNTIME_API=" + l.Addr().String()}
	return b, b.cmd.Start()
}

func (b *bare) invoke(payload []byte) error {
	b.work <- payload
	<-b.done
	return nil
}

func (b *bare) close() {
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
	_ = b.server.Close()
}

// pythonFigures runs a mapping of 64 partitions on eight Python workers whose handler takes 20 ms.
func pythonFigures(ctx context.Context, python string, seconds float64) error {
	if exec.CommandContext(ctx, python, "-c", "import awslambdaric").Run() != nil {
		fmt.Printf("\n%s has no awslambdaric: name one that has with -python\n", python)
		return nil
	}
	const partitions, workers, topic = 64, 8, "esm-bench-functions"
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		return err
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	for i := range int(seconds * workers * 50 * 2) {
		records = append(records, kgo.StringRecord(strings.Repeat("x", 1024)+fmt.Sprint(i)))
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "esm-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "app.py"), []byte(pythonFunction), 0o600); err != nil {
		return err
	}
	pool, err := runtime.New(runtime.Config{FunctionName: "bench", Command: []string{python, "-m", "awslambdaric", "app.handler"}, Dir: dir, Timeout: time.Minute},
		runtime.WithLogger(silent), runtime.WithWorkerRange(workers, workers), runtime.WithInitTimeout(time.Minute))
	if err != nil {
		return err
	}
	defer pool.Stop(context.WithoutCancel(ctx))
	if err := pool.Start(ctx); err != nil {
		return err
	}
	loops := handLoops(ctx, pool, workers, seconds)
	m := mapping(job{Bootstrap: cluster.ListenAddrs(), Topic: topic, Group: groupName(), Batch: 1})
	m.MaximumBatchingWindowInSeconds = new(0)
	runner, err := esm.New(m, pool.Handle, esm.WithDriver(franz.Driver()), esm.WithLogger(silent), esm.WithWorkers(workers))
	if err != nil {
		return err
	}
	runCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(runCtx) }()
	<-runner.Ready()
	time.Sleep(time.Second)
	before, begin := pool.Status().Invocations, time.Now()
	time.Sleep(time.Duration(seconds * float64(time.Second)))
	rate := float64(pool.Status().Invocations-before) / time.Since(begin).Seconds()
	cancel()
	if err := <-ended; err != nil {
		return err
	}
	fmt.Printf("\n%d Python workers, a handler of 20 ms, %d partitions, BatchSize 1: %.0f invocations/s in %.0f s, %.1f %% of %d × 50; eight loops that call the same workers, with no mapping: %.0f\n",
		workers, partitions, rate, seconds, rate/workers/50*100, workers, loops)
	return nil
}

// handLoops is how many invocations a second as many loops as workers come to, with no mapping around them.
func handLoops(ctx context.Context, pool *runtime.Pool, workers int, seconds float64) float64 {
	e := event.KafkaEvent{EventSource: event.SourceSelfManagedKafka, Records: map[string][]event.KafkaRecord{"t-0": {{Topic: "t", Value: make([]byte, 1024)}}}}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds*float64(time.Second)))
	defer cancel()
	begin, before := time.Now(), pool.Status().Invocations
	var loops sync.WaitGroup
	for range workers {
		loops.Go(func() {
			for ctx.Err() == nil {
				_ = pool.Handle(context.WithoutCancel(ctx), e) // what fails shows in the rate
			}
		})
	}
	loops.Wait()
	return float64(pool.Status().Invocations-before) / time.Since(begin).Seconds()
}
