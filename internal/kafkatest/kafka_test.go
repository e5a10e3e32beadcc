package kafkatest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// exercise calls every helper that a cluster and the fake share.
func exercise(t *testing.T, c *Client) {
	t.Helper()
	topic := c.NewTopic(t, 3, "retention.ms=3600000")
	c.Produce(t, At(1, &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("v")}))
	c.ProduceN(t, topic, 30, func(int) *kgo.Record { return &kgo.Record{Value: []byte("x")} })
	if got, want := c.EndOffsets(t, topic), (map[int32]int64{0: 10, 1: 11, 2: 10}); !maps.Equal(got, want) {
		t.Errorf("end offsets %v, want %v", got, want)
	}
	group := topic + "-group"
	if got := c.Committed(t, group, topic); len(got) != 0 {
		t.Errorf("an unknown group has commits: %v", got)
	}
	commit := map[int32]int64{0: 4, 2: 7}
	c.Commit(t, group, topic, commit)
	if got := c.Committed(t, group, topic); !maps.Equal(got, commit) {
		t.Errorf("committed %v, want %v", got, commit)
	}
}

// exerciseNewer calls the helpers whose requests old brokers do not support.
func exerciseNewer(t *testing.T, c *Client) {
	t.Helper()
	topic := c.NewTopic(t, 1)
	c.Produce(t, &kgo.Record{Topic: topic}, &kgo.Record{Topic: topic})
	c.DeleteRecords(t, topic, map[int32]int64{0: 1})
	if got := c.StartOffsets(t, topic)[0]; got != 1 {
		t.Errorf("start offset %d, want 1", got)
	}
	c.AlterConfigs(t, topic, "max.message.bytes=2048")
	c.GrowTopic(t, topic, 4)
	if got := len(c.EndOffsets(t, topic)); got != 4 {
		t.Errorf("%d partitions, want 4", got)
	}
	c.DeleteTopic(t, topic)
	if _, err := c.Admin().ListEndOffsets(t.Context(), topic); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("after DeleteTopic: %v", err)
	}
}

func TestKafkaShared(t *testing.T) {
	c := brokers.Cluster(t)
	exercise(t, c.Client)
	exerciseNewer(t, c.Client)
	if brokers.Cluster(t) != c {
		t.Error("the pool started a second cluster for equal options")
	}
}

func TestKafkaTools(t *testing.T) {
	c := brokers.Cluster(t)
	topic := c.NewTopic(t, 2)
	class := "org.apache.kafka.tools.ProducerPerformance"
	out := c.Tool(t, class, "--topic", topic, "--num-records", "1000", "--record-size", "100", "--throughput", "-1",
		"--producer-props", "bootstrap.servers="+c.Bootstrap()[0])
	if !strings.Contains(out, "1000 records sent") {
		t.Errorf("ProducerPerformance printed %q", out)
	}
	var sum int64
	for _, end := range c.EndOffsets(t, topic) {
		sum += end
	}
	if sum != 1000 {
		t.Errorf("%d records, want 1000", sum)
	}
	if out, err := c.RunTool(t.Context(), class, "--no-such-flag"); err == nil {
		t.Errorf("a wrong flag ended well: %s", out)
	}
}

