package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/esm-go/esm/function"
)

const apiPath = "/2018-06-01/runtime/"

// server is Lambda's Runtime API for one worker.
type server struct {
	w    *worker
	host string
	port *net.TCPAddr
	http *http.Server
	done sync.WaitGroup // Serve and every connection
}

type peerKey struct{}

// peer is what is known about the other end of a connection.
type peer struct {
	once    sync.Once
	allowed bool
}

func newServer(w *worker, listener net.Listener) *server {
	s := &server{w: w, host: listener.Addr().String(), port: listener.Addr().(*net.TCPAddr)}
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    2 << 20, // interface clients send stack traces in a header, up to 1 MB
		ErrorLog:          slog.NewLogLogger(w.pool.set.log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, new(peer))
		},
		ConnState: func(_ net.Conn, c http.ConnState) {
			switch c {
			case http.StateNew:
				s.done.Add(1)
			case http.StateClosed, http.StateHijacked:
				s.done.Done()
			}
		},
	}
	s.done.Go(func() { _ = s.http.Serve(listener) }) // close ends it
	return s
}

// close ends the server and waits for its goroutines. The worker's process has ended, or never started.
func (s *server) close() {
	_ = s.http.Close() // the connections go with the process
	s.done.Wait()
}

// ServeHTTP answers one request of the Runtime API.
func (s *server) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if reason := s.refuse(r); reason != "" {
		s.w.pool.set.log.Warn("a request to a worker's port was refused", "function", s.w.pool.config.FunctionName, "worker", s.w.number, "reason", reason)
		rw.Header().Set("Connection", "close")
		fail(rw, http.StatusForbidden, "Forbidden", reason)
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, apiPath)
	id, isInvocation := strings.CutPrefix(rest, "invocation/")
	switch {
	case !ok:
		fail(rw, http.StatusNotFound, "NotFound", "only the Runtime API is served here, not extensions")
	case r.Method == http.MethodGet && rest == "invocation/next":
		s.next(rw, r)
	case r.Method == http.MethodPost && rest == "init/error":
		s.initError(rw, r)
	case r.Method == http.MethodPost && isInvocation && strings.HasSuffix(id, "/response"):
		s.answer(rw, r, strings.TrimSuffix(id, "/response"), false)
	case r.Method == http.MethodPost && isInvocation && strings.HasSuffix(id, "/error"):
		s.answer(rw, r, strings.TrimSuffix(id, "/error"), true)
	default:
		fail(rw, http.StatusNotFound, "NotFound", "no such path of the Runtime API")
	}
}

// refuse returns why a request is not from the worker, or "" if it is.
func (s *server) refuse(r *http.Request) string {
	if r.Host != s.host {
		return "the Host is not this port's address"
	}
	if r.Header.Get("Origin") != "" {
		return "it comes from a web page"
	}
	p, ok := r.Context().Value(peerKey{}).(*peer)
	if !ok {
		return "its connection is not known"
	}
	p.once.Do(func() {
		p.allowed = s.w.pool.set.anyPeer || s.ofWorker(r.RemoteAddr)
	})
	if !p.allowed {
		return "it does not come from the worker's process group"
	}
	return ""
}

// ofWorker reports whether the other end of a connection is a process of the worker.
func (s *server) ofWorker(address string) bool {
	remote, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return false
	}
	<-s.w.launched // a fast worker may ask before its process ID is known here
	s.w.pool.mu.Lock()
	process := s.w.process
	s.w.pool.mu.Unlock()
	return process != nil && ownsSocket(process.Pid, remote, s.port)
}

// next returns an invocation to the worker, when there is one.
func (s *server) next(rw http.ResponseWriter, r *http.Request) {
	w, p := s.w, s.w.pool
	c, reason := w.ask()
	if reason != "" {
		fail(rw, http.StatusForbidden, "InvalidStateTransition", reason)
		return
	}
	if c == nil {
		select {
		case c = <-w.work:
		case <-r.Context().Done():
			w.stopAsking()
			return
		}
	}
	deadline := time.Now().Add(p.config.Timeout)
	if !c.deadline.IsZero() && c.deadline.Before(deadline) {
		deadline = c.deadline
	}
	h := rw.Header()
	h.Set("Lambda-Runtime-Aws-Request-Id", c.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", p.name.ARN())
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(c.payload)))
	if _, err := rw.Write(c.payload); err != nil {
		w.lost(c, fmt.Errorf("%w: handing it to worker %d: %w", function.ErrNotInvoked, w.number, err))
	}
}

