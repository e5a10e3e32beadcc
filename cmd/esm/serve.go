package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/destination/resolve"
	"github.com/esm-go/esm/manager"
	"github.com/esm-go/esm/manager/store/files"
)

func serveCommand() command {
	return command{name: "serve", summary: "run mappings, with Lambda's API and a console", run: runServe}
}

// serveFlags are the command's flags.
type serveFlags struct {
	listen, store, functions string
	arn                      manager.ARN
	plaintext                bool
	stop                     time.Duration
	bufferMB                 int
	pollerLog                string
	access                   accessFlags
}

const serveUsage = `Usage: esm serve -store DIR -functions FILE [flags]

Runs the event source mappings that DIR holds, one JSON file each, and serves
  /2015-03-31/…  Lambda's API: aws lambda create-event-source-mapping --endpoint-url http://127.0.0.1:9001 …
  /console/      a console for browsers
  /healthz       200 while the store can be followed
  /readyz        200 once the stored mappings are being started
  /metrics       what Prometheus scrapes, with the login of the console where there is one

FILE (YAML) names what is invoked:
  functions:
    - name: orders
      runtime: {command: [python3, -m, awslambdaric, app.handler], directory: ./orders, environment: {STAGE: test}}
    - name: billing
      url: http://127.0.0.1:8080/2015-03-31/functions/function/invocations
    - name: audit
      lambda: arn:aws:lambda:eu-west-1:123456789012:function:audit
  secrets: {files: /run/secrets}   # file:NAME; also env: true (env:NAME) and aws: true (arn:…)
  allowed: {servers: ["*.example.com:9092"]}   # also secrets, destinations, registries

On an address that others can reach it wants API keys, TLS or a proxy, the names it is called by, and a login for the
console or -no-console.

Flags:
`

func parseServe(args []string, out io.Writer) (*serveFlags, error) {
	f := new(serveFlags)
	set := flag.NewFlagSet("serve", flag.ContinueOnError)
	set.SetOutput(out)
	set.Usage = func() {
		_, _ = io.WriteString(out, serveUsage)
		set.PrintDefaults()
	}
	set.StringVar(&f.listen, "listen", "127.0.0.1:9001", "the `address` to listen on")
	set.StringVar(&f.store, "store", "", "the `directory` of mappings; it is made where it is missing")
	set.StringVar(&f.functions, "functions", "", "the `file` of functions")
	set.StringVar(&f.arn.Region, "region", "us-east-1", "the Region of ARNs")
	set.StringVar(&f.arn.Account, "account", "000000000000", "the account of ARNs")
	set.BoolVar(&f.plaintext, "plaintext", false, "allow mappings without SourceAccessConfigurations, which AWS refuses")
	set.DurationVar(&f.stop, "stop-timeout", 25*time.Second, "how `long` a stop may take in all, at least 1s")
	set.IntVar(&f.bufferMB, "buffer", 512, "`MiB` of memory for records that all mappings share")
	set.StringVar(&f.pollerLog, "poller-log", "", "the `file` that the poller logs of mappings with a SystemLogLevel are appended to, as AWS Lambda's lines of JSON; - is the standard output")
	f.access.add(set)
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case set.NArg() > 0:
		return nil, fmt.Errorf("unknown argument %q", set.Arg(0))
	case f.store == "":
		return nil, errors.New("-store is missing: the directory of mappings")
	case f.functions == "":
		return nil, errors.New("-functions is missing: the file that names the functions")
	case f.stop < time.Second:
		return nil, fmt.Errorf("-stop-timeout %v: want at least 1s", f.stop)
	case f.bufferMB < 1:
		return nil, fmt.Errorf("-buffer %d: want 1 or more", f.bufferMB)
	}
	return f, f.access.complete(f.listen)
}

