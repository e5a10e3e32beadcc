package kafkatest

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// Cluster is a running Apache Kafka. Its methods fail the test that they are given. It is safe for concurrent use, but
// two tests must not stop and start the same node at once.
type Cluster struct {
	*Client
	cfg   config
	rel   release
	java  string
	jars  string
	root  string
	id    string // the cluster ID that KRaft was formatted with
	pki   *PKI
	nodes []*node
	zk    *zookeeper
}

const (
	// startTimeout detects hanging, not slowness: the end of a process is noticed at once, but three JVMs on a busy
	// machine have taken more than 2 minutes.
	startTimeout = 4 * time.Minute
	stopTimeout  = 45 * time.Second
	clashRetries = 3
)

// Start runs a cluster that ends with the test or benchmark. If the test fails, its output has the brokers' last lines.
// The package documentation says when Start skips the test and when it fails it.
func Start(tb testing.TB, opts ...Option) *Cluster {
	tb.Helper()
	version := admit(tb)
	c, err := launch(version, tb.TempDir(), opts)
	if err != nil {
		tb.Fatalf("kafkatest: %v", err)
	}
	tb.Cleanup(c.end)
	c.logOnFailure(tb)
	return c
}

// launch starts a cluster in the folder root. It retries if a port that was free a moment ago has been taken.
func launch(version, root string, opts []Option) (*Cluster, error) {
	cfg, rel, err := newConfig(version, opts)
	if err != nil {
		return nil, err
	}
	java, err := findJava()
	if err != nil {
		return nil, err
	}
	jars, err := jarsDir(context.Background(), cfg.version, rel)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		c := &Cluster{cfg: cfg, rel: rel, java: java, jars: jars, root: filepath.Join(root, fmt.Sprintf("try-%d", try))}
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		err := c.launch(ctx)
		cancel()
		if err == nil {
			return c, nil
		}
		err = fmt.Errorf("start Apache Kafka %s: %w\n%s", cfg.version, err, c.Log())
		clash := c.clashed()
		c.end()
		if !clash || try == clashRetries {
			return nil, err
		}
	}
}

func (c *Cluster) launch(ctx context.Context) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	for _, n := range c.nodes {
		if err := n.start(c.java, c.brokerArgs(n)); err != nil {
			return err
		}
	}
	seeds := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		seeds[i] = n.addr(Plaintext)
		if err := n.waitPort(ctx); err != nil {
			return err
		}
	}
	client, err := newClient(seeds, len(c.nodes))
	if err != nil {
		return err
	}
	c.Client = client
	return c.waitReady(ctx, len(c.nodes))
}

// prepare creates everything that the brokers read, and starts ZooKeeper if they need it.
func (c *Cluster) prepare(ctx context.Context) error {
	if err := os.MkdirAll(c.root, 0o755); err != nil {
		return err
	}
	for id := 1; id <= c.cfg.nodes; id++ {
		n, err := newNode(c.root, id, c.cfg.listeners(c.rel))
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, n)
		for _, d := range c.cfg.doors {
			if !d.Gated {
				continue
			}
			if n.gates[d.Name], err = newGate(n.addr(d.Name)); err != nil {
				return err
			}
		}
	}
	_, logging := c.rel.logging("")
	if err := os.WriteFile(c.path("log.properties"), []byte(logging), 0o600); err != nil {
		return err
	}
	if c.cfg.secure {
		if err := c.writeCertificates(); err != nil {
			return err
		}
	}
	if c.rel.zookeeper {
		if err := c.startZooKeeper(ctx); err != nil {
			return err
		}
	}
	for _, n := range c.nodes {
		if err := n.write("server.properties", c.properties(n)); err != nil {
			return err
		}
	}
	if c.rel.zookeeper {
		return nil
	}
	return c.format(ctx)
}

func (c *Cluster) writeCertificates() error {
	pki, err := newPKI()
	if err != nil {
		return err
	}
	c.pki = pki
	stores := map[string]func(*x509.Certificate){"broker.pem": nil}
	for _, d := range c.cfg.doors {
		if d.Certificate != nil {
			stores[d.keystore()] = d.Certificate
		}
	}
	for name, change := range stores {
		cert, key, err := pki.issue("broker", change)
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.path(name), append(key, cert...), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(c.path("ca.pem"), pki.CA(), 0o600)
}

// format prepares each node's log.dirs, in parallel: each run takes a second and a half.
func (c *Cluster) format(ctx context.Context) error {
	c.id = newClusterID()
	errs := make([]error, len(c.nodes))
	var wg sync.WaitGroup
	for i, n := range c.nodes {
		wg.Go(func() {
			args := []string{"kafka.tools.StorageTool", "format", "-t", c.id, "-c", n.dir("server.properties")}
			for _, u := range c.cfg.users {
				for _, m := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
					args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", m, u.name, u.password))
				}
			}
			if out, err := run(ctx, c.java, c.javaArgs("256m", args...)...); err != nil {
				errs[i] = fmt.Errorf("format node %d: %w\n%s", n.id, err, out)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// newClusterID returns a UUID in Kafka's base64 form. It never begins with a dash, which the format tool would parse as
// an option.
func newClusterID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[0] &= 0x7f           // the dash is character 62 of 64
	return base64.RawURLEncoding.EncodeToString(id[:])
}

// waitReady waits until the cluster has that many brokers, a controller, a group coordinator, and our cluster ID rather
// than that of another process that took our port.
func (c *Cluster) waitReady(ctx context.Context, brokers int) error {
	return poll(ctx, func(ctx context.Context) error {
		m, err := c.adm.BrokerMetadata(ctx)
		switch {
		case err != nil:
			return err
		case c.id != "" && m.Cluster != c.id:
			return fmt.Errorf("another cluster, %s, answers on our port", m.Cluster)
		case m.Controller < 0:
			return errors.New("no controller")
		case len(m.Brokers) < brokers:
			return fmt.Errorf("%d of %d brokers are there", len(m.Brokers), brokers)
		}
		// The first request for a group makes Kafka create the offsets topic. Because it is made here, no test waits for it
		// or fails because of it.
		return c.adm.FindGroupCoordinators(ctx, "kafkatest").Error()
	})
}

// end kills what runs. A test's cluster holds nothing that is worth a clean stop.
func (c *Cluster) end() {
	if c.Client != nil {
		c.close()
	}
	for _, n := range c.nodes {
		n.kill()
		for _, g := range n.gates {
			g.close()
		}
	}
	if c.zk != nil {
		c.zk.node.kill()
	}
}

func (c *Cluster) clashed() bool {
	for _, n := range c.nodes {
		if n.clashed() {
			return true
		}
	}
	return c.zk != nil && c.zk.node.clashed()
}

func (c *Cluster) path(name string) string { return filepath.Join(c.root, name) }

func (c *Cluster) javaArgs(heap string, args ...string) []string {
	logging, _ := c.rel.logging(c.path("log.properties"))
	return append([]string{"-Xmx" + heap, "-XX:+UseSerialGC", logging, "-cp", filepath.Join(c.jars, "*")}, args...)
}

func (c *Cluster) brokerArgs(n *node) []string {
	return c.javaArgs(c.cfg.heap, append(slices.Clone(c.cfg.jvm), "kafka.Kafka", n.dir("server.properties"))...)
}
