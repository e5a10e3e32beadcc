package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Version returns the cluster's Apache Kafka version.
func (c *Cluster) Version() string { return c.cfg.version }

// BootstrapOf returns the addresses of one kind of listener, one per node.
func (c *Cluster) BootstrapOf(l Listener) []string {
	addrs := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addrs[i] = n.advertised(l)
	}
	return addrs
}

// Gate returns the gate of a gated [Door] of a node, nil if there is none.
func (c *Cluster) Gate(node int, l Listener) *Gate { return c.nodes[node-1].gates[l] }

// PKI returns the authority of the brokers' certificates, which the brokers trust too. It is nil without [Secure].
func (c *Cluster) PKI() *PKI { return c.pki }

// Kill ends a node with SIGKILL, like a crash. Node IDs begin at 1.
func (c *Cluster) Kill(tb testing.TB, node int) {
	tb.Helper()
	c.node(tb, node).kill()
}

// Stop ends a node cleanly, with SIGTERM.
func (c *Cluster) Stop(tb testing.TB, node int) {
	tb.Helper()
	if err := c.node(tb, node).stop(stopTimeout); err != nil {
		tb.Errorf("kafkatest: stop node %d: %v", node, err)
	}
}

// Restart starts a node that was killed or stopped, on the same ports and data. It returns when the node answers and
// again leads the partitions that only it can lead.
func (c *Cluster) Restart(tb testing.TB, node int) {
	tb.Helper()
	n := c.node(tb, node)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	// An outgoing connection can take a port for a moment. A broker with ZooKeeper exits if the session of its last run
	// still exists.
	for {
		if err := n.start(c.java, c.brokerArgs(n)); err != nil {
			tb.Fatalf("kafkatest: restart: %v", err)
		}
		err := n.waitPort(ctx)
		if err == nil {
			err = c.waitBack(ctx, n)
		}
		switch {
		case err == nil:
			return
		case ctx.Err() == nil && errors.Is(err, errExited):
			continue
		}
		tb.Fatalf("kafkatest: restart node %d: %v\n%s", node, err, c.Log())
	}
}

// waitBack waits until the other nodes also see the node alive and, if all nodes run, no partition is without a leader.
func (c *Cluster) waitBack(ctx context.Context, n *node) error {
	return n.wait(ctx, func(ctx context.Context) error {
		m, err := c.adm.Metadata(ctx)
		if err != nil {
			return err
		}
		alive := false
		for _, b := range m.Brokers {
			alive = alive || int(b.NodeID) == n.id
		}
		if !alive {
			return fmt.Errorf("node %d is not back in the metadata", n.id)
		}
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				if p.Leader < 0 && c.allRunning() {
					return fmt.Errorf("%s[%d] has no leader", t.Topic, p.Partition)
				}
			}
		}
		return nil
	})
}

func (c *Cluster) allRunning() bool {
	for _, n := range c.nodes {
		if !n.running() {
			return false
		}
	}
	return true
}

// Freeze suspends a node with SIGSTOP: connections stay open and nothing answers. Thaw or the end of the test resumes
// it.
func (c *Cluster) Freeze(tb testing.TB, node int) {
	tb.Helper()
	p := c.node(tb, node).current()
	if err := freeze(p.cmd.Process); err != nil {
		tb.Fatalf("kafkatest: freeze node %d: %v", node, err)
	}
	tb.Cleanup(func() { _ = thaw(p.cmd.Process) })
}

// Thaw resumes a frozen node.
func (c *Cluster) Thaw(tb testing.TB, node int) {
	tb.Helper()
	if err := thaw(c.node(tb, node).current().cmd.Process); err != nil {
		tb.Fatalf("kafkatest: thaw node %d: %v", node, err)
	}
}

func (c *Cluster) node(tb testing.TB, id int) *node {
	tb.Helper()
	if id < 1 || id > len(c.nodes) {
		tb.Fatalf("kafkatest: no node %d: the cluster has 1 to %d", id, len(c.nodes))
	}
	return c.nodes[id-1]
}

// AllowRead allows a principal ("User:alice", "User:CN=alice") to read a topic with a group. An empty topic or group is
// left out.
func (c *Cluster) AllowRead(tb testing.TB, principal, topic, group string) {
	tb.Helper()
	acl := kadm.NewACLs().Allow(principal).AllowHosts().
		Operations(kadm.OpRead, kadm.OpDescribe).ResourcePatternType(kadm.ACLPatternLiteral)
	if topic != "" {
		acl = acl.Topics(topic)
	}
	if group != "" {
		acl = acl.Groups(group)
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	results, err := c.adm.CreateACLs(ctx, acl)
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	if err != nil {
		tb.Fatalf("kafkatest: allow %s to read topic %q with group %q: %v", principal, topic, group, err)
	}
}

// Tool runs one of Kafka's own command-line tools by its Java class, such as
// org.apache.kafka.tools.ProducerPerformance, and returns its output.
func (c *Cluster) Tool(tb testing.TB, class string, args ...string) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	out, err := c.RunTool(ctx, class, args...)
	if err != nil {
		tb.Fatalf("kafkatest: %s %s: %v\n%s", class, strings.Join(args, " "), err, out)
	}
	return out
}

// RunTool is [Cluster.Tool] for a tool that may fail, or that runs until ctx ends: then it is killed, and the error is
// ctx's.
func (c *Cluster) RunTool(ctx context.Context, class string, args ...string) (string, error) {
	return run(ctx, c.java, c.javaArgs("512m", append([]string{class}, args...)...)...)
}

// Log returns the last lines that the brokers printed: warnings and errors.
func (c *Cluster) Log() string {
	var b strings.Builder
	nodes := c.nodes
	if c.zk != nil {
		nodes = append([]*node{c.zk.node}, nodes...)
	}
	for _, n := range nodes {
		fmt.Fprintf(&b, "--- node %d\n%s\n", n.id, n.out)
	}
	return b.String()
}

func (c *Cluster) logOnFailure(tb testing.TB) {
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the brokers' last lines:\n%s", tail([]byte(c.Log()), 16<<10))
		}
	})
}
