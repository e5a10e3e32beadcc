// Command esm-keda-scaler serves KEDA's external scaler contract: it answers how many replicas a service that
// reads Kafka should have. See docs/keda.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/esm-go/esm/keda"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stderr, nil)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "esm-keda-scaler:", err)
		os.Exit(1)
	}
}

type settings struct {
	listen       string
	secretsDir   string
	envNamespace string
	tls          files
	idleAfter    time.Duration
	maxObjects   int
	stopTimeout  time.Duration
	level        slog.Level
}

func parseFlags(args []string, errOut io.Writer) (*settings, error) {
	s := &settings{}
	set := flag.NewFlagSet("esm-keda-scaler", flag.ContinueOnError)
	set.SetOutput(errOut)
	set.StringVar(&s.listen, "listen", ":6000", "address to listen on")
	set.StringVar(&s.secretsDir, "secrets-dir", "", "directory with a folder of secrets for each namespace, for file: URIs")
	set.StringVar(&s.envNamespace, "secrets-env-namespace", "", "the one namespace that may name environment variables ESM_SECRET_*, for env: URIs")
	set.StringVar(&s.tls.certificate, "tls-cert", "", "PEM file of the server's certificate; with -tls-key")
	set.StringVar(&s.tls.key, "tls-key", "", "PEM file of its key")
	set.StringVar(&s.tls.clientCA, "tls-client-ca", "", "PEM file of the CA that clients' certificates must be signed by")
	set.DurationVar(&s.idleAfter, "idle-after", 15*time.Minute, "how long a ScaledObject is followed after KEDA last asked")
	set.IntVar(&s.maxObjects, "max-objects", 1000, "how many triggers are followed at most")
	set.DurationVar(&s.stopTimeout, "stop-timeout", 10*time.Second, "how long calls may go on once the program is told to stop")
	set.TextVar(&s.level, "log-level", slog.LevelInfo, "DEBUG, INFO, WARN or ERROR")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q: flags only, see -help", set.Arg(0))
	}
	if s.idleAfter <= 0 || s.maxObjects <= 0 || s.stopTimeout <= 0 {
		return nil, errors.New("-idle-after, -max-objects and -stop-timeout must be more than 0")
	}
	return s, nil
}

// run serves until ctx ends. listening, if not nil, is called with the address.
func run(ctx context.Context, args []string, out io.Writer, listening func(net.Addr)) error {
	s, err := parseFlags(args, out)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: s.level}))
	options, err := s.tls.options()
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	server := grpc.NewServer(options...)
	scaler := keda.New(keda.Options{
		Secrets: s.secrets(), Logger: log, IdleAfter: s.idleAfter, MaximumObjects: s.maxObjects,
	})
	scaler.Register(server)
	healthy := health.NewServer()
	healthy.SetServingStatus(keda.ServiceName, grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, healthy)

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("serving", "address", listener.Addr().String(), "tls", s.tls.certificate != "", "clientCertificates", s.tls.clientCA != "")
	if listening != nil {
		listening(listener.Addr())
	}
	select {
	case err = <-served:
	case <-ctx.Done():
		log.Info("stopping")
	}
	healthy.Shutdown()
	scaler.Close() // ends the streams, which GracefulStop waits for
	stopServer(server, s.stopTimeout)
	if ctx.Err() != nil {
		<-served
	}
	return err
}

// stopServer lets running calls finish, within a bound.
func stopServer(server *grpc.Server, bound time.Duration) {
	timer := time.AfterFunc(bound, server.Stop)
	defer timer.Stop()
	server.GracefulStop()
}
