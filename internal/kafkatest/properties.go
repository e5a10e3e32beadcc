package kafkatest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// properties returns the server.properties of one node.
func (c *Cluster) properties(n *node) []byte {
	var listeners, advertised, protocols []string
	for _, l := range c.cfg.listeners(c.rel) {
		addr := fmt.Sprintf("%s://%s", l, n.addr(l))
		listeners = append(listeners, addr)
		if l != controller {
			advertised = append(advertised, fmt.Sprintf("%s://%s", l, n.advertised(l)))
		}
		protocols = append(protocols, fmt.Sprintf("%s:%s", l, c.cfg.protocol(l)))
	}
	replicas := fmt.Sprint(c.cfg.nodes)
	p := map[string]string{
		"inter.broker.listener.name":     string(Plaintext),
		"listeners":                      strings.Join(listeners, ","),
		"advertised.listeners":           strings.Join(advertised, ","),
		"listener.security.protocol.map": strings.Join(protocols, ","),
		"log.dirs":                       n.dir("data"),
		"auto.create.topics.enable":      "false",
		"default.replication.factor":     replicas,

		// Kafka's default of 50 partitions makes every first use of a group slow.
		"offsets.topic.num.partitions":                     "4",
		"offsets.topic.replication.factor":                 replicas,
		"transaction.state.log.num.partitions":             "4",
		"transaction.state.log.replication.factor":         replicas,
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.num.partitions":     "4",
		"share.coordinator.state.topic.replication.factor": replicas,
		"share.coordinator.state.topic.min.isr":            "1",

		// Settings that shorten waits in tests.
		"group.initial.rebalance.delay.ms":        "0",
		"group.min.session.timeout.ms":            "1000",
		"log.initial.task.delay.ms":               "500",
		"log.cleaner.backoff.ms":                  "500",
		"log.retention.check.interval.ms":         "1000",
		"log.cleaner.dedupe.buffer.size":          "4194304", // of the heap, 128 MB by default
		"controlled.shutdown.max.retries":         "1",
		"delete.topic.enable":                     "true", // off by default in 0.10
		"broker.session.timeout.ms":               "3000", // after this, the partitions of a killed node get new leaders
		"broker.heartbeat.interval.ms":            "500",
		"replica.lag.time.max.ms":                 "3000",
		"leader.imbalance.check.interval.seconds": "5",
	}
	if c.rel.zookeeper {
		// 0.10 has no named listeners: the protocol is the name.
		delete(p, "listener.security.protocol.map")
		delete(p, "inter.broker.listener.name")
		p["broker.id"] = fmt.Sprint(n.id)
		p["zookeeper.connect"] = c.zk.addr
		p["zookeeper.session.timeout.ms"] = "2000"
		p["zookeeper.connection.timeout.ms"] = "20000"
	} else {
		var voters []string
		for _, v := range c.nodes {
			voters = append(voters, fmt.Sprintf("%d@%s", v.id, v.addr(controller)))
		}
		p["process.roles"] = "broker,controller"
		p["node.id"] = fmt.Sprint(n.id)
		p["controller.quorum.voters"] = strings.Join(voters, ",")
		p["controller.listener.names"] = string(controller)
	}
	if c.cfg.secure {
		c.secureProperties(p)
	}
	maps.Copy(p, c.cfg.properties)
	return encodeProperties(p)
}

// secureProperties adds TLS, the users and the authorizer. A SASL listener needs a JAAS line for every enabled
// mechanism, or the broker does not start.
func (c *Cluster) secureProperties(p map[string]string) {
	p["ssl.enabled.protocols"] = "TLSv1.2,TLSv1.3"
	p["ssl.keystore.type"] = "PEM"
	p["ssl.keystore.location"] = c.path("broker.pem")
	p["ssl.truststore.type"] = "PEM"
	p["ssl.truststore.location"] = c.path("ca.pem")
	p["listener.name.tls.ssl.client.auth"] = "none"
	p["listener.name.mtls.ssl.client.auth"] = "required"
	p["sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
	var plain strings.Builder
	plain.WriteString("org.apache.kafka.common.security.plain.PlainLoginModule required")
	for _, u := range c.cfg.users {
		fmt.Fprintf(&plain, " user_%s=%q", u.name, u.password)
	}
	for _, l := range c.cfg.listeners(c.rel) {
		prefix := "listener.name." + strings.ToLower(string(l)) + "."
		if !strings.HasPrefix(c.cfg.protocol(l), "SASL_") {
			continue
		}
		p[prefix+"plain.sasl.jaas.config"] = plain.String() + ";"
		for _, m := range []string{"scram-sha-256", "scram-sha-512"} {
			p[prefix+m+".sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
		}
	}
	for _, d := range c.cfg.doors {
		prefix := "listener.name." + strings.ToLower(string(d.Name)) + "."
		if d.Certificate != nil {
			p[prefix+"ssl.keystore.location"] = c.path(d.keystore())
		}
		for k, v := range d.Properties {
			p[prefix+k] = v
		}
	}
	if c.cfg.acls {
		p["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
		p["super.users"] = "User:ANONYMOUS"
	}
}

// encodeProperties writes Java's properties format, sorted. A backslash must be escaped.
func encodeProperties(p map[string]string) []byte {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", k, strings.ReplaceAll(p[k], `\`, `\\`))
	}
	return []byte(b.String())
}

// logging returns the file that sends the broker's warnings to its console, and the system property that names the
// file.
func (r release) logging(path string) (property, content string) {
	if r.log4j1 {
		return "-Dlog4j.configuration=file:" + path, `log4j.rootLogger=WARN, stdout
log4j.appender.stdout=org.apache.log4j.ConsoleAppender
log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
log4j.appender.stdout.layout.ConversionPattern=%d{HH:mm:ss,SSS} %p %m (%c)%n
`
	}
	return "-Dlog4j2.configurationFile=" + path, `appender.stdout.type=Console
appender.stdout.name=stdout
appender.stdout.layout.type=PatternLayout
appender.stdout.layout.pattern=%d{HH:mm:ss,SSS} %p %m (%c)%n%throwable
rootLogger.level=WARN
rootLogger.appenderRef.stdout.ref=stdout
`
}
