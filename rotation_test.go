package esm_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/internal/leaktest"
)

// changing is a Secrets whose values change.
type changing struct {
	mu     sync.Mutex
	values map[string]string
}

func (c *changing) set(uri, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values[uri] = value
}

func (c *changing) Secret(ctx context.Context, uri string) ([]byte, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return auth.NewStatic(c.values).Secret(ctx, uri)
}

// rotation is a mapping that runs under load while its secret changes.
type rotation struct {
	t       *testing.T
	watch   *leaktest.Watch
	ctx     context.Context
	runner  *esm.Runner
	client  *kgo.Client
	secrets *changing
	cluster *kfake.Cluster
	conns   *connections
	// revocations counts how often partitions were taken away.
	revocations atomic.Int32

	mu   sync.Mutex
	seen map[string]bool
	sent int
}

// rotate runs a mapping on a broker, lets script change things, and checks that no record was lost and all are
// committed.
func rotate(t *testing.T, d driver.Driver, broker []kfake.Opt, client []kgo.Opt, configs []auth.SourceAccessConfiguration, values map[string]string, script func(*rotation)) {
	t.Parallel()
	rotateFrom(t, d, &changing{values: values}, 100*time.Millisecond, broker, client, configs, script)
}

// rotateFrom is rotate with any kind of secrets, which are read again at an interval.
func rotateFrom(t *testing.T, d driver.Driver, secrets auth.Secrets, refresh time.Duration, broker []kfake.Opt, client []kgo.Opt, configs []auth.SourceAccessConfiguration, script func(*rotation)) {
	conns := &connections{open: map[net.Conn]bool{}}
	cluster, err := kfake.NewCluster(append(broker, kfake.NumBrokers(1), kfake.SeedTopics(4, "orders"), kfake.ListenFn(conns.listen))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	r := &rotation{t: t, watch: leaktest.New(t), cluster: cluster, conns: conns, seen: map[string]bool{}}
	r.secrets, _ = secrets.(*changing)
	if r.client, err = kgo.NewClient(append(client, kgo.SeedBrokers(cluster.ListenAddrs()...))...); err != nil {
		t.Fatal(err)
	}
	defer r.client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r.ctx = ctx
	r.runner, err = esm.New(esm.Mapping{
		FunctionName:               "f",
		SelfManagedEventSource:     esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: cluster.ListenAddrs()}},
		Topics:                     []string{"orders"},
		SourceAccessConfigurations: configs,
	}, func(_ context.Context, e esm.KafkaEvent) error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, records := range e.Records {
			for _, record := range records {
				r.seen[string(record.Value)] = true
			}
		}
		return nil
	}, append(r.watch.Options(), esm.WithDriver(d), esm.WithSecrets(secrets), esm.WithSecretsRefresh(refresh),
		esm.WithHooks(esm.Hooks{Revoked: func(esm.AssignmentInfo) { r.revocations.Add(1) }, Lost: func(esm.AssignmentInfo) { r.revocations.Add(1) }}))...)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	run, stop := context.WithCancel(ctx)
	defer stop()
	go func() { done <- r.runner.Run(run) }()
	r.load("the first records", func() bool { return r.received() > 20 })
	script(r)
	more := r.sent + 20
	r.load("records after the rotation", func() bool { return r.sent > more })
	r.await("every record", func() bool { return r.received() == r.sent })
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	// A separate client: connections of the other one that were cut while idle fail its next request.
	admin, err := kgo.NewClient(append(client, kgo.SeedBrokers(cluster.ListenAddrs()...))...)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	offsets, err := kadm.NewClient(admin).FetchOffsets(ctx, r.runner.Status().ConsumerGroupId)
	if err != nil {
		t.Fatal(err)
	}
	committed := int64(0)
	offsets.Each(func(o kadm.OffsetResponse) { committed += o.At })
	if committed != int64(r.sent) {
		t.Errorf("%d records committed, want %d", committed, r.sent)
	}
	if s := r.runner.Status(); s.BufferedBytes != 0 || s.Credentials.Rotations != 1 || s.Credentials.Err != nil {
		t.Errorf("at the end: %d bytes buffered, credentials %+v", s.BufferedBytes, s.Credentials)
	}
}

