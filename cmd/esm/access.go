package main

import (
	"crypto/sha256"
	"crypto/subtle"
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
	"github.com/esm-go/esm/manager/console"
)

// The environment variables that can replace files.
const (
	keysVariable  = "ESM_API_KEYS"
	loginVariable = "ESM_CONSOLE_LOGIN"
)

// accessFlags are the flags that control access.
type accessFlags struct {
	keys, login         string
	certificate, key    string
	behindProxy         bool
	noConsole, readOnly bool
	hosts               texts
	// loopback reports whether only this machine can reach the listener.
	loopback    bool
	credentials []api.Credentials
	user        string
	password    auth.Secret
}

func (a *accessFlags) add(set *flag.FlagSet) {
	set.StringVar(&a.keys, "api-keys", "", "a `file` of lines ACCESS_KEY_ID:SECRET, with which requests to the API are signed; also "+keysVariable)
	set.StringVar(&a.login, "console-login", "", "a `file` with one line USER:PASSWORD, which the console asks for; also "+loginVariable)
	set.StringVar(&a.certificate, "tls-cert", "", "the `file` of the TLS certificate chain")
	set.StringVar(&a.key, "tls-key", "", "the `file` of its private key")
	set.BoolVar(&a.behindProxy, "behind-proxy", false, "a proxy speaks TLS to clients, and alone reaches this listener; X-Forwarded-Host is trusted")
	set.BoolVar(&a.noConsole, "no-console", false, "serve no console")
	set.BoolVar(&a.readOnly, "read-only-console", false, "the console shows, and changes nothing")
	set.Var(&a.hosts, "host", "a `name` by which clients call; may be repeated; default localhost, 127.0.0.1 and ::1")
}

// complete reads the files that the flags name, and rejects a configuration that would let anyone in.
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
	login, err := readLines(a.login, loginVariable)
	if err != nil {
		return fmt.Errorf("-console-login: %w", err)
	}
	if len(login) > 0 {
		user, password, ok := strings.Cut(login[0], ":")
		if !ok || user == "" || password == "" || len(login) > 1 {
			return errors.New("-console-login: want one line USER:PASSWORD")
		}
		a.user, a.password = user, auth.NewSecret(password)
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
		{a.certificate == "" && !a.behindProxy, "-tls-cert and -tls-key, or -behind-proxy: keys and logins must not cross a network as they are"},
		{a.user == "" && !a.noConsole, "-console-login FILE (or " + loginVariable + "), or -no-console: who may use the console"},
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

// handler returns the handler for everything that is served.
func (f *serveFlags) handler(m *manager.Manager, fleet *fleet, logger *slog.Logger) (http.Handler, error) {
	a := &f.access
	apiOptions := []api.Option{api.WithLogger(logger)}
	consoleOptions := []console.Option{console.WithLogger(logger), console.WithPrefix("/console"), console.WithSecrets(fleet.secrets),
		console.WithFunctions(fleet.names...)}
	if len(a.hosts) > 0 {
		apiOptions, consoleOptions = append(apiOptions, api.WithHosts(a.hosts...)), append(consoleOptions, console.WithHosts(a.hosts...))
	}
	if a.behindProxy {
		apiOptions, consoleOptions = append(apiOptions, api.WithForwardedHost()), append(consoleOptions, console.WithForwardedHost())
	}
	if f.plaintext {
		apiOptions, consoleOptions = append(apiOptions, api.WithPlaintext()), append(consoleOptions, console.WithPlaintext())
	}
	if a.readOnly {
		consoleOptions = append(consoleOptions, console.WithReadOnly())
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
	mux.Handle("GET /metrics", a.scraped(metrics(m)))
	if !a.noConsole {
		pages, err := console.New(m, consoleOptions...)
		if err != nil {
			return nil, err
		}
		mux.Handle("/console/", a.ask(pages))
		mux.Handle("GET /{$}", http.RedirectHandler("/console/", http.StatusSeeOther))
	}
	return paths(mux, lambda), nil
}

// paths passes Lambda's paths to their handler unchanged; a mux would clean them first.
func paths(mux, lambda http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/", path == "/healthz", path == "/readyz", path == "/metrics", path == "/console", strings.HasPrefix(path, "/console/"):
			mux.ServeHTTP(w, r)
		default:
			lambda.ServeHTTP(w, r)
		}
	})
}

// ask requires the console's login, if there is one.
func (a *accessFlags) ask(next http.Handler) http.Handler {
	if a.user == "" {
		return next
	}
	wanted := sha256.Sum256([]byte(a.user + ":" + a.password.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		given := sha256.Sum256([]byte(user + ":" + password))
		if subtle.ConstantTimeCompare(given[:], wanted[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="esm", charset="UTF-8"`)
			http.Error(w, "log in", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
