package web_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/function/web"
)

// A server that fails for a while: everything is handled in the end, and nothing is given up.
func TestFailsForAWhile(t *testing.T) {
	var n atomic.Int32
	seen := make(map[int64]bool)
	f := serve(t, "/", func(w http.ResponseWriter, r *http.Request) {
		var e event.KafkaEvent
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		switch n.Add(1) % 4 {
		case 0:
			for _, rec := range e.Records["t-0"] {
				seen[rec.Offset] = true
			}
		case 1:
			w.WriteHeader(http.StatusInternalServerError)
		case 2:
			panic(http.ErrAbortHandler)
		case 3:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	m := mapping(-1)
	m.BatchSize = 2
	r := esmtest.Invoke(t, m, f.Handle, esmtest.Values("a", "b", "c", "d", "e")...)
	if len(r.Dropped) != 0 || r.Unresolved != 0 || len(seen) != 5 {
		t.Errorf("dropped %v, unresolved %d, seen %v", r.Dropped, r.Unresolved, seen)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A server answers 500 for a minute: the pauses grow, nothing is given up, and the mapping continues when the server
// recovers.
func TestFailsForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var asked atomic.Int32
		client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			asked.Add(1)
			_, _ = io.Copy(io.Discard, r.Body)
			_ = r.Body.Close()
			answer := httptest.NewRecorder()
			if time.Since(begin) < time.Minute {
				answer.WriteHeader(http.StatusInternalServerError)
			}
			return answer.Result(), nil
		})}
		f, err := web.New("http://orders.test/", quiet, web.WithClient(client))
		if err != nil {
			t.Fatal(err)
		}
		b := esmtest.NewBroker(t)
		b.Produce("t", esmtest.Values("a", "b", "c")...)
		r := esmtest.Start(t, b, mapping(-1), f.Handle)
		time.Sleep(59 * time.Second)
		if s := r.Runner().Status(); s.LastProcessingResult != "PROBLEM: Function call failed" || s.Metrics.DroppedEventCount != 0 {
			t.Errorf("meanwhile: %q, %d dropped", s.LastProcessingResult, s.Metrics.DroppedEventCount)
		}
		if n := asked.Load(); n < 5 || n > 20 {
			t.Errorf("asked %d times in a minute", n)
		}
		time.Sleep(time.Minute)
		if s := r.Runner().Status(); s.LastProcessingResult != "OK" || b.Lag(s.ConsumerGroupId) != 0 {
			t.Errorf("in the end: %q, lag %d, %v", s.LastProcessingResult, b.Lag(s.ConsumerGroupId), s.Partitions)
		}
		_ = r.Stop() // its error fails the test
	})
}
