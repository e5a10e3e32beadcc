package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/api"
)

// keysVariable is the environment variable that stands in for a file.
const keysVariable = "ESM_API_KEYS"

// accessFlags say who may call.
type accessFlags struct {
	keys             string
	certificate, key string
	behindProxy      bool
	hosts            texts
	// loopback: nobody but this machine reaches the listener.
	loopback    bool
	credentials []api.Credentials
}

func (a *accessFlags) add(set *flag.FlagSet) {
	set.StringVar(&a.keys, "api-keys", "", "a `file` of lines ACCESS_KEY_ID:SECRET, with which requests to the API are signed; also "+keysVariable)
	set.StringVar(&a.certificate, "tls-cert", "", "the `file` of the TLS certificate chain")
	set.StringVar(&a.key, "tls-key", "", "the `file` of its private key")
	set.BoolVar(&a.behindProxy, "behind-proxy", false, "a proxy speaks TLS to clients, and alone reaches this listener; X-Forwarded-Host is trusted")
	set.Var(&a.hosts, "host", "a `name` by which clients call; may be repeated; default localhost, 127.0.0.1 and ::1")
}

// complete reads what the flags name, and refuses what would let anybody in.
func (a *accessFlags) complete(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("-listen %q: want host:port, such as 127.0.0.1:9001", listen)
	}
	ip := net.ParseIP(host)
	a.loopback = host == "localhost" || ip != nil && ip.IsLoopback()
	keys, err := readLines(a.keys, keysVariable)
	if err != nil {
		return fmt.Errorf("-api-keys: %w", err)
	}
	for i, line := range keys {
		id, secret, ok := strings.Cut(line, ":")
		if !ok || id == "" || secret == "" {
			return fmt.Errorf("-api-keys: entry %d: want ACCESS_KEY_ID:SECRET", i+1)
		}
		a.credentials = append(a.credentials, api.Credentials{AccessKeyID: id, SecretAccessKey: auth.NewSecret(secret)})
	}
	if (a.certificate == "") != (a.key == "") {
		return errors.New("-tls-cert and -tls-key: give both or none")
	}
	if a.loopback && !a.behindProxy {
		return nil
	}
	var errs []error
	for _, missing := range []struct {
		is   bool
		what string
	}{
		{len(a.credentials) == 0, "-api-keys FILE (or " + keysVariable + "): who may call the API"},
		{a.certificate == "" && !a.behindProxy, "-tls-cert and -tls-key, or -behind-proxy: what is said must not cross a network as it is"},
		{len(a.hosts) == 0, "-host NAME: the names by which clients call"},
	} {
		if missing.is {
			errs = append(errs, fmt.Errorf("-listen %s can be reached by others; give %s", listen, missing.what))
		}
	}
	return errors.Join(errs...)
}

func (a *accessFlags) scheme() string {
	if a.certificate != "" {
		return "https"
	}
	return "http"
}

func (a *accessFlags) serve(server *http.Server, l net.Listener) error {
	if a.certificate == "" {
		return server.Serve(l)
	}
	server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	return server.ServeTLS(l, a.certificate, a.key)
}

// handler is everything that is served.
func (f *serveFlags) handler(m *manager.Manager, logger *slog.Logger) (http.Handler, error) {
	a := &f.access
	apiOptions := []api.Option{api.WithLogger(logger)}
	if len(a.hosts) > 0 {
		apiOptions = append(apiOptions, api.WithHosts(a.hosts...))
	}
	if a.behindProxy {
		apiOptions = append(apiOptions, api.WithForwardedHost())
	}
	if f.plaintext {
		apiOptions = append(apiOptions, api.WithPlaintext())
	}
	if len(a.credentials) > 0 {
		apiOptions = append(apiOptions, api.WithCredentials(a.credentials...))
	} else {
		apiOptions = append(apiOptions, api.WithoutAuthentication())
	}
	lambda, err := api.New(m, apiOptions...)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	health(m, mux)
	return paths(mux, lambda), nil
}

// paths gives Lambda's paths to its handler as they came: a mux would clean them first.
func paths(mux, lambda http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/", "/healthz", "/readyz":
			mux.ServeHTTP(w, r)
		default:
			lambda.ServeHTTP(w, r)
		}
	})
}
