package api

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
)

// calledBy returns the host that the client called, as the client signed it.
func (h *handler) calledBy(r *http.Request) string {
	if h.o.forwarded {
		if host := r.Header.Get("X-Forwarded-Host"); host != "" {
			return host
		}
	}
	return r.Host
}

// guard rejects requests that a foreign page may have made a browser send.
func (h *handler) guard(r *http.Request) *failure {
	host := h.calledBy(r)
	if !slices.Contains(h.o.hosts, "*") && !slices.Contains(h.o.hosts, hostName(host)) {
		return forbidden("The Host of this request is not one by which this service may be called; its operator lists them (WithHosts).")
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host != host {
			return forbidden("A request from a page of another origin is refused.")
		}
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return forbidden("A request from a page of another site is refused.")
	}
	return nil
}

func forbidden(message string) *failure {
	return &failure{status: http.StatusForbidden, name: "AccessDeniedException", message: message}
}

// checkContentType rejects bodies that are not declared as JSON: a form on a page cannot declare that.
func checkContentType(r *http.Request) *failure {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return &failure{status: http.StatusUnsupportedMediaType, name: "UnsupportedMediaTypeException", message: "The Content-Type of the request body must be application/json."}
	}
	return nil
}
