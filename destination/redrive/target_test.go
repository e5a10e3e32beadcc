package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm/destination/redrive"
	"github.com/esm-go/esm/event"
)

// list is a source in memory.
type list struct {
	items []*redrive.Item
	next  int
	fate  map[string]string
}

func listOf(t *testing.T, n int) *list {
	t.Helper()
	l := &list{fate: make(map[string]string)}
	for i := range n {
		doc := failureOf(record("orders", i)).RecordDocument()
		parsed, err := redrive.ParseItem(doc)
		if err != nil {
			t.Fatal(err)
		}
		parsed.Where = fmt.Sprint(i)
		l.items = append(l.items, parsed)
	}
	return l
}

func (l *list) Read(_ context.Context, n int) ([]*redrive.Item, error) {
	if l.next == len(l.items) {
		return nil, io.EOF
	}
	n = min(n, len(l.items)-l.next)
	l.next += n
	return l.items[l.next-n : l.next], nil
}

func (l *list) note(items []*redrive.Item, fate string) error {
	for _, i := range items {
		if l.fate[i.Where] != "" {
			return errors.New("settled twice: " + i.Where)
		}
		l.fate[i.Where] = fate
	}
	return nil
}

func (l *list) Done(_ context.Context, items []*redrive.Item) error { return l.note(items, "done") }
func (l *list) Return(_ context.Context, items []*redrive.Item) error {
	return l.note(items, "returned")
}
func (l *list) Release(_ context.Context, items []*redrive.Item) error {
	return l.note(items, "released")
}
func (*list) Total(context.Context) int64 { return -1 }
func (*list) Close(context.Context) error { return nil }

func (l *list) count(fate string) int {
	n := 0
	for _, f := range l.fate {
		if f == fate {
			n++
		}
	}
	return n
}

func TestURL(t *testing.T) {
	var mu sync.Mutex
	var answers []func(http.ResponseWriter)
	var events []event.KafkaEvent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var e event.KafkaEvent
		mu.Lock()
		defer mu.Unlock()
		if err := e.UnmarshalJSON(body); err != nil || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v: %s", err, body)
		}
		events = append(events, e)
		if len(answers) > 0 {
			answers[0](w)
			answers = answers[1:]
		}
	}))
	defer server.Close()
	status := func(code int) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(code) }
	}
	text := func(s string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { _, _ = io.WriteString(w, s) }
	}
	header := func(w http.ResponseWriter) { w.Header().Set("X-Amz-Function-Error", "Unhandled") }
	always := func(n int, f func(http.ResponseWriter)) (all []func(http.ResponseWriter)) {
		for range n {
			all = append(all, f)
		}
		return all
	}
	for name, test := range map[string]struct {
		answers        []func(http.ResponseWriter)
		done, returned int
		err            string
	}{
		"taken":            {nil, 4, 0, ""},
		"a text":           {always(9, text("ok")), 4, 0, ""},
		"tried again":      {append(always(2, status(503)), status(429)), 4, 0, ""},
		"refused":          {always(9, status(400)), 0, 4, ""},
		"a function error": {always(9, header), 0, 4, ""},
		"as the emulator":  {always(9, text(`{"errorMessage":"x","errorType":"E"}`)), 0, 4, ""},
		"some of them":     {always(1, text(`{"batchItemFailures":[{"itemIdentifier":{"partition":"orders-1","offset":0}},{"itemIdentifier":{"partition":"orders-0","offset":1}}]}`)), 2, 2, ""},
		"unknown ones":     {always(9, text(`{"batchItemFailures":[{"itemIdentifier":{"partition":"orders-9","offset":0}}]}`)), 0, 4, ""},
		"not there":        {always(1, status(404)), 0, 0, "404"},
	} {
		answers, events = test.answers, nil
		l := listOf(t, 4)
		_, err := redrive.Run(t.Context(), l, redrive.ToURL(server.URL, server.Client()), redrive.Options{})
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) || l.count("done") != test.done || l.count("returned") != test.returned {
			t.Errorf("%s: %v, %v", name, err, l.fate)
		}
		if len(events[0].Records) != 2 || events[0].EventSource != "SelfManagedKafka" || events[0].BootstrapServers != "b:9092" {
			t.Errorf("%s: %+v", name, events[0])
		}
	}
}

// TestUnavailable: an unavailable target stops the run, and its records do not count as failed.
func TestUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: refusing{}}
		l := listOf(t, 4)
		began := time.Now()
		_, err := redrive.Run(t.Context(), l, redrive.ToURL("http://target.example", client), redrive.Options{})
		var unavailable *redrive.UnavailableError
		if !errors.As(err, &unavailable) || len(l.fate) > 0 || time.Since(began) > time.Minute {
			t.Errorf("%v after %v, %v", err, time.Since(began), l.fate)
		}
	})
}

type refusing struct{}

func (refusing) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listOf(t, 100)
		began := time.Now()
		var at []time.Duration
		handler := redrive.Handler(func(context.Context, event.KafkaEvent) error {
			at = append(at, time.Since(began))
			return nil
		})
		if _, err := redrive.Run(t.Context(), l, handler, redrive.Options{Rate: 10, BatchSize: 5}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("100 records at 10 a second took %v: %v", took, at)
		}
	})
}

// TestGrace: a batch in flight when the run is stopped may finish and is then settled; one that takes too long is not.
func TestGrace(t *testing.T) {
	for _, takes := range []time.Duration{5 * time.Second, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			l := listOf(t, 2)
			handler := redrive.Handler(func(ctx context.Context, _ event.KafkaEvent) error {
				select {
				case <-time.After(takes):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			_, err := redrive.Run(ctx, l, handler, redrive.Options{BatchSize: 1, Grace: 10 * time.Second})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if want := map[bool]int{true: 1, false: 0}[takes < 10*time.Second]; l.count("done") != want || len(l.fate) != want {
				t.Errorf("a batch of %v: %v", takes, l.fate)
			}
		})
	}
}
