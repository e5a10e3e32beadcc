// Package diag serves diagnostics of one mapping. A service can leave it on:
//
//	journal := diag.NewJournal(slog.Default().Handler())
//	runner, err := esm.New(mapping, handler, esm.WithLogger(slog.New(journal)))
//	http.Handle("/debug/esm/", http.StripPrefix("/debug/esm", diag.Handler(runner, journal)))
//
// It shows Status, the partitions that block, the last fifty log lines and the owners of goroutines, as a page (/) and
// as JSON (/status.json, /goroutines.json), and it answers probes (/healthz, /readyz). It is read-only.
//
// It shows no secrets and no record values, and keys only with WithHeadKeys. It does show the texts of handlers' errors
// and has no authentication, so serve it on a port for operators only.
package diag

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/esm-go/esm/observe"
)

// Source is a mapping, such as an *esm.Runner.
type Source interface {
	Status() observe.Status
	Healthy() error
	Ready() <-chan struct{}
}

// Handler returns the pages of a mapping. With a nil journal they show no events.
func Handler(s Source, journal *Journal) http.Handler {
	h := &pages{source: s, journal: journal}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.page)
	mux.HandleFunc("GET /status.json", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, h.view()) })
	mux.HandleFunc("GET /goroutines.json", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, Goroutines()) })
	mux.HandleFunc("GET /healthz", h.healthz)
	mux.HandleFunc("GET /readyz", h.readyz)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		mux.ServeHTTP(w, r)
	})
}

type pages struct {
	source  Source
	journal *Journal
}

func (h *pages) view() view {
	s := h.source.Status()
	var events []Event
	if h.journal != nil {
		events = h.journal.Events()
	}
	return viewOf(&s, h.source.Healthy(), events)
}

func writeJSON(w http.ResponseWriter, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b.Bytes())
}

// healthz answers 200 while Healthy returns nil, else 503 with its error.
func (h *pages) healthz(w http.ResponseWriter, _ *http.Request) { answer(w, h.source.Healthy()) }

// readyz answers 200 when the first assignment has started and the mapping is enabled and healthy, else 503 with the reason.
func (h *pages) readyz(w http.ResponseWriter, _ *http.Request) {
	err := h.source.Healthy()
	s := h.source.Status()
	select {
	case <-h.source.Ready():
		if err == nil && s.State != observe.Enabled {
			err = fmt.Errorf("the mapping is %s (%s)", s.State, s.StateTransitionReason)
		}
	default:
		if err == nil {
			err = fmt.Errorf("no assignment of the group has been started yet; last result: %s", s.LastProcessingResult)
		}
	}
	answer(w, err)
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprintln(w, err)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}

func (h *pages) page(w http.ResponseWriter, _ *http.Request) {
	v := h.view()
	var b bytes.Buffer
	err := page.Execute(&b, struct {
		view
		Text       string
		Goroutines []Owner
	}{v, strings.TrimSpace(h.source.Status().String()), Goroutines()})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"at": func(t time.Time) string { return t.Format("2006-01-02 15:04:05") },
}).Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.FunctionName}} {{.State}}</title>
<style>body{font:14px/1.4 system-ui,sans-serif;margin:1.5em}table{border-collapse:collapse;margin-bottom:1.5em}th,td{border:1px solid #ccc;padding:.2em .5em;text-align:left;vertical-align:top}pre{background:#f4f4f4;padding:.7em;overflow-x:auto}h2{font-size:1.1em}</style>
</head><body>
<h1>{{.FunctionName}}</h1>
{{if .Healthy}}<p><strong>{{.Healthy}}</strong></p>{{end}}
<h2>Status</h2>
<pre>{{.Text}}</pre>
<h2>Who blocks: {{.Blocked}} of {{.Partitions}} {{if eq .Partitions 1}}partition{{else}}partitions{{end}}</h2>
<table><tr><th>partition<th>offset<th>waits for<th>since<th>key hash<th>key<th>bytes<th>age<th>lag<th>failures<th>first error<th>last error<th>condition</tr>
{{range .WhoBlocks}}<tr><td>{{.Partition}}<td>{{.Offset}}<td>{{.WaitsFor}}<td>{{at .Since}}<td>{{.KeyHash}}<td>{{.Key}}<td>{{.Bytes}}<td>{{.Age}}<td>{{.Lag}}<td>{{.Attempts}}<td>{{.FirstError}}<td>{{.LastError}}<td>{{.Condition}}</tr>
{{end}}</table>
<h2>Last events</h2>
<table><tr><th>time<th>level<th>what<th></tr>
{{range .Events}}<tr><td>{{at .Time}}<td>{{.Level}}<td>{{.What}}<td>{{.Attributes}}</tr>
{{end}}</table>
<h2>Goroutines</h2>
<table><tr><th>number<th>started by<th>in<th>doing</tr>
{{range .Goroutines}}<tr><td>{{.Count}}<td>{{.CreatedBy}}<td>{{.In}}<td>{{.Doing}}</tr>
{{end}}</table>
<p><a href="status.json">status.json</a> <a href="goroutines.json">goroutines.json</a> <a href="healthz">healthz</a> <a href="readyz">readyz</a></p>
</body></html>
`))
