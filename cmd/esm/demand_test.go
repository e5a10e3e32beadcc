package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/function/runtime"
	"github.com/esm-go/esm/internal/functest"
	"github.com/esm-go/esm/internal/kafkatest"
)

// TestDemands lets two mappings ask for processes of one function: there are as many as both want, within the maximum.
func TestDemands(t *testing.T) {
	python := functest.Python(t)
	directory := t.TempDir()
	write(t, filepath.Join(directory, "app.py"), "def handler(event, context):\n    return None\n")
	pool, err := runtime.New(runtime.Config{FunctionName: "orders", Command: []string{python, "-m", "awslambdaric", "app.handler"}, Dir: directory},
		runtime.WithWorkerRange(1, 3), runtime.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer pool.Stop(t.Context())
	var d demands
	workers := func(want int) {
		t.Helper()
		await(t, fmt.Sprint(want, " workers"), func() bool { // only ready ones: a starting worker is not ended
			all, idle := pool.Status().Workers, 0
			for _, w := range all {
				if w.State == "Idle" {
					idle++
				}
			}
			return len(all) == want && idle == want
		})
	}
	d.set(pool, "a", 1)
	d.set(pool, "b", 1)
	workers(2)
	d.set(pool, "b", 7)
	workers(3)
	d.set(pool, "b", 0)
	workers(1)
}

// TestServeStops stops the program while a function has not answered: it ends by itself, within its stop timeout.
func TestServeStops(t *testing.T) {
	if goruntime.GOOS == "windows" {
		t.Skip("there is no SIGTERM to send")
	}
	called, release := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		called <- struct{}{}
		<-release
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	cluster := kafkatest.Fake(t).Client
	topic := cluster.NewTopic(t, 1)
	cluster.Produce(t, &kgo.Record{Topic: topic, Value: []byte("a record")})
	directory := t.TempDir()
	s := serve(t, "-store", filepath.Join(directory, "mappings"), "-plaintext", "-stop-timeout", "3s", "-functions",
		write(t, filepath.Join(directory, "functions.yaml"), "functions:\n  - name: orders\n    url: "+server.URL+"\n"))
	body := fmt.Sprintf(`{"FunctionName":"orders","Topics":[%q],"SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":[%q]}}}`, topic, cluster.Bootstrap()[0])
	response, err := http.Post(s.url+"/2015-03-31/event-source-mappings", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	<-called
	began := time.Now()
	if err := s.signal(t, syscall.SIGTERM); err != nil {
		t.Error("stopped, it ended with", err)
	}
	t.Logf("it ended after %v, of 3 s", time.Since(began))
}