func TestKafkaKillFreezeRestart(t *testing.T) {
	c := Start(t)
	topic := c.NewTopic(t, 1)
	c.Produce(t, &kgo.Record{Topic: topic}, &kgo.Record{Topic: topic})
	for _, end := range []struct {
		how  string
		stop func(testing.TB, int)
	}{{"kill", c.Kill}, {"stop", c.Stop}} {
		begin := time.Now()
		end.stop(t, 1)
		if c.node(t, 1).running() {
			t.Fatalf("runs after %s", end.how)
		}
		c.Restart(t, 1)
		t.Logf("%s and restart: %s", end.how, time.Since(begin).Round(time.Millisecond))
		if got := c.EndOffsets(t, topic)[0]; got != 2 {
			t.Errorf("after %s and restart the topic ends at %d, want 2", end.how, got)
		}
	}
	c.Freeze(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := c.Admin().ListEndOffsets(ctx, topic); err == nil {
		t.Error("a frozen broker answered")
	}
	c.Thaw(t, 1)
	c.Produce(t, &kgo.Record{Topic: topic})
}

func TestKafkaThreeNodes(t *testing.T) {
	c := Start(t, Nodes(3))
	topic := c.NewTopic(t, 3)
	c.Kill(t, 2)
	c.ProduceN(t, topic, 30, func(int) *kgo.Record { return &kgo.Record{} })
	c.Restart(t, 2)
	if got, want := c.EndOffsets(t, topic), (map[int32]int64{0: 10, 1: 10, 2: 10}); !maps.Equal(got, want) {
		t.Errorf("end offsets %v, want %v", got, want)
	}
}

// Every supported version starts, and answers the helpers' requests.
func TestKafkaVersions(t *testing.T) {
	if testing.Short() {
		t.Skip("fetches and starts six more versions")
	}
	for v, r := range releases() {
		if v == DefaultVersion {
			continue // all other tests
		}
		t.Run(v, func(t *testing.T) {
			c := Start(t, Version(v))
			if c.Version() != v {
				t.Errorf("runs %s", c.Version())
			}
			exercise(t, c.Client)
			if !r.zookeeper {
				exerciseNewer(t, c.Client)
			}
			c.Kill(t, 1)
			c.Restart(t, 1)
			c.NewTopic(t, 2)
		})
	}
}

func TestKafkaSecurity(t *testing.T) {
	c := brokers.Cluster(t, ACLs(), User("alice", "pass-w0rd"), User("nobody", "n0body"))
	topic, group := c.NewTopic(t, 1), "g1"
	c.Produce(t, &kgo.Record{Topic: topic, Value: []byte("v")})
	cert, key := c.PKI().Issue(t, "alice")
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	c.AllowRead(t, "User:alice", topic, group)
	c.AllowRead(t, "User:CN=alice", topic, group)

	server := &tls.Config{RootCAs: c.PKI().Pool()}
	mutual := &tls.Config{RootCAs: c.PKI().Pool(), Certificates: []tls.Certificate{pair}}
	foreign := &tls.Config{RootCAs: NewPKI(t).Pool()}
	cases := []struct {
		name     string
		listener Listener
		tls      *tls.Config
		sasl     sasl.Mechanism
		want     string // part of the error; empty means the record is read
	}{
		{"scram-512", SASLSSL, server, scram.Auth{User: "alice", Pass: "pass-w0rd"}.AsSha512Mechanism(), ""},
		{"scram-256", SASLSSL, server, scram.Auth{User: "alice", Pass: "pass-w0rd"}.AsSha256Mechanism(), ""},
		{"plain", SASLSSL, server, plain.Auth{User: "alice", Pass: "pass-w0rd"}.AsMechanism(), ""},
		{"plain without TLS", SASLPlaintext, nil, plain.Auth{User: "alice", Pass: "pass-w0rd"}.AsMechanism(), ""},
		{"mtls", MTLS, mutual, nil, ""},
		{"wrong password", SASLSSL, server, scram.Auth{User: "alice", Pass: "x"}.AsSha512Mechanism(), "SASL_AUTHENTICATION_FAILED"},
		{"no acl", SASLSSL, server, plain.Auth{User: "nobody", Pass: "n0body"}.AsMechanism(), "AUTHORIZATION_FAILED"},
		{"tls without login", TLS, server, nil, ""},
		{"no client certificate", MTLS, server, nil, "certificate"},
		{"unknown authority", SASLSSL, foreign, plain.Auth{User: "alice", Pass: "pass-w0rd"}.AsMechanism(), "unknown authority"},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			err := readOne(t, c.BootstrapOf(k.listener), topic, k.tls, k.sasl)
			if k.want == "" && err != nil {
				t.Errorf("read: %v", err)
			}
			if k.want != "" && (err == nil || !strings.Contains(err.Error(), k.want)) {
				t.Errorf("error %v, want one with %q", err, k.want)
			}
		})
	}
}

func readOne(t *testing.T, seeds []string, topic string, config *tls.Config, mechanism sasl.Mechanism) error {
	t.Helper()
	opts := []kgo.Opt{kgo.SeedBrokers(seeds...), kgo.ConsumeTopics(topic), kgo.RequestRetries(0)}
	if config != nil {
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	if mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := cl.Ping(ctx); err != nil {
		return err
	}
	fetches := cl.PollRecords(ctx, 1)
	if err := fetches.Err(); err != nil {
		return err
	}
	if n := fetches.NumRecords(); n != 1 {
		return fmt.Errorf("%d records", n)
	}
	return nil
}