// connections holds a broker's connections, so that they can be cut.
type connections struct {
	mu   sync.Mutex
	open map[net.Conn]bool
}

type cutListener struct {
	net.Listener
	c *connections
}

func (c *connections) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	return cutListener{l, c}, err
}

func (l cutListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.c.mu.Lock()
		defer l.c.mu.Unlock()
		l.c.open[conn] = true
	}
	return conn, err
}

// cut closes all connections: clients must authenticate again.
func (c *connections) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		_ = conn.Close()
	}
	clear(c.open)
}

func (r *rotation) received() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// load produces until ok.
func (r *rotation) load(what string, ok func() bool) {
	r.t.Helper()
	r.await(what, func() bool {
		r.sent++
		if err := r.client.ProduceSync(r.ctx, &kgo.Record{Topic: "orders", Key: fmt.Appendf(nil, "%d", r.sent), Value: fmt.Appendf(nil, "%d", r.sent)}).FirstErr(); err != nil {
			r.t.Fatal(err)
		}
		return ok()
	})
}

// fresh waits for records that are sent from now on, because earlier ones may be in a buffer.
func (r *rotation) fresh(what string) {
	r.t.Helper()
	first := fmt.Sprint(r.sent + 1)
	r.load(what, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.seen[first]
	})
}

// reconnect cuts all connections, and waits for records over new ones.
func (r *rotation) reconnect() {
	r.t.Helper()
	r.conns.cut()
	r.fresh("records over new connections")
}

func (r *rotation) await(what string, ok func() bool) {
	r.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			s := r.runner.Status()
			r.t.Fatalf("waiting for %s: sent %d, received %d, %s, credentials %+v", what, r.sent, r.received(), s.LastProcessingResult, s.Credentials)
		}
	}
	r.watch.Say(r.runner.Status())
}

// TestRotatePassword changes a SCRAM password under load: first in the secret, which the broker refuses, then at the
// broker, which then makes each connection authenticate again.
func TestRotatePassword(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	server, _, _ := ca.issue(t, "broker")
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	login := func(password string) string {
		return asJSON(t, map[string]string{"username": "alice", "password": password})
	}
	for name, d := range drivers {
		t.Run(name, func(t *testing.T) {
			rotate(t, d, []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "alice", leaktest.Password(t, "old")),
				kfake.Superuser("PLAIN", "admin", leaktest.Password(t, "admin")), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}}),
				kfake.BrokerConfigs(map[string]string{"connections.max.reauth.ms": "1000"})},
				[]kgo.Opt{kgo.DialTLSConfig(&tls.Config{RootCAs: pool}), kgo.SASL(plain.Auth{User: "admin", Pass: leaktest.Password(t, "admin")}.AsMechanism())},
				[]auth.SourceAccessConfiguration{{Type: auth.SASLSCRAM512Auth, URI: "login"}, {Type: auth.ServerRootCACertificate, URI: "ca"}},
				map[string]string{"login": login(leaktest.Password(t, "old")), "ca": asJSON(t, map[string]string{"certificate": ca.pem})},
				func(r *rotation) {
					r.secrets.set("login", login(leaktest.Password(t, "new")))
					r.load("the new password to be refused", func() bool { return r.runner.Status().Credentials.Err != nil })
					if d := auth.Classify(r.runner.Status().Credentials.Err); d.Text != auth.TextSASL {
						t.Errorf("refused with %q: %v", d.Text, d.Err)
					}
					_, err := kadm.NewClient(r.client).AlterUserSCRAMs(r.ctx, nil, []kadm.UpsertSCRAM{{User: "alice",
						Mechanism: kadm.ScramSha512, Iterations: 4096, Password: leaktest.Password(t, "new")}})
					if err != nil {
						t.Fatal(err)
					}
					at := time.Now()
					r.load("the rotation", func() bool { return r.runner.Status().Credentials.Rotations == 1 })
					r.load("connections to authenticate anew", func() bool { return time.Since(at) > 2500*time.Millisecond })
					if n := r.revocations.Load(); n != 0 {
						t.Errorf("partitions were taken away %d times", n)
					}
				})
		})
	}
}
