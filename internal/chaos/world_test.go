package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/kafkatest"
)

// gated is the listener that the consumers use: SCRAM over TLS, through a network that can fail.
const gated kafkatest.Listener = "GATED"

const user = "consumer"

// cluster starts brokers for a campaign.
func cluster(t testing.TB, nodes int) *kafkatest.Cluster {
	return kafkatest.Start(t, kafkatest.Nodes(nodes), kafkatest.User(user, "first"), kafkatest.Heap("400m"),
		kafkatest.Open(kafkatest.Door{Name: gated, Protocol: "SASL_SSL", Gated: true}))
}

// world is one run: a topic, a group, the processes that consume the topic, and the producers.
type world struct {
	t       testing.TB
	c       *kafkatest.Cluster
	nodes   int
	driver  string
	rng     *rand.Rand
	dir     string
	topic   string
	mapping esm.Mapping
	secrets string
	static  bool // the consumers are static members

	partitions int
	passwords  int
	started    int
	processes  []*process // the running ones
	files      []string   // of all that ever ran
	faults     []span
}

func newWorld(t testing.TB, c *kafkatest.Cluster, nodes int, driver string, seed uint64) *world {
	w := &world{t: t, c: c, nodes: nodes, driver: driver, rng: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(), partitions: 4}
	if w.static = seed%3 == 0; w.static {
		t.Log("static members")
	}
	w.secrets = filepath.Join(w.dir, "secrets")
	if err := os.Mkdir(w.secrets, 0o700); err != nil {
		t.Fatal(err)
	}
	w.topic = c.NewTopic(t, w.partitions)
	w.secret("ca", map[string]string{"certificate": string(c.PKI().CA())})
	w.setPassword()
	w.mapping = esm.Mapping{
		FunctionName:                      "chaos",
		SelfManagedEventSource:            esm.SelfManagedEventSource{Endpoints: esm.Endpoints{KafkaBootstrapServers: c.BootstrapOf(gated)}},
		SelfManagedKafkaEventSourceConfig: &esm.SelfManagedKafkaEventSourceConfig{ConsumerGroupId: "group-" + w.topic},
		SourceAccessConfigurations: []esm.SourceAccessConfiguration{
			{Type: auth.SASLSCRAM512Auth, URI: "login"}, {Type: auth.ServerRootCACertificate, URI: "ca"}},
		Topics:                         []string{w.topic},
		BatchSize:                      1 + w.rng.IntN(100),
		MaximumBatchingWindowInSeconds: new(w.rng.IntN(2)),
	}
	return w
}

// secret writes a secret as a rotation does: complete, and renamed into place.
func (w *world) secret(name string, content map[string]string) {
	data, err := json.Marshal(content)
	if err == nil {
		err = os.WriteFile(filepath.Join(w.secrets, name+".new"), data, 0o600)
	}
	if err == nil {
		err = os.Rename(filepath.Join(w.secrets, name+".new"), filepath.Join(w.secrets, name))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// setPassword changes the password of the consumers' user, first at the brokers, then in the secret.
func (w *world) setPassword() {
	w.passwords++
	password := "password-" + strconv.Itoa(w.passwords) + "-" + w.topic
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	got, err := w.c.Admin().AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: user, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: password}})
	if err == nil {
		err = got.Error()
	}
	if err != nil {
		w.t.Fatalf("set the password: %v", err)
	}
	w.secret("login", map[string]string{"username": user, "password": password})
}

// start starts one more consumer.
func (w *world) start() *process {
	w.started++
	name := filepath.Join(w.dir, "consumer-"+strconv.Itoa(w.started))
	c := consumer{Driver: w.driver, Mapping: w.mapping, Secrets: w.secrets, File: name, Log: name + ".log", Seed: w.rng.Uint64()}
	if w.static {
		c.Static = "consumer-" + strconv.Itoa(w.started)
	}
	p := c.start(w.t)
	w.processes = append(w.processes, p)
	w.files = append(w.files, name)
	return p
}

// pick chooses one of the running consumers.
func (w *world) pick() int { return w.rng.IntN(len(w.processes)) }

// gone removes a consumer that has ended from the list.
func (w *world) gone(i int) { w.processes = append(w.processes[:i], w.processes[i+1:]...) }

// during records when a fault occurred. The fault explains repeated records for a while longer: until the
// group is complete again, and what was in flight has been handled again.
func (w *world) during(fault string, f func()) {
	const after = 20 * time.Second
	from := time.Now()
	f()
	w.faults = append(w.faults, span{fault, from.UnixMicro(), time.Now().Add(after).UnixMicro()})
}

// write produces until ctx ends: single records to any partition, and transactions of a few records, a third
// of which are aborted.
func (w *world) write(ctx context.Context, wg *sync.WaitGroup) {
	wg.Go(func() { w.produce(ctx) })
	wg.Go(func() { w.transact(ctx) })
}

func (w *world) produce(ctx context.Context) {
	client := w.c.Connect(w.t, kgo.DefaultProduceTopic(w.topic), kgo.ProducerLinger(5*time.Millisecond), kgo.MetadataMaxAge(time.Second), kgo.MetadataMinAge(100*time.Millisecond))
	defer client.Close()
	for n := 0; ctx.Err() == nil; n++ {
		for range 10 {
			client.Produce(context.Background(), &kgo.Record{Key: strconv.AppendInt(nil, int64(n%97), 10), Value: fmt.Appendf(nil, "record %d of the plain producer", n)}, nil)
		}
		wait(ctx, 10*time.Millisecond)
	}
	flush, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := client.Flush(flush); err != nil {
		w.t.Errorf("flush: %v", err)
	}
}

// transact runs one transaction after the other. If the coordinator ended a producer's transaction by itself,
// for example after a broker was killed, the producer may be fenced, and a new one takes its place.
func (w *world) transact(ctx context.Context) {
	for n := 0; ctx.Err() == nil; {
		client := w.c.Connect(w.t, kgo.DefaultProduceTopic(w.topic), kgo.TransactionalID("writer-"+w.topic), kgo.TransactionTimeout(10*time.Second), kgo.MetadataMaxAge(time.Second), kgo.MetadataMinAge(100*time.Millisecond))
		for ctx.Err() == nil && client.BeginTransaction() == nil {
			w.transaction(client, n)
			n++
			wait(ctx, 50*time.Millisecond)
		}
		client.Close()
		wait(ctx, 50*time.Millisecond)
	}
}

// transaction runs transaction n. A third of them are aborted.
func (w *world) transaction(client *kgo.Client, n int) {
	for range 5 {
		client.Produce(context.Background(), &kgo.Record{Value: fmt.Appendf(nil, "record of transaction %d", n)}, nil)
	}
	end, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := client.Flush(end)
	commit := kgo.TransactionEndTry(n%3 != 0 && err == nil)
	if err := client.EndTransaction(end, commit); err != nil {
		// The broker was killed with it: the coordinator aborts it, and the next transaction starts over.
		_ = client.EndTransaction(end, kgo.TryAbort)
	}
}

// wait waits for a duration or the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
