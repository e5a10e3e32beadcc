// Secure runs a mapping over TLS with a private CA and with SCRAM, a client certificate or OAuth tokens, against an
// in-process broker. Its secrets are files, as Kubernetes mounts them, or in AWS Secrets Manager. Halfway through, the
// secret is changed, and the mapping continues without a restart.
//
//	go run ./examples/secure
//	go run ./examples/secure -kind mtls
//	go run ./examples/secure -kind oauth
//	go run ./examples/secure -secretsmanager
//
// With -secretsmanager the secrets are read through AWS's SDK: from the endpoint in AWS_ENDPOINT_URL_SECRETS_MANAGER
// (moto, LocalStack), where two secrets are created, or else from a small server in this process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
)

const topic = "orders"

// The first password (or client secret), the one that replaces it, and the one with which this program itself writes.
const first, second, admin = "tr0ub4dor", "correct horse battery staple", "admin"

func main() {
	how := flag.String("kind", "scram", "how to authenticate: scram, mtls or oauth")
	inAWS := flag.Bool("secretsmanager", false, "read the secrets from AWS Secrets Manager")
	orders := flag.Int("orders", 1000, "how many orders to produce before and after the secret changes")
	verbose := flag.Bool("v", false, "show the library's log")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx, os.Stdout, *how, *inAWS, *orders, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "secure:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, how string, inAWS bool, orders int, verbose bool) error {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }
	pki, err := newPKI()
	if err != nil {
		return err
	}
	kind, err := kindOf(how, pki)
	if err != nil {
		return err
	}
	if kind.close != nil {
		defer kind.close()
	}
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(4, topic)}, kind.broker...)...)
	if err != nil {
		return fmt.Errorf("starting the in-process broker: %w", err)
	}
	defer cluster.Close()
	if kind.prepare != nil {
		kind.prepare(cluster)
	}
	// For what the mapping does not do: producing, and changing passwords.
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, kind.admin...)...)
	if err != nil {
		return err
	}
	defer client.Close()

	keep := inFiles
	if inAWS {
		keep = inSecretsManager
	}
	secrets, err := keep(ctx, map[string]map[string]string{
		"login": kind.secret, "ca": {"certificate": pki.ca}})
	if err != nil {
		return err
	}
	defer secrets.close()
	configs := append([]auth.SourceAccessConfiguration{
		{Type: kind.accessType, URI: secrets.uris["login"]}, {Type: auth.ServerRootCACertificate, URI: secrets.uris["ca"]}}, kind.options...)
	report, err := auth.Check(ctx, secrets.store, configs)
	if err != nil {
		return err
	}
	say("the secrets %s and %s give:\n%s\n", secrets.uris["login"], secrets.uris["ca"], report)

	var handled atomic.Int64
	level := slog.LevelError
	if verbose {
		level = slog.LevelInfo
	}
	runner, err := esm.New(esm.Mapping{
		FunctionName:               "secure",
		SelfManagedEventSource:     esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: cluster.ListenAddrs()}},
		Topics:                     []string{topic},
		SourceAccessConfigurations: configs,
	}, func(_ context.Context, event esm.KafkaEvent) error {
		handled.Add(int64(event.Len()))
		return nil
	}, esm.WithSecrets(secrets.store), esm.WithSecretsRefresh(time.Second),
		esm.WithLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))))
	if err != nil {
		return err
	}
	runCtx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		defer close(done)
		done <- runner.Run(runCtx)
	}()
	defer func() {
		stop()
		for range done { // until it has returned
		}
	}()
	until := func(ok func() bool) error {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for !ok() {
			select {
			case <-tick.C:
			case err := <-done:
				return errors.Join(errors.New("the mapping ended"), err, context.Cause(ctx))
			}
		}
		return nil
	}

	if err := produce(ctx, client, orders); err != nil {
		return err
	}
	if err := until(func() bool { return handled.Load() >= int64(orders) }); err != nil {
		return err
	}
	say("handled %d orders with %s\n", handled.Load(), runner.Status().Credentials.InUse)

	next, err := kind.rotate(ctx, client)
	if err != nil {
		return err
	}
	if err := secrets.put(ctx, "login", next); err != nil {
		return err
	}
	say("changed what the secret holds\n")
	if err := until(func() bool { return runner.Status().Credentials.Rotations == 1 }); err != nil {
		return err
	}
	if err := produce(ctx, client, orders); err != nil {
		return err
	}
	if err := until(func() bool { return handled.Load() >= int64(2*orders) }); err != nil {
		return err
	}
	s := runner.Status()
	stop()
	if err := <-done; err != nil {
		return err
	}
	say("handled %d orders; credentials rotated %d time, rebalances %d, last result %s\n",
		handled.Load(), s.Credentials.Rotations, s.Metrics.RebalanceCount, s.LastProcessingResult)
	return nil
}

func produce(ctx context.Context, client *kgo.Client, n int) error {
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Topic: topic, Key: fmt.Appendf(nil, "customer-%d", i%50), Value: fmt.Appendf(nil, `{"order":%d}`, i)}
	}
	return client.ProduceSync(ctx, records...).FirstErr()
}
