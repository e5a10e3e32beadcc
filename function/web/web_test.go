package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/function"
	"github.com/esm-go/esm/function/web"
	"github.com/esm-go/esm/internal/functest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = web.WithLogger(slog.New(slog.DiscardHandler))

func mapping(attempts int) esm.Mapping {
	return esm.Mapping{FunctionName: "orders", Topics: []string{"t"}, MaximumRetryAttempts: new(attempts),
		FunctionResponseTypes: []esm.FunctionResponseType{esm.ReportBatchItemFailures}}
}

// serve serves a handler at a URL and returns a Function for it.
func serve(t *testing.T, path string, h http.HandlerFunc, opts ...web.Option) *web.Function {
	t.Helper()
	s := httptest.NewServer(h)
	f, err := web.New(s.URL+path, append([]web.Option{quiet, web.WithName("orders")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.CloseIdleConnections(); s.Close() })
	return f
}

const (
	item       = `{"batchItemFailures":[{"itemIdentifier":{"partition":"t-0","offset":1}}]}`
	bodyError  = `{"errorMessage":"bad","errorType":"ValueError","stackTrace":["a"]}`
	invocation = "/2015-03-31/functions/function/invocations"
)

// The effect of each answer on two records with one retry.
func TestAnswers(t *testing.T) {
	for _, tc := range []struct {
		name            string
		path            string
		h               http.HandlerFunc
		attempts, drops int
	}{
		{"success", "/", func(http.ResponseWriter, *http.Request) {}, 1, 0},
		{"204", "/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, 1, 0},
		{"item", "/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, item) }, 2, 1},
		{"invalid JSON", "/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, item[:20]) }, 2, 2},
		{"header", "/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			_, _ = io.WriteString(w, bodyError)
		}, 2, 2},
		{"body error of the emulator", invocation, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, bodyError) }, 2, 2},
		{"such a body elsewhere", "/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, bodyError) }, 1, 0},
		{"500", "/", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", http.StatusInternalServerError) }, 2, 2},
		{"404", "/", http.NotFound, 2, 2},
		{"503", "/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, 2, 2},
		{"413", "/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) }, 1, 2},
		{"large", "/", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 10<<20)) }, 2, 2},
		{"closes", "/", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 2, 2},
		{"breaks off", "/", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		}, 2, 2},
		{"redirect", "/", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				http.Redirect(w, r, "/elsewhere", http.StatusFound)
			}
		}, 2, 2},
		{"redirect of the POST", "/", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
				return
			}
			if b, _ := io.ReadAll(r.Body); !json.Valid(b) {
				w.WriteHeader(http.StatusBadRequest)
			}
		}, 1, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := serve(t, tc.path, tc.h)
			r := esmtest.Invoke(t, mapping(1), f.Handle, esmtest.Values("a", "b")...)
			drops := 0
			for _, d := range r.Dropped {
				drops += len(d.Records)
			}
			if r.Attempts != tc.attempts || drops != tc.drops || r.Unresolved != 0 {
				t.Errorf("%d attempts, %d dropped, %d unresolved; want %d, %d, 0; last error %v", r.Attempts, drops, r.Unresolved, tc.attempts, tc.drops, r.Err)
			}
		})
	}
}

// An overloaded server uses no attempt, and sets the pause.
func TestThrottles(t *testing.T) {
	for name, header := range map[string]string{"seconds": "7", "date": time.Now().Add(9 * time.Second).UTC().Format(http.TimeFormat)} {
		for _, status := range []int{429, 503} {
			var n atomic.Int32
			f := serve(t, "/", func(w http.ResponseWriter, _ *http.Request) {
				if n.Add(1) < 4 {
					w.Header().Set("Retry-After", header)
					w.WriteHeader(status)
				}
			})
			r := esmtest.Invoke(t, mapping(0), f.Handle, esmtest.Values("a")...)
			if r.Attempts != 4 || len(r.Dropped) != 0 || r.Metrics.ThrottleCount != 3 {
				t.Errorf("%s, %d: %d attempts, dropped %v", name, status, r.Attempts, r.Dropped)
			}
			te, ok := errors.AsType[*function.ThrottleError](r.Invocations[0].Err)
			if !ok || te.RetryAfter < 5*time.Second || te.RetryAfter > 9*time.Second {
				t.Errorf("%s, %d: %v", name, status, r.Invocations[0].Err)
			}
		}
	}
}

