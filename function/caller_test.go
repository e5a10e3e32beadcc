package function

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answers is an Invoker that returns the same answer every time and records its requests.
type answers struct {
	answer Answer
	err    error
	asked  []Request
}

func (a *answers) Invoke(_ context.Context, req Request) (Answer, error) {
	a.asked = append(a.asked, req)
	return a.answer, a.err
}

var quiet = slog.New(slog.DiscardHandler)

func mapping(partial bool) esm.Mapping {
	m := esm.Mapping{FunctionName: "orders", Topics: []string{"t"}, MaximumRetryAttempts: new(1)}
	if partial {
		m.FunctionResponseTypes = []esm.FunctionResponseType{esm.ReportBatchItemFailures}
	}
	return m
}

// The engine is the oracle: what an answer means shows in what a mapping does with the records.
func TestAnswers(t *testing.T) {
	const items = `{"batchItemFailures":[{"itemIdentifier":{"partition":"t-0","offset":1}}]}`
	for _, tc := range []struct {
		name            string
		answer          Answer
		attempts, drops int // with ReportBatchItemFailures and one retry, for two records
	}{
		{"null", Answer{Payload: []byte(`null`)}, 1, 0},
		{"nothing", Answer{}, 1, 0},
		{"empty object", Answer{Payload: []byte(` {} `)}, 1, 0},
		{"null list", Answer{Payload: []byte(`{"batchItemFailures":null}`)}, 1, 0},
		{"empty list", Answer{Payload: []byte(`{"batchItemFailures":[]}`)}, 1, 0},
		{"text", Answer{Payload: []byte(`"ok"`)}, 1, 0},
		{"an API's answer", Answer{Payload: []byte(`{"statusCode":500,"body":"x"}`)}, 1, 0},
		{"other case", Answer{Payload: []byte(`{"BatchItemFailures":[1]}`)}, 1, 0},
		{"an item", Answer{Payload: []byte(items)}, 2, 1},
		{"offset as text", Answer{Payload: []byte(strings.Replace(items, "1}", `"1"}`, 1))}, 2, 1},
		{"unknown offset", Answer{Payload: []byte(strings.Replace(items, "1}", "7}", 1))}, 2, 2},
		{"unknown partition", Answer{Payload: []byte(strings.Replace(items, "t-0", "t-9", 1))}, 2, 2},
		{"no identifier", Answer{Payload: []byte(`{"batchItemFailures":[{}]}`)}, 2, 2},
		{"null identifier", Answer{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":null}]}`)}, 2, 2},
		{"flat identifier", Answer{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":"t-0-1"}]}`)}, 2, 2},
		{"no offset", Answer{Payload: []byte(`{"batchItemFailures":[{"itemIdentifier":{"partition":"t-0"}}]}`)}, 2, 2},
		{"fraction", Answer{Payload: []byte(strings.Replace(items, "1}", "1.5}", 1))}, 2, 2},
		{"no list", Answer{Payload: []byte(`{"batchItemFailures":{}}`)}, 2, 2},
		{"no JSON", Answer{Payload: []byte(`{"batchItemFailures":[`)}, 2, 2},
		{"text that is no JSON", Answer{Payload: []byte(`oops`)}, 2, 2},
		{"a function error", Answer{FunctionError: Unhandled, Payload: []byte(`{"errorType":"E","errorMessage":"m"}`)}, 2, 2},
		{"status 500", Answer{StatusCode: 500}, 2, 2},
		{"status 413", Answer{StatusCode: 413}, 1, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := NewCaller("orders", &answers{answer: tc.answer}, 0, quiet)
			r := esmtest.Invoke(t, mapping(true), c.Handle, esmtest.Values("a", "b")...)
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

// Without ReportBatchItemFailures an answer has no meaning. If it contains items, that is logged once: by the mapping,
// which also shows it in its Status, or by the target if no mapping listens.
func TestAnswersIgnored(t *testing.T) {
	for _, tc := range []struct {
		payload string
		told    int
	}{
		{`{"batchItemFailures":[{"itemIdentifier":{"partition":"t-0","offset":1}}]}`, 1},
		{`{"batchItemFailures":[{"itemIdentifier":null}]}`, 0},
		{`oops`, 0}, {`null`, 0},
	} {
		told := func(from string, log *bytes.Buffer, line string, want int) {
			t.Helper()
			if n := strings.Count(log.String(), line); n != want {
				t.Errorf("%s: %s told %d times, want %d: %s", tc.payload, from, n, want, log)
			}
		}
		var log, own bytes.Buffer
		a := &answers{answer: Answer{Payload: []byte(tc.payload)}}
		c := NewCaller("orders", a, 0, slog.New(slog.NewTextHandler(&log, nil)))
		standing := 0
		synctest.Test(t, func(t *testing.T) {
			b := esmtest.NewBroker(t)
			b.Produce("t", esmtest.Values("a", "b", "c")...)
			m := mapping(false)
			m.BatchSize = 1
			r := esmtest.Start(t, b, m, c.Handle, esm.WithLogger(slog.New(slog.NewTextHandler(&own, nil))))
			time.Sleep(time.Minute / 2)
			if n := b.Lag(r.Runner().Status().ConsumerGroupId); n != 0 || len(r.Invocations()) != 3 {
				t.Errorf("%s: %d invocations, lag %d", tc.payload, len(r.Invocations()), n)
			}
			for _, condition := range r.Runner().Status().Conditions {
				if condition.Op == esm.OpInvoke && strings.Contains(condition.Err.Error(), "1 items: the function reports batchItemFailures") {
					standing++
				}
			}
			_ = r.Stop() // its error fails the test
		})
		if standing != tc.told {
			t.Errorf("%s: %d conditions, want %d", tc.payload, standing, tc.told)
		}
		told("the mapping", &own, "a condition has begun", tc.told)
		told("the target, in a mapping,", &log, "items", 0)
		for range 3 {
			if err := c.Handle(event.WithInvocation(t.Context(), &event.Invocation{}), esmtest.Event("t", esmtest.Values("a")...)); err != nil {
				t.Error(err)
			}
		}
		told("the target", &log, "the function reports batchItemFailures", tc.told)
	}
}

// An invocation that never reached the function uses no attempt.
func TestNotInvoked(t *testing.T) {
	cause := errors.New("dial tcp: refused")
	for _, a := range []*answers{
		{answer: Answer{StatusCode: 429}},
		{answer: Answer{StatusCode: 503, RetryAfter: time.Second}},
		{err: &ThrottleError{Function: "orders", Err: cause}},
		{err: &ConfigError{Function: "orders", Reason: "gone", Err: cause}},
		{err: errors.Join(ErrNotInvoked, cause)},
	} {
		m := mapping(false)
		m.MaximumRetryAttempts = new(0)
		r := esmtest.Invoke(t, m, NewCaller("orders", a, 0, quiet).Handle, esmtest.Values("a")...)
		if len(r.Dropped) != 0 || r.Attempts < 2 || r.Metrics.ThrottleCount == 0 {
			t.Errorf("%+v, %v: %d attempts, dropped %v", a.answer, a.err, r.Attempts, r.Dropped)
		}
	}
	m := mapping(false)
	r := esmtest.Invoke(t, m, NewCaller("orders", &answers{err: io.ErrUnexpectedEOF}, 0, quiet).Handle, esmtest.Values("a")...)
	if len(r.Dropped) != 1 || r.Attempts != 2 {
		t.Errorf("an invocation that broke off: %d attempts, dropped %v", r.Attempts, r.Dropped)
	}
}

func TestPayloadLimit(t *testing.T) {
	a := &answers{}
	big := esmtest.Record{Value: bytes.Repeat([]byte("x"), PayloadLimit*3/4)}
	c := NewCaller("orders", a, 0, quiet)
	r := esmtest.Invoke(t, mapping(false), c.Handle, big, esmtest.Record{Value: []byte("small")})
	if len(a.asked) != 1 || len(r.Dropped) != 1 || !errors.Is(r.Dropped[0].Err, ErrPayloadTooLarge) {
		t.Errorf("the function was asked %d times, dropped %d", len(a.asked), len(r.Dropped))
	}
	a = &answers{}
	r = esmtest.Invoke(t, mapping(false), NewCaller("orders", a, -1, quiet).Handle, big)
	if len(a.asked) != 1 || len(r.Dropped) != 0 || len(a.asked[0].Payload) <= PayloadLimit {
		t.Errorf("without a limit the function was asked %d times", len(a.asked))
	}
	if err := c.Handle(t.Context(), esmtest.Event("t", big, big)); !errors.Is(err, ErrPayloadTooLarge) {
		t.Errorf("two large records: %v", err)
	}
}

// The payload is the event's JSON, and each invocation has its own ID.
func TestRequest(t *testing.T) {
	a := &answers{}
	c := NewCaller("orders", a, 0, quiet)
	e := esmtest.Event("t", esmtest.Values("a", "b")...)
	for range 2 {
		if err := c.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	want, _ := json.Marshal(e)
	if !bytes.Equal(a.asked[0].Payload, want) {
		t.Errorf("payload %s, want %s", a.asked[0].Payload, want)
	}
	if id := a.asked[0].ID; len(id) != 36 || id[14] != '4' || id == a.asked[1].ID {
		t.Errorf("request ids %q and %q", id, a.asked[1].ID)
	}
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(esm.ErrStopping)
	err := NewCaller("orders", &answers{err: &ConfigError{Reason: "x"}}, 0, quiet).Handle(ctx, esmtest.Event("t", esmtest.Values("a")...))
	if !errors.Is(err, esm.ErrStopping) {
		t.Errorf("got %v", err)
	}
}

func TestError(t *testing.T) {
	for _, tc := range []struct{ payload, text, stack string }{
		{`{"errorMessage":"bad","errorType":"ValueError","requestId":"x","stackTrace":["  File \"a.py\", line 1\n","b"]}`, "ValueError: bad", "  File \"a.py\", line 1|b"},
		{`{"errorType":"Error","errorMessage":"bad","trace":["Error: bad","    at h"]}`, "Error: bad", "Error: bad|    at h"},
		{`{"errorMessage":"bad","errorType":"errorString","stackTrace":[{"path":"p/f.go","line":3,"label":"main"}]}`, "errorString: bad", "p/f.go:3 main"},
		{`{"errorMessage":{"a":1}}`, "map[a:1]", ""},
		{`{}`, "{}", ""},
		{`plain`, "plain", ""},
		{``, "", ""},
		{"\xff", "\uFFFD", ""},
	} {
		c := NewCaller("orders", &answers{answer: Answer{FunctionError: Unhandled, ExecutedVersion: "3", Payload: []byte(tc.payload)}}, 0, quiet)
		err := c.Handle(t.Context(), esmtest.Event("t", esmtest.Values("a")...))
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Error() != "function orders failed: "+tc.text || strings.Join(e.StackTrace, "|") != tc.stack {
			t.Errorf("%s: %v, stack %q", tc.payload, err, e.StackTrace)
			continue
		}
		if e.StatusCode != http.StatusOK || e.FunctionError != Unhandled || e.ExecutedVersion != "3" || e.RequestID == "" {
			t.Errorf("%s: %+v", tc.payload, e)
		}
	}
	var log bytes.Buffer
	e := &Error{Function: "orders", Type: "E", Message: strings.Repeat("é", 5000), StackTrace: []string{strings.Repeat("s", 9000)}}
	slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", "err", e)
	if log.Len() > 7000 || !strings.Contains(log.String(), `"errorType":"E"`) || !json.Valid(log.Bytes()) {
		t.Errorf("%d bytes of log: %.200s", log.Len(), log.String())
	}
}

func TestLooksLikeError(t *testing.T) {
	for payload, want := range map[string]bool{
		`{"errorMessage":"m","errorType":"E","stackTrace":[]}`: true,
		`{"errorMessage":"m"}`:                                 false,
		`{"a":{"errorMessage":"m","errorType":1}}`:             false,
		`"errorMessage errorType"`:                             false,
		`null`:                                                 false,
	} {
		if LooksLikeError([]byte(payload)) != want {
			t.Errorf("%s: want %v", payload, want)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"batchItemFailures":[{"itemIdentifier":{"partition":"t-0","offset":1}}]}`), "")
	f.Add([]byte(`{"errorType":"E","stackTrace":[{"path":"a"}]}`), "Unhandled")
	f.Add([]byte(`{"batchItemFailures":[null]}`), "")
	f.Fuzz(func(t *testing.T, payload []byte, functionError string) {
		a := Answer{Payload: payload, FunctionError: functionError}
		_, err := a.read(&Caller{name: "f"}, "id", true)
		if err == nil && functionError != "" {
			t.Error("a function error is success")
		}
		if err == nil && len(bytes.TrimSpace(payload)) > 0 && !json.Valid(payload) {
			t.Error("what is no JSON is success")
		}
		if err != nil && len(err.Error()) > 4096 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}
