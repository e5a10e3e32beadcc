package keda

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/esm-go/esm/keda/internal/externalscaler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handClock is a clock that tests advance.
type handClock struct {
	mu     sync.Mutex
	at     time.Time
	timers []handTimer
}

type handTimer struct {
	due   time.Time
	fires chan time.Time
}

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *handClock) after(d time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fires := make(chan time.Time, 1)
	c.timers = append(c.timers, handTimer{c.at.Add(d), fires})
	return fires, func() {}
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	c.timers = slices.DeleteFunc(c.timers, func(t handTimer) bool {
		if t.due.After(c.at) {
			return false
		}
		t.fires <- c.at
		return true
	})
}

// rig is a Kafka, a scaler, and KEDA's end of a gRPC connection to it.
type rig struct {
	tb      testing.TB
	kafka   *kfake.Cluster
	admin   *kadm.Client
	client  *kgo.Client
	clock   *handClock
	scaler  *Server
	keda    externalscaler.ExternalScalerClient
	context context.Context
	brokers string
}

func newRig(t *testing.T, options Options, cluster ...kfake.Opt) *rig {
	t.Helper()
	r := &rig{tb: t, clock: &handClock{at: epoch}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	r.context = ctx
	var err error
	if r.kafka, err = kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second)}, cluster...)...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.kafka.Close)
	r.brokers = r.kafka.ListenAddrs()[0]

	options.clock = r.clock
	r.scaler = New(options)
	t.Cleanup(r.scaler.Close)
	server := grpc.NewServer()
	r.scaler.Register(server)
	listener := bufconn.Listen(1 << 16)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		r.scaler.Close() // before the streams' server
		server.Stop()
		<-served
	})
	conn, err := grpc.NewClient("passthrough:///bufconn", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r.keda = externalscaler.NewExternalScalerClient(conn)
	return r
}

// connect creates the test's own client, for clusters without credentials.
func (r *rig) connect(opts ...kgo.Opt) *rig {
	r.tb.Helper()
	r.client = r.newClient(opts...)
	r.admin = kadm.NewClient(r.client)
	return r
}

func (r *rig) newClient(opts ...kgo.Opt) *kgo.Client {
	r.tb.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(r.brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(10 * time.Millisecond),
	}, opts...)...)
	r.check(err)
	r.tb.Cleanup(client.Close)
	return client
}

func (r *rig) check(err error) {
	r.tb.Helper()
	if err != nil {
		r.tb.Fatal(err)
	}
}

// produce writes each records to every partition.
func (r *rig) produce(topic string, partitions int32, each int) {
	r.tb.Helper()
	var records []*kgo.Record
	for p := range partitions {
		for range each {
			records = append(records, &kgo.Record{Topic: topic, Partition: p, Value: []byte("x")})
		}
	}
	r.check(r.client.ProduceSync(r.context, records...).FirstErr())
}

// commit commits an offset for each partition, as a client outside the group.
func (r *rig) commit(group, topic string, partitions int32, at int64, metadata string) {
	r.tb.Helper()
	offsets := kadm.Offsets{}
	for p := range partitions {
		offsets.Add(kadm.Offset{Topic: topic, Partition: p, At: at, LeaderEpoch: -1, Metadata: metadata})
	}
	r.check(r.admin.CommitAllOffsets(r.context, group, offsets))
}

// ref returns a trigger for this rig's Kafka.
func (r *rig) ref(extra map[string]string) *externalscaler.ScaledObjectRef {
	metadata := metadataOf(map[string]string{"bootstrapServers": r.brokers})
	for name, value := range extra {
		metadata[name] = value
	}
	return &externalscaler.ScaledObjectRef{Name: "orders", Namespace: "shop", ScalerMetadata: metadata}
}

func (r *rig) metrics(ref *externalscaler.ScaledObjectRef) (int, error) {
	r.tb.Helper()
	response, err := r.keda.GetMetrics(r.context, &externalscaler.GetMetricsRequest{ScaledObjectRef: ref, MetricName: MetricName})
	if err != nil {
		return 0, err
	}
	values := response.GetMetricValues()
	if len(values) != 1 || values[0].GetMetricName() != MetricName || float64(values[0].GetMetricValue()) != values[0].GetMetricValueFloat() {
		r.tb.Fatalf("the metrics are %v", values)
	}
	return int(values[0].GetMetricValue()), nil
}

// wanted returns the answer to KEDA, which must not be an error.
func (r *rig) wanted(ref *externalscaler.ScaledObjectRef) (replicas int, active bool) {
	r.tb.Helper()
	replicas, err := r.metrics(ref)
	r.check(err)
	response, err := r.keda.IsActive(r.context, ref)
	r.check(err)
	return replicas, response.GetResult()
}

// next advances the clock by one interval and waits for the resulting reading.
func (r *rig) next(ref *externalscaler.ScaledObjectRef) *object {
	r.tb.Helper()
	o := r.object(ref)
	was := o.now().readings
	r.clock.advance(o.cfg.interval)
	_, err := o.wait(r.context, func(s state) bool { return s.readings > was })
	r.check(err)
	return o
}

// object returns the object that follows ref, after its first reading.
func (r *rig) object(ref *externalscaler.ScaledObjectRef) *object {
	r.tb.Helper()
	o, err := r.scaler.follow(ref, 0)
	r.check(err)
	_, err = o.wait(r.context, func(s state) bool { return s.readings > 0 })
	r.check(err)
	return o
}

func (r *rig) lag(ref *externalscaler.ScaledObjectRef) int64 {
	r.tb.Helper()
	s := r.object(ref).now()
	r.check(s.failure)
	return s.answer.summary.lag
}

// loops returns how many ScaledObjects are followed.
func (r *rig) loops() int {
	r.scaler.mu.Lock()
	defer r.scaler.mu.Unlock()
	return len(r.scaler.objects)
}
