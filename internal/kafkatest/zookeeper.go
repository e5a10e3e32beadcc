package kafkatest

import (
	"context"
	"fmt"
	"strconv"
	"testing"
)

// zookeeper is the one server that brokers before KRaft need; it is node 0.
type zookeeper struct {
	node *node
	addr string
}

func (c *Cluster) startZooKeeper(ctx context.Context) error {
	n, err := newNode(c.root, 0, []Listener{Plaintext})
	if err != nil {
		return err
	}
	c.zk = &zookeeper{node: n, addr: n.addr(Plaintext)}
	config := encodeProperties(map[string]string{
		"dataDir":            n.dir("data"),
		"clientPort":         fmt.Sprint(n.ports[Plaintext]),
		"clientPortAddress":  "127.0.0.1",
		"admin.enableServer": "false",
		"maxClientCnxns":     "0",
		"tickTime":           "500", // a session is 2 to 20 of these
	})
	if err := n.write("zk.properties", config); err != nil {
		return err
	}
	args := c.javaArgs("256m", "org.apache.zookeeper.server.quorum.QuorumPeerMain", n.dir("zk.properties"))
	if err := n.start(c.java, args); err != nil {
		return err
	}
	return n.waitPort(ctx)
}

// GrowTopicByTool is [Client.GrowTopic] for brokers before 1.0, which have no request for it: the tool writes to
// ZooKeeper.
func (c *Cluster) GrowTopicByTool(tb testing.TB, topic string, partitions int) {
	tb.Helper()
	c.Tool(tb, "kafka.admin.TopicCommand", "--zookeeper", c.zk.addr,
		"--alter", "--topic", topic, "--partitions", strconv.Itoa(partitions))
	c.WaitLeaders(tb, topic, partitions)
}
