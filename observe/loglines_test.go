package observe_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
	"github.com/esm-go/esm/observe"
)

// linesAMinute is the most lines a minute of a log that can be left on.
const linesAMinute = 6

// kafka is an in-process Kafka whose network can be cut.
type kafka struct {
	*kfake.Cluster
	cut    func(down bool)
	faults []*kfake.FaultHandle
}

// trouble is a lasting problem. The client's own lines are in the log.
type trouble struct {
	name    string
	secured bool // TLS, and a password that is refused
	topics  []string
	fails   bool // the handler
	silent  bool // the client retries by itself and reports nothing
	begin   func(t *testing.T, k *kafka)
	// each is called every second; n is the number of the second.
	each func(k *kafka, n int)
}

func fault(e *kerr.Error, keys ...kmsg.Key) func(*testing.T, *kafka) {
	return func(_ *testing.T, k *kafka) {
		k.faults = append(k.faults, k.Fault(kfake.Fault{Keys: keys, Err: e, Count: -1}))
	}
}

func troubles() []trouble {
	return []trouble{
		{name: "the broker is away", begin: func(_ *testing.T, k *kafka) { k.cut(true) }},
		{name: "the broker comes and goes", each: func(k *kafka, n int) { k.cut(n%6 < 3) }},
		{name: "the password is refused", secured: true},
		{name: "a topic is missing", topics: []string{"t", "missing", "missing.too"}},
		{name: "the topic is deleted", begin: func(t *testing.T, k *kafka) {
			if err := k.DeleteTopic("t"); err != nil {
				t.Error(err)
			}
		}},
		{name: "the topic may not be read", begin: fault(kerr.TopicAuthorizationFailed, kmsg.Fetch, kmsg.Metadata)},
		{name: "the group may not be used", begin: fault(kerr.GroupAuthorizationFailed, kmsg.Heartbeat, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.OffsetCommit, kmsg.OffsetFetch, kmsg.FindCoordinator)},
		{name: "there is no coordinator", begin: fault(kerr.CoordinatorNotAvailable, kmsg.FindCoordinator, kmsg.Heartbeat, kmsg.OffsetCommit)},
		{name: "the group forgets its members", begin: fault(kerr.UnknownMemberID, kmsg.Heartbeat, kmsg.OffsetCommit)},
		{name: "commits are refused", begin: fault(kerr.UnknownServerError, kmsg.OffsetCommit)},
		{name: "the leader is another one", silent: true, begin: fault(kerr.NotLeaderForPartition, kmsg.Fetch)},
		{name: "the disk fails", silent: true, begin: fault(kerr.KafkaStorageError, kmsg.Fetch)},
		{name: "the handler fails", fails: true},
	}
}

// log keeps the lines of a log with their times.
type log struct {
	mu    sync.Mutex
	lines []string
	at    []time.Time
}

func (l *log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines, l.at = append(l.lines, string(bytes.TrimSpace(line))), append(l.at, time.Now())
	return len(line), nil
}

// started discards the lines of a successful start.
func (l *log) started() {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	var at []time.Time
	for i, line := range l.lines {
		if !strings.Contains(line, "level=INFO") {
			lines, at = append(lines, line), append(at, l.at[i])
		}
	}
	l.lines, l.at = lines, at
}

// worst returns the lines of the minute with the most lines.
func (l *log) worst() (most []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, from := range l.at {
		var lines []string
		for i, at := range l.at {
			if since := at.Sub(from); since >= 0 && since < time.Minute {
				lines = append(lines, l.lines[i])
			}
		}
		if len(lines) > len(most) {
			most = lines
		}
	}
	return most
}

// TestLogLines counts the lines of a mapping on franz-go, with the client's own, over two minutes of each trouble.
func TestLogLines(t *testing.T) {
	for _, c := range troubles() {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var network kfake.VirtualNetwork
				gate := &gate{dial: network.DialContext, open: make(map[net.Conn]bool)}
				c.run(t, franz.Driver(), []kfake.Opt{kfake.ListenFn(network.Listen), kfake.Ports(19092)}, gate.set, network.DialContext, esm.WithDialer(gate.DialContext))
			})
		})
	}
}

// gate is the network between a client and the broker.
type gate struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	mu   sync.Mutex
	down bool
	open map[net.Conn]bool
}

// DialContext refuses connections while the gate is down, like a host without a listener.
func (g *gate) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	c, err := g.dial(ctx, network, address)
	if err == nil {
		g.open[c] = true
	}
	return c, err
}

func (g *gate) set(down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = down
	if down {
		for c := range g.open {
			_ = c.Close()
		}
		clear(g.open)
	}
}

func (c *trouble) run(t *testing.T, d driver.Driver, opts []kfake.Opt, cut func(bool), dial func(context.Context, string, string) (net.Conn, error), options ...esm.Option) {
	const topic = "t"
	m := esm.Mapping{FunctionName: "f", Topics: c.topics, StartingPosition: esm.TrimHorizon}
	if m.Topics == nil {
		m.Topics = []string{topic}
	}
	if c.secured {
		server, ca := certificate(t)
		opts = append(opts, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}}), kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", rand.Text()))
		m.SourceAccessConfigurations = []auth.SourceAccessConfiguration{{Type: auth.BasicAuth, URI: "login"}, {Type: auth.ServerRootCACertificate, URI: "ca"}}
		options = append(options, esm.WithSecrets(auth.NewStatic(map[string]string{"ca": text(t, "certificate", ca), "login": text(t, "username", "alice", "password", rand.Text())})))
	}
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.SeedTopics(4, topic))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	k := &kafka{Cluster: cluster, cut: cut}
	m.SelfManagedEventSource = esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: cluster.ListenAddrs()}}
	if c.silent {
		options = append(options, esm.WithLagInterval(30*time.Second)) // how long after the last fetch it is known that the broker has more
	}
	var lines log
	r, err := esm.New(m, func(context.Context, esm.KafkaEvent) error {
		if c.fails {
			return errors.New("no")
		}
		return nil
	}, append(options, esm.WithDriver(d), esm.WithMetadataMaxAge(5*time.Second), esm.WithLogger(slog.New(slog.NewTextHandler(&lines, nil))))...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	producer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.Dialer(dial), kgo.RecordDeliveryTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	time.Sleep(5 * time.Second)
	lines.started()
	if c.begin != nil {
		c.begin(t, k)
	}
	for n := range 120 {
		if c.each != nil {
			c.each(k, n)
		}
		if !c.secured {
			producer.TryProduce(ctx, &kgo.Record{Topic: topic, Value: []byte("x")}, nil)
		}
		time.Sleep(time.Second)
	}
	status := r.Status()
	cut(false)
	for _, f := range k.faults {
		f.Remove()
	}
	worst := lines.worst()
	if blocks := status.WhoBlocks(); c.silent && (len(blocks) == 0 || blocks[0].Head.WaitsFor != observe.WaitFetch || status.Time.Sub(blocks[0].Head.Since) < 30*time.Second) {
		t.Errorf("what blocks is:\n%s", status)
	}
	if len(worst) == 0 || len(worst) > linesAMinute {
		t.Errorf("%d lines in a minute, want 1 to %d:\n%s", len(worst), linesAMinute, strings.Join(worst, "\n"))
	}
	time.Sleep(10 * time.Second)
	cancel()
	<-ended // with an error if the mapping has not recovered yet
}

// text is a secret.
func text(t *testing.T, pairs ...string) string {
	t.Helper()
	fields := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i]] = pairs[i+1]
	}
	b, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// certificate returns a self-signed server certificate for the loopback address, and its CA, which is itself.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
