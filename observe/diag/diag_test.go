package diag_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/esmtest"
	"github.com/esm-go/esm/esmtest/membroker"
	"github.com/esm-go/esm/observe/diag"
)

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%s: headers %v", path, w.Header())
	}
	return w.Code, w.Body.String()
}

// A mapping with a partition that fails: every page says so, and none shows a key or a value.
func TestPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := esmtest.NewBroker(t)
		b.CreateTopic("t", 2)
		journal := diag.NewJournal(nil)
		found := b.Hang(membroker.OpCommitted)
		m := esm.Mapping{FunctionName: "f", Topics: []string{"t"}}
		r := esmtest.Start(t, b, m, func(context.Context, esm.KafkaEvent) error { return errors.New("the <database> is away") },
			esm.WithLogger(slog.New(journal)), esm.WithRetryBackoff(time.Hour, time.Hour))
		h := diag.Handler(r.Runner(), journal)
		if code, body := get(t, h, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "no assignment") {
			t.Errorf("readyz before the start: %d %s", code, body)
		}
		found()
		<-r.Ready()
		for _, path := range []string{"/healthz", "/readyz"} {
			if code, body := get(t, h, path); code != http.StatusOK || body != "ok\n" {
				t.Errorf("%s: %d %s", path, code, body)
			}
		}
		b.Produce("t", membroker.Record{Key: []byte("the key"), Value: []byte("the value")})
		time.Sleep(30 * time.Second)
		synctest.Wait()
		code, body := get(t, h, "/status.json")
		var status struct {
			State         string
			Connects      struct{ Protocol string }
			Blocked       int
			WhoBlocks     []struct{ Partition, WaitsFor, LastError, KeyHash string }
			Metrics       esm.Metrics
			Events        []diag.Event
			Unhealthy     string
			LastProcessed string
		}
		if err := json.Unmarshal([]byte(body), &status); err != nil || code != http.StatusOK {
			t.Fatal(code, err, body)
		}
		if len(status.WhoBlocks) != 1 || status.WhoBlocks[0].Partition != "t-0" || status.WhoBlocks[0].WaitsFor != "retry" || status.WhoBlocks[0].LastError != "the <database> is away" ||
			status.WhoBlocks[0].KeyHash == "" || status.Blocked != 1 || status.State != "Enabled" || status.Connects.Protocol != "PLAINTEXT" || status.Metrics.InvokeErrorCount != 1 {
			t.Errorf("%+v", status)
		}
		said := func(what string) bool {
			return slices.ContainsFunc(status.Events, func(e diag.Event) bool { return strings.Contains(e.What, what) })
		}
		for _, what := range []string{"event source mapping starts", "partitions assigned", "state", "batch failed, trying again"} {
			if !said(what) {
				t.Errorf("no event %q in %+v", what, status.Events)
			}
		}
		_, page := get(t, h, "/")
		for _, want := range []string{"blocked: t-0 at offset 0 waits for its retry", "&lt;database&gt; is away", "partitions assigned", "<td>t-0<td>0<td>retry"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q:\n%s", want, page)
			}
		}
		_, owners := get(t, h, "/goroutines.json")
		if !strings.Contains(strings.ToLower(owners), `(*member).run`) {
			t.Errorf("the loop's goroutines are not among the owners: %s", owners)
		}
		for path, text := range map[string]string{"page": page, "status.json": body, "goroutines.json": owners} {
			if strings.Contains(text, "the key") || strings.Contains(text, "the value") {
				t.Errorf("%s shows a record", path)
			}
		}
		b.Report("", &driver.Error{Kind: driver.KindAuthentication, Offset: -1, Err: errors.New("refused")})
		time.Sleep(2 * time.Minute)
		b.Report("", &driver.Error{Kind: driver.KindAuthentication, Offset: -1, Err: errors.New("refused")})
		r.Runner().Pause()
		time.Sleep(time.Second)
		if code, body := get(t, h, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "Disabled") {
			t.Errorf("readyz while paused: %d %s", code, body)
		}
		for _, path := range []string{"/nothing", "/status.json/x"} {
			if code, _ := get(t, h, path); code != http.StatusNotFound {
				t.Errorf("%s: %d", path, code)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/status.json", nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST: %d", w.Code)
		}
	})
}

// An unhealthy mapping says why, in both probes.
func TestUnhealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := esmtest.NewBroker(t)
		b.CreateTopic("t", 1)
		r := esmtest.Start(t, b, esm.Mapping{FunctionName: "f", Topics: []string{"t"}}, func(context.Context, esm.KafkaEvent) error { return nil })
		<-r.Ready()
		b.Stop()
		time.Sleep(3 * time.Minute)
		h := diag.Handler(r.Runner(), nil)
		for _, path := range []string{"/healthz", "/readyz"} {
			if code, body := get(t, h, path); code != http.StatusServiceUnavailable || !strings.Contains(body, "unhealthy") {
				t.Errorf("%s: %d %s", path, code, body)
			}
		}
		b.Start()
	})
}

func TestJournal(t *testing.T) {
	var passed strings.Builder
	j := diag.NewJournal(slog.NewTextHandler(&passed, &slog.HandlerOptions{Level: slog.LevelWarn}))
	log := slog.New(j).With("driver", "franz").WithGroup("g").With("a", 1)
	for i := range 120 {
		log.Info(fmt.Sprint("line ", i), "x", i, slog.Group("in", "y", "z z"))
	}
	log.Debug("quiet")
	log.Warn("loud", "err", errors.New("a\nb"))
	events := j.Events()
	if len(events) != 50 || events[0].What != "loud" || events[0].Attributes != "driver=franz g.a=1 g.err=a b" || events[1].Attributes != "driver=franz g.a=1 g.x=119 g.in.y=z z" ||
		events[49].What != "line 71" {
		t.Errorf("%d events: %+v", len(events), events[:2])
	}
	if n := strings.Count(passed.String(), "\n"); n != 1 || !strings.Contains(passed.String(), "loud") {
		t.Errorf("passed on:\n%s", passed.String())
	}
}
