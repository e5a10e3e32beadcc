package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/esm-go/esm/manager"
)

// Bounds of a request.
const (
	mostBody         = 1 << 20
	readTimeout      = 30 * time.Second
	operationTimeout = 30 * time.Second
)

type console struct {
	m       *manager.Manager
	o       *options
	sampler *sampler
	streams chan struct{} // one place for each browser that receives live updates
	mux     *http.ServeMux
}

// New creates the handler. Its error joins all problems with the options. The handler is safe for concurrent use and
// starts no goroutines: while no browser is connected, it does nothing.
func New(m *manager.Manager, opts ...Option) (http.Handler, error) {
	o := newOptions(opts)
	if m == nil {
		o.errs = append(o.errs, errors.New("console: the manager is nil"))
	}
	if err := errors.Join(o.errs...); err != nil {
		return nil, err
	}
	c := &console{m: m, o: o, sampler: newSampler(m), streams: make(chan struct{}, 256), mux: http.NewServeMux()}
	c.routes()
	return c.guard(c.mux), nil
}

func (c *console) routes() {
	page := func(pattern string, f func(http.ResponseWriter, *http.Request) error) {
		c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := f(w, r); err != nil {
				c.fail(w, r, err)
			}
		})
	}
	at := func(method, path string) string { return method + " " + c.o.prefix + path }
	page(at("GET", "/{$}"), c.list)
	page(at("GET", "/live"), c.live)
	page(at("GET", "/filter"), c.filterPage)
	page(at("POST", "/filter"), c.tryFilter)
	page(at("GET", "/mappings/{id}"), c.mapping)
	c.mux.Handle(at("GET", "/static/"), http.StripPrefix(c.o.prefix, static()))
	if c.o.prefix != "" {
		c.mux.Handle(at("GET", "/"), http.NotFoundHandler())
		c.mux.Handle("GET "+c.o.prefix, http.RedirectHandler(c.o.prefix+"/", http.StatusSeeOther))
	}
	if c.o.readOnly {
		page(at("POST", "/"), func(http.ResponseWriter, *http.Request) error { return errReadOnly })
		return
	}
	page(at("GET", "/add"), c.addPage)
	page(at("POST", "/add"), c.add)
	page(at("POST", "/validate"), c.validate)
	page(at("POST", "/test"), c.testConnection)
	page(at("GET", "/mappings/{id}/edit"), c.editPage)
	page(at("POST", "/mappings/{id}/edit"), c.edit)
	page(at("POST", "/mappings/{id}/enable"), c.enable(true))
	page(at("POST", "/mappings/{id}/disable"), c.enable(false))
	page(at("GET", "/mappings/{id}/delete"), c.deletePage)
	page(at("POST", "/mappings/{id}/delete"), c.delete)
	page(at("GET", "/mappings/{id}/reset"), c.resetPage)
	page(at("POST", "/mappings/{id}/reset"), c.reset)
	page(at("GET", "/mappings/{id}/partition"), c.partition)
	page(at("POST", "/mappings/{id}/partition/pause"), c.onPartition("pause", pausePartition))
	page(at("POST", "/mappings/{id}/partition/resume"), c.onPartition("resume", resumePartition))
	page(at("POST", "/mappings/{id}/partition/seek"), c.onPartition("seek", seekPartition))
	page(at("POST", "/mappings/{id}/partition/skip"), c.onPartition("skip", skipRecord))
}

// policy allows pages to load only what the console itself serves.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// guard rejects requests that a foreign page may have made a browser send, and sets the headers of every answer.
func (c *console) guard(next http.Handler) http.Handler {
	checkOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if c.o.forwarded {
			if host := r.Header.Get("X-Forwarded-Host"); host != "" {
				r = r.Clone(r.Context())
				r.Host = host
			}
		}
		if !slices.Contains(c.o.hosts, "*") && !slices.Contains(c.o.hosts, hostName(r.Host)) {
			c.fail(w, r, &pageError{status: http.StatusForbidden, text: "The Host of this request is not one by which this service may be called; its operator lists them."})
			return
		}
		if err := checkOrigin.Check(r); err != nil {
			c.fail(w, r, &pageError{status: http.StatusForbidden, text: "A request from a page of another site is refused."})
			return
		}
		if r.Method == http.MethodPost {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout)) // not every ResponseWriter supports it
			r.Body = http.MaxBytesReader(w, r.Body, mostBody)
			if err := r.ParseForm(); err != nil {
				c.fail(w, r, &pageError{status: http.StatusBadRequest, text: "The form cannot be read: it broke off, or is larger than 1 MiB."})
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// pageError is an error with an HTTP status.
type pageError struct {
	status int
	text   string
}

func (e *pageError) Error() string { return e.text }

var errReadOnly = &pageError{status: http.StatusForbidden, text: "This console shows mappings and changes none."}

// fail answers with the page for an error.
func (c *console) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, known := errors.AsType[*pageError](err)
	switch {
	case known:
	case errors.Is(err, manager.ErrNotFound):
		e = &pageError{http.StatusNotFound, "There is no such mapping. It may have been deleted."}
	case errors.Is(err, manager.ErrInUse):
		e = &pageError{http.StatusConflict, "The mapping is being deleted."}
	case errors.Is(err, manager.ErrNotRunning), errors.Is(err, context.DeadlineExceeded):
		e = &pageError{http.StatusServiceUnavailable, "The mappings cannot be changed now: the service starts or stops, or its store does not answer."}
	case r.Context().Err() != nil:
		return // the browser is gone
	default:
		c.o.logger.Error("the console could not answer", "path", r.URL.Path, "err", err)
		e = &pageError{http.StatusInternalServerError, "This failed; see the service's log."}
	}
	c.render(w, e.status, "error", "Error", e)
}

// done redirects the browser after a change, and makes sure that the next page shows it.
func (c *console) done(w http.ResponseWriter, r *http.Request, path string) {
	c.sampler.expire()
	http.Redirect(w, r, c.o.prefix+path, http.StatusSeeOther)
}

// operation returns the context for a change.
func operation(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), operationTimeout)
}
