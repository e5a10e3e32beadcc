package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/esm-go/esm/manager"
)

// Bounds of a request: the time to read its body, and the time for the operation.
const (
	readTimeout      = 30 * time.Second
	operationTimeout = 30 * time.Second
)

type handler struct {
	m      *manager.Manager
	o      *options
	region string
	places chan struct{} // one place for each request in progress
}

// New creates the handler. Its error joins all problems with the options. Missing credentials are an error, unless
// WithoutAuthentication is set.
//
// The handler is safe for concurrent use and starts no goroutines. It can be mounted under a prefix with
// http.StripPrefix. Its server should set ReadHeaderTimeout; the handler itself bounds the rest of the request.
func New(m *manager.Manager, opts ...Option) (http.Handler, error) {
	o := newOptions(opts)
	if m == nil {
		o.errs = append(o.errs, errors.New("api: the manager is nil"))
	}
	if err := errors.Join(o.errs...); err != nil {
		return nil, err
	}
	return &handler{m: m, o: o, region: m.ARN().Region, places: make(chan struct{}, o.maxConcurrent)}, nil
}

// operation handles one kind of request. It returns the status and the value to encode as JSON, nil for no body.
type operation func(h *handler, ctx context.Context, r *request) (status int, answer any, err error)

// request is the input of an operation.
type request struct {
	id    string // the part of the path that names a resource, unescaped
	query url.Values
	body  []byte
}

// ServeHTTP handles a request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-Requestid", uuid.NewString())
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		h.fail(w, &failure{status: http.StatusTooManyRequests, name: "TooManyRequestsException", message: "Rate exceeded", header: http.Header{"Retry-After": {"1"}}})
		return
	}
	status, answer, err := h.serve(w, r)
	if err != nil {
		h.fail(w, h.failureOf(err, textUpdateInUse))
		return
	}
	h.answer(w, status, answer)
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) (int, any, error) {
	if f := h.guard(r); f != nil {
		return 0, nil, f
	}
	body, f := h.read(w, r)
	if f != nil {
		return 0, nil, f
	}
	if f := h.authenticate(r, body); f != nil {
		return 0, nil, f
	}
	op, id := route(r.Method, r.URL.EscapedPath())
	if op == nil {
		return 0, nil, unknownOperation(printable(r.Method))
	}
	if len(body) > 0 {
		if f := checkContentType(r); f != nil {
			return 0, nil, f
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return 0, nil, validation("The query of the request cannot be read.")
	}
	ctx, cancel := context.WithTimeout(r.Context(), operationTimeout)
	defer cancel()
	return op(h, ctx, &request{id: id, query: query, body: body})
}

// read reads the body, within the time and size limits.
func (h *handler) read(w http.ResponseWriter, r *http.Request) ([]byte, *failure) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout)) // not every ResponseWriter supports it
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.o.maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &failure{status: http.StatusRequestEntityTooLarge, name: "RequestTooLargeException", message: "Request must be smaller than " + strconv.FormatInt(h.o.maxBody, 10) + " bytes"}
	case err != nil:
		return nil, &failure{status: http.StatusBadRequest, name: "InvalidRequestContentException", message: "The request body could not be read: it broke off, or took too long."}
	}
	return body, nil
}

// route returns the operation for a path. It compares the escaped path, so an escaped slash does not separate segments.
func route(method, escaped string) (op operation, id string) {
	const mappings, tags, functions = "/2015-03-31/event-source-mappings", "/2017-03-31/tags/", "/2015-03-31/functions/"
	if escaped == mappings || escaped == mappings+"/" {
		return map[string]operation{http.MethodPost: (*handler).create, http.MethodGet: (*handler).list}[method], ""
	}
	for _, room := range []struct {
		prefix string
		ops    map[string]operation
	}{
		{mappings + "/", map[string]operation{http.MethodGet: (*handler).get, http.MethodPut: (*handler).update, http.MethodDelete: (*handler).remove}},
		{tags, map[string]operation{http.MethodGet: (*handler).listTags, http.MethodPost: (*handler).tag, http.MethodDelete: (*handler).untag}},
		{functions, map[string]operation{http.MethodGet: (*handler).getFunction}},
	} {
		rest, ok := strings.CutPrefix(escaped, room.prefix)
		if !ok {
			continue
		}
		configuration := false
		if room.prefix == functions {
			rest, configuration = strings.CutSuffix(rest, "/configuration")
		}
		id, err := url.PathUnescape(rest)
		if err != nil || rest == "" || strings.Contains(rest, "/") {
			return nil, ""
		}
		if configuration && method == http.MethodGet {
			return (*handler).getFunctionConfiguration, id
		}
		return room.ops[method], id
	}
	return nil, ""
}

// answer writes the result of an operation.
func (h *handler) answer(w http.ResponseWriter, status int, answer any) {
	if answer == nil {
		w.WriteHeader(status)
		return
	}
	var body strings.Builder
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // filter patterns contain < and >
	if err := encoder.Encode(answer); err != nil {
		h.fail(w, h.failureOf(err, ""))
		return
	}
	h.write(w, status, []byte(strings.TrimSuffix(body.String(), "\n")))
}

func (h *handler) fail(w http.ResponseWriter, f *failure) {
	maps.Copy(w.Header(), f.header)
	w.Header().Set("X-Amzn-Errortype", f.name)
	h.write(w, f.status, f.body())
}

func (h *handler) write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}
