package kafkatest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Option configures a cluster of [Start] or [Pool.Cluster].
type Option func(*config)

type user struct{ name, password string }

type config struct {
	version    string
	nodes      int
	heap       string
	secure     bool
	acls       bool
	users      []user
	doors      []Door
	properties map[string]string
	jvm        []string
}

// Version selects an Apache Kafka version, whatever the environment says: 4.3.0, 4.2.1, 4.1.1, 4.0.0, 3.9.1 (KRaft),
// 2.8.2 or 0.10.2.2 (ZooKeeper).
func Version(v string) Option { return func(c *config) { c.version = v } }

// Nodes sets the number of brokers, each also a controller; the default is 1. They have the node IDs 1 to n, and topics
// are replicated to all of them.
func Nodes(n int) Option { return func(c *config) { c.nodes = n } }

// Heap sets each broker's -Xmx. The default is 1g, or 512m with several brokers.
func Heap(size string) Option { return func(c *config) { c.heap = size } }

// Secure opens the listeners [TLS], [MTLS], [SASLSSL] and [SASLPlaintext] in addition to the plain one. The
// certificates are in [Cluster.PKI]. KRaft only.
func Secure() Option { return func(c *config) { c.secure = true } }

// ACLs enables the StandardAuthorizer. ANONYMOUS, the user of the [Plaintext] and [TLS] listeners, has all rights; any
// other user needs an ACL, see [Cluster.AllowRead]. It implies [Secure].
func ACLs() Option {
	return func(c *config) { c.secure, c.acls = true, true }
}

// User adds a user for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. It implies [Secure].
func User(name, password string) Option {
	return func(c *config) {
		c.secure = true
		c.users = append(c.users, user{name, password})
	}
}

// Open adds the caller's own listeners. It implies [Secure].
func Open(doors ...Door) Option {
	return func(c *config) {
		c.secure = true
		c.doors = append(c.doors, doors...)
	}
}

// Property sets one line of every broker's server.properties.
func Property(key, value string) Option {
	return func(c *config) { c.properties[key] = value }
}

// JVM adds arguments for every broker's Java, such as -Dname=value.
func JVM(args ...string) Option {
	return func(c *config) { c.jvm = append(c.jvm, args...) }
}

func newConfig(version string, opts []Option) (config, release, error) {
	c := config{version: version, nodes: 1, properties: map[string]string{}}
	for _, o := range opts {
		o(&c)
	}
	if c.heap == "" {
		c.heap = "1g"
		if c.nodes > 1 {
			c.heap = "512m"
		}
	}
	r, err := lookupRelease(c.version)
	switch {
	case err != nil:
		return c, r, err
	case c.nodes < 1:
		return c, r, fmt.Errorf("Nodes(%d): want 1 or more", c.nodes)
	case c.secure && r.zookeeper:
		return c, r, fmt.Errorf("version %s runs with ZooKeeper, where Secure, ACLs and User are not offered", c.version)
	}
	return c, r, nil
}

// key returns equal strings for equal configurations.
func (c config) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d %s %t %t %q", c.version, c.nodes, c.heap, c.secure, c.acls, c.users)
	for _, d := range c.doors {
		fmt.Fprintf(&b, " %s %s %t %q", d.Name, d.Protocol, d.Certificate != nil, fmt.Sprint(d.Properties))
	}
	for _, k := range slices.Sorted(maps.Keys(c.properties)) {
		fmt.Fprintf(&b, " %q=%q", k, c.properties[k])
	}
	fmt.Fprintf(&b, " %q", c.jvm)
	return b.String()
}
