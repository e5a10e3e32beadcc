package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// pages are the templates: each page with the layout.
var pages = parsePages("list", "mapping", "form", "filter", "delete", "reset", "partition", "error")

var functions = template.FuncMap{
	"number": number, "ago": ago, "stamp": stamp, "lines": strings.Fields,
	"field": func(v formView, name string) fieldView { return v.field(name) },
}

func parsePages(names ...string) map[string]*template.Template {
	all := make(map[string]*template.Template)
	for _, name := range names {
		t := template.New(name).Funcs(functions)
		all[name] = template.Must(t.ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/"+name+".html"))
	}
	return all
}

// view is the input of the layout.
type view struct {
	Base, Title string
	ReadOnly    bool
	Page        any
}

// render writes a page. It executes the template before it sends the first byte, so that an error cannot leave half a
// page.
func (c *console) render(w http.ResponseWriter, status int, page, title string, data any) {
	c.write(w, status, page, "layout", view{Base: c.o.prefix, Title: title, ReadOnly: c.o.readOnly, Page: data})
}

// part writes a part of a page.
func (c *console) part(w http.ResponseWriter, page, part string, data any) {
	c.write(w, http.StatusOK, page, part, data)
}

func (c *console) write(w http.ResponseWriter, status int, page, part string, data any) {
	var body bytes.Buffer
	if err := pages[page].ExecuteTemplate(&body, part, data); err != nil {
		c.o.logger.Error("the console could not render a page", "page", page, "err", err)
		http.Error(w, "This page cannot be shown; see the service's log.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the browser may be gone
}

// static serves the console's own files. A browser may cache them, but must revalidate them.
func static() http.Handler {
	files, err := fs.Sub(staticFiles, "static")
	if err != nil {
		return http.NotFoundHandler() // cannot happen: the files are embedded
	}
	server := http.StripPrefix("/static/", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		server.ServeHTTP(w, r)
	})
}

// number formats a count with commas between thousands, "–" if it is unknown.
func number(n int64) string {
	if n < 0 {
		return "–"
	}
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// rate formats a number per second.
func rate(r float64) string {
	switch {
	case r == 0:
		return "0 / s"
	case r < 10:
		return fmt.Sprintf("%.1f / s", r)
	}
	return number(int64(r+0.5)) + " / s"
}

// ago formats how long ago a time was, "–" if it is zero.
func ago(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return span(time.Since(t)) + " ago"
}

// span formats a duration in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func bytesText(n int) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