// runServe runs the command.
func runServe(ctx context.Context, args []string, s streams) int {
	f, err := parseServe(args, s.err)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		_, _ = fmt.Fprintf(s.err, "esm serve: %v\nesm serve -h shows the flags.\n", err)
		return exitUsage
	}
	if err := f.serve(ctx, s); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			_, _ = fmt.Fprintf(s.err, "esm serve: %s\n", line)
		}
		return exitFailed
	}
	return exitOK
}

func (f *serveFlags) serve(ctx context.Context, s streams) (err error) {
	logger := slog.New(slog.NewTextHandler(s.err, nil))
	config, err := readServiceConfig(f.functions)
	if err != nil {
		return err
	}
	fleet, err := newFleet(ctx, config, logger)
	if err != nil {
		return err
	}
	defer fleet.end(f.stop)
	mappings, err := files.Open(f.store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mappings.Close()) }()
	pollerLog, endLog, err := f.openPollerLog(s.out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, endLog()) }()
	m, err := manager.New(mappings, fleet, manager.WithLogger(logger), manager.WithARN(f.arn), manager.WithAllowed(config.allowed), manager.WithPollerLog(pollerLog),
		manager.WithBufferBytes(f.bufferMB<<20), manager.WithRunnerOptionsFor(func(m esm.Mapping) []esm.Option {
			return append(fleet.follow(m), esm.WithSecrets(fleet.secrets), esm.WithDestinations(resolve.New()), esm.WithStopTimeout(f.stop-f.reserve()))
		}))
	if err != nil {
		return err
	}
	handler, err := f.handler(m, fleet, logger)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.listen)
	if err != nil {
		return err
	}
	return f.run(ctx, s, m, fleet, handler, listener)
}

// openPollerLog opens the file or stream for the poller logs, nil if there is none.
func (f *serveFlags) openPollerLog(standard io.Writer) (out io.Writer, end func() error, err error) {
	end = func() error { return nil }
	switch f.pollerLog {
	case "":
		return nil, end, nil
	case "-":
		return standard, end, nil
	}
	file, err := os.OpenFile(f.pollerLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("-poller-log: %w", err)
	}
	return file, file.Close, nil
}

// reserve is the part of the stop timeout that is reserved for what follows the mappings' stop: a tenth.
func (f *serveFlags) reserve() time.Duration { return f.stop / 10 }

// run serves until ctx ends or the listener fails, then stops everything within the stop timeout.
func (f *serveFlags) run(ctx context.Context, s streams, m *manager.Manager, fleet *fleet, handler http.Handler, listener net.Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	requests, endRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer endRequests()
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	var group sync.WaitGroup
	var served, ran error
	group.Go(func() {
		defer stop()
		if err := f.access.serve(server, listener); !errors.Is(err, http.ErrServerClosed) {
			served = err
		}
	})
	group.Go(func() {
		defer stop()
		ran = m.Run(ctx)
	})
	_, _ = fmt.Fprintf(s.out, "esm serves %s://%s/ with %d functions\n", f.access.scheme(), listener.Addr(), fleet.len())
	<-ctx.Done()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.stop)
	defer cancel()
	endRequests() // streams to browsers do not end by themselves
	closed := server.Shutdown(limit)
	if closed != nil {
		closed = errors.Join(closed, server.Close())
	}
	group.Wait()
	fleet.stop(limit)
	if served != nil {
		return served
	}
	return errors.Join(ran, closed)
}

// health serves /healthz and /readyz.
func health(m *manager.Manager, mux *http.ServeMux) {
	answer := func(w http.ResponseWriter, err error) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprintln(w, "the mappings cannot be followed; the log says why")
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, m.Healthy()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-m.Ready():
			answer(w, m.Healthy())
		default:
			answer(w, manager.ErrNotRunning)
		}
	})
}

// readLines returns the lines of a file, or of an environment variable if no file is named, without empty lines and
// comments.
func readLines(file, variable string) ([]string, error) {
	text := os.Getenv(variable)
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		text = string(data)
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines, nil
}
