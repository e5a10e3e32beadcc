package main

import (
	"net"
	"net/http"
	"slices"

	"github.com/esm-go/esm/internal/promtext"
	"github.com/esm-go/esm/manager"
)

// metrics serves /metrics with the series of every mapping that runs here.
func metrics(m *manager.Manager) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var all []promtext.Source
		mappings, _ := m.List(manager.Filter{})
		for _, d := range mappings {
			if r, err := m.Runner(d.Mapping.UUID); err == nil && r != nil { // it may have been deleted, or have no Runner
				all = append(all, r)
			}
		}
		w.Header().Set("Content-Type", promtext.ContentType)
		w.Header().Set("Cache-Control", "no-store")
		_ = promtext.Write(w, all) // the client may be gone
	})
}

// scraped restricts access to the metrics. If the console has a login, the metrics need it too. Without a login, only
// this machine may read them, and the Host must be one of its names: that keeps out foreign pages whose name resolves
// to this machine.
func (a *accessFlags) scraped(next http.Handler) http.Handler {
	if a.user != "" {
		return a.ask(next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.loopback || a.behindProxy {
			http.Error(w, "the metrics are for those who have the console's login; give esm serve -console-login", http.StatusForbidden)
			return
		}
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if names := append([]string{"localhost", "127.0.0.1", "::1", "[::1]"}, a.hosts...); !slices.Contains(names, host) {
			http.Error(w, "the Host of this request is not one by which this service may be called; -host lists them", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