// ask records that the worker asks for an invocation. It returns a waiting one, if any, or why the worker may not ask.
func (w *worker) ask() (c *call, refused string) {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	switch w.state {
	case ending:
		return nil, "the worker is being ended"
	case idleState:
		return nil, "State transition is not allowed: it asks for the next invocation already"
	case busyState:
		if w.call != nil {
			w.call.finish(result{answer: sandboxError("Runtime.InvalidStateTransition", "RequestId: "+w.call.id+" Error: the runtime asked for the next invocation and had not answered this one")})
			w.call = nil
		}
		w.state = ending
		w.kill()
		return nil, "State transition is not allowed: the invocation at hand has no answer"
	}
	if w.state == starting {
		p.failures, p.lastInit = 0, nil
		p.announce()
	}
	now := time.Now()
	w.state, w.since, w.idleSince = idleState, now, now
	if len(p.waiting) > 0 {
		c = p.waiting[0]
		p.waiting = slicesShift(p.waiting)
		w.assign(c)
		<-w.work // c was just put there
		return c, ""
	}
	p.idle = append(p.idle, w)
	p.nudge() // the idle time begins
	return nil, ""
}

// stopAsking records that the worker's request for an invocation was canceled.
func (w *worker) stopAsking() {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.state == idleState {
		w.leaveIdle()
		w.state, w.since = answered, time.Now() // it may ask again
		p.nudge()
		return
	}
	select {
	case c := <-w.work: // assigned, but not delivered
		if w.call == c {
			w.call = nil
			c.finish(result{err: fmt.Errorf("%w: worker %d went away", function.ErrNotInvoked, w.number)})
			w.state, w.since = answered, time.Now()
		}
	default:
	}
}

// lost ends a call that did not reach the worker, or whose answer broke off, with an error. It also ends the worker.
func (w *worker) lost(c *call, err error) {
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	if w.call != c {
		return
	}
	w.call = nil
	w.state = ending
	w.kill()
	c.finish(result{err: err})
}

// answer handles a worker's answer to an invocation, or the error of one.
func (s *server) answer(rw http.ResponseWriter, r *http.Request, id string, failed bool) {
	w, p := s.w, s.w.pool
	p.mu.Lock()
	c := w.call
	p.mu.Unlock()
	if c == nil || c.id != id {
		fail(rw, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
		return
	}
	if strings.EqualFold(r.Header.Get("Lambda-Runtime-Function-Response-Mode"), "streaming") {
		w.settle(c, sandboxError("Runtime.InvalidResponseMode", "RequestId: "+id+" Error: a streamed response cannot answer an event source mapping"))
		fail(rw, http.StatusForbidden, "InvalidResponseMode", "response streaming is not supported")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, int64(p.limit)))
	switch tooLarge := new(http.MaxBytesError); {
	case errors.As(err, &tooLarge):
		w.settle(c, sandboxError("Function.ResponseSizeTooLarge", fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", p.limit)))
		fail(rw, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "Exceeded maximum allowed payload size")
		return
	case err != nil:
		w.lost(c, fmt.Errorf("the answer of worker %d broke off: %w", w.number, err))
		return
	}
	answer := function.Answer{Payload: body}
	if failed {
		answer.FunctionError = function.Unhandled
		if kind, message := function.ErrorText(body); kind == "" {
			answer.Payload = errorBody(r.Header.Get("Lambda-Runtime-Function-Error-Type"), message)
		}
	}
	w.settle(c, answer)
	accept(rw)
}

// settle gives a call its answer.
func (w *worker) settle(c *call, answer function.Answer) {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.call != c { // it was aborted in the meantime
		return
	}
	w.call = nil
	w.state, w.since = answered, time.Now()
	w.invocations++
	p.counts.invocations++
	if answer.FunctionError != "" {
		p.counts.errors++
	}
	c.finish(result{answer: answer})
}

// initError records why a worker's initialization failed. The worker then exits, or is killed.
func (s *server) initError(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, 1<<20))
	if err != nil {
		body = nil
	}
	w, p := s.w, s.w.pool
	p.mu.Lock()
	refused := w.state != starting
	if !refused {
		w.initError = newInitError(body, r.Header.Get("Lambda-Runtime-Function-Error-Type"))
		w.state, w.since = ending, time.Now()
	}
	p.mu.Unlock()
	p.nudge()
	if refused {
		fail(rw, http.StatusForbidden, "InvalidStateTransition", "State transition is not allowed")
		return
	}
	accept(rw)
}

func accept(rw http.ResponseWriter) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(rw, `{"status":"OK"}`+"\n") // the worker may be gone
}

func fail(rw http.ResponseWriter, status int, kind, message string) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_, _ = rw.Write(errorBody(kind, message)) // the worker may be gone
}

// slicesShift removes the first element in place.
func slicesShift(s []*call) []*call {
	n := copy(s, s[1:])
	s[n] = nil
	return s[:n]
}