// A server that is down was not reached, and uses no attempt; when it is up, the records are handled.
func TestNotThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	f, err := web.New("http://"+address+"/", quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer f.CloseIdleConnections()
	s := &httptest.Server{Config: &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}}
	calls := 0
	r := esmtest.Invoke(t, mapping(0), func(ctx context.Context, e esm.KafkaEvent) error {
		if calls++; calls == 3 {
			if s.Listener, err = net.Listen("tcp", address); err != nil {
				t.Error(err)
			} else {
				s.Start()
			}
		}
		return f.Handle(ctx, e)
	}, esmtest.Values("a")...)
	s.Close()
	if r.Attempts != 3 || len(r.Dropped) != 0 || !errors.Is(r.Invocations[0].Err, function.ErrNotInvoked) {
		t.Errorf("%d attempts, dropped %v, first %v", r.Attempts, r.Dropped, r.Invocations[0].Err)
	}
}

// A server that hangs: the invocation fails when the timeout has passed, and at once when the mapping stops.
func TestHangs(t *testing.T) {
	free := make(chan struct{})
	f := serve(t, "/", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server notices that a client is gone only after it has read the request
		select {
		case <-free:
		case <-r.Context().Done():
		}
	}, web.WithTimeout(50*time.Millisecond))
	defer close(free)
	r := esmtest.Invoke(t, mapping(1), f.Handle, esmtest.Values("a")...)
	if r.Attempts != 2 || len(r.Dropped) != 1 || !strings.Contains(r.Err.Error(), "within 50ms") {
		t.Errorf("%d attempts, dropped %v: %v", r.Attempts, r.Dropped, r.Err)
	}
	f = serve(t, "/", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(esm.ErrStopping) })
	if err := f.Handle(ctx, esmtest.Event("t", esmtest.Values("a")...)); !errors.Is(err, esm.ErrStopping) {
		t.Errorf("got %v", err)
	}
}

// Requests have Lambda's form, are limited in number, and reuse connections.
func TestRequests(t *testing.T) {
	var now, most, connections atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || len(r.Header.Get("X-Amzn-Requestid")) != 36 {
			t.Errorf("%s %v", r.Method, r.Header)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	f, err := web.New(s.URL, quiet, web.WithConcurrency(2))
	if err != nil {
		t.Fatal(err)
	}
	defer f.CloseIdleConnections()
	done := make(chan error)
	for range 8 {
		go func() {
			var err error
			for range 20 {
				err = errors.Join(err, f.Handle(t.Context(), esmtest.Event("t", esmtest.Values("a")...)))
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > 2 || connections.Load() > 4 {
		t.Errorf("%d at a time, over %d connections", most.Load(), connections.Load())
	}
	// A request that waits for its turn ends with its context.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Handle(ctx, esmtest.Event("t", esmtest.Values("a")...)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestBadInput(t *testing.T) {
	for address, want := range map[string]string{"": "want http", "localhost:80": "want http", "ftp://x/": "want http", "http://": "want http",
		"http://u:hunter2@x:y/": "cannot be parsed", "file://u:hunter2@x/": "want http"} {
		if _, err := web.New(address); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", address, err)
		}
	}
	for want, o := range map[string]web.Option{"WithTimeout": web.WithTimeout(0), "WithConcurrency": web.WithConcurrency(-1)} {
		if _, err := web.New("http://x/", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f, err := web.New("http://u:hunter2@127.0.0.1:1/", quiet, web.WithTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Handle(t.Context(), esmtest.Event("t", esmtest.Values("a")...)); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

// The mapping's guarantees, with a server that closes connections, fails and is overloaded: see functest.Invariants.
func TestInvariants(t *testing.T) {
	for _, batch := range []int{1, 5} {
		dir := t.TempDir()
		handle := functest.Journal(dir, func() { panic(http.ErrAbortHandler) })
		var n atomic.Int32
		f := serve(t, "/", func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1)%7 == 0 {
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			var e event.KafkaEvent
			if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
				t.Error(err)
			}
			answer, err := handle(e)
			if err != nil {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			_ = json.NewEncoder(w).Encode(answer)
		})
		functest.Invariants(t, dir, f.Handle, batch, "fail", "item", "die")
	}
}
