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
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/function/golambda"
	"github.com/esm-go/esm/function/runtime"
	"github.com/esm-go/esm/function/web"
)

// workerVariable makes this program the worker of a Lambda function.
const workerVariable = "ESM_BENCH_WORKER"

// functionWorker is a Go function that takes the event without decoding it.
func functionWorker() {
	lambda.Start(func(json.RawMessage) (any, error) { return nil, nil })
}

var silent = slog.New(slog.DiscardHandler)

// functionFigures compares each invocation target with the same call made by hand, and then runs eight Python
// workers.
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

// pair is a call made by hand, and the same call through a target.
type pair struct {
	hand, target func() error
	closers      []func()
}

func (p *pair) close() {
	for _, c := range slices.Backward(p.closers) {
		c()
	}
}

// measure makes n calls of each kind in turns, and returns the time in µs that the fastest tenth stays under:
// the cost of the calls, with little influence of other load.
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

// golambdaPair uses a handler that leaves the event undecoded, since decoding would dominate, and the same by
// hand.
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
	bare, err := startBare([]string{os.Args[0]}, "", workerVariable+"=1")
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

// bare is a minimal Runtime API: one worker, no checks, no timeouts.
type bare struct {
	work   chan []byte
	done   chan struct{}
	server *http.Server
	cmd    *exec.Cmd
}

func startBare(command []string, dir string, environment ...string) (*bare, error) {
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
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:bench")
			_, _ = w.Write(payload)
		case <-r.Context().Done():
		}
	})}
	go func() { _ = b.server.Serve(l) }()
	b.cmd = exec.Command(command[0], command[1:]...)
	b.cmd.Dir = dir
	b.cmd.Env = append(environment, "AWS_LAMBDA_RUNTIME_API="+l.Addr().String())
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
