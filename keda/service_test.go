package keda

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/esm-go/esm/keda/internal/externalscaler"
)

// TestReplicasFollowTheCommits makes a member of a real group fall behind and catch up.
func TestReplicasFollowTheCommits(t *testing.T) {
	const partitions = 8
	r := newRig(t, Options{}, kfake.SeedTopics(partitions, "t")).connect()
	ref := r.ref(map[string]string{"maxReplicas": "6"})
	if replicas, active := r.wanted(ref); replicas != 0 || active {
		t.Fatalf("%d replicas, active %v, with nothing to do", replicas, active)
	}
	spec, err := r.keda.GetMetricSpec(r.context, ref)
	r.check(err)
	if specs := spec.GetMetricSpecs(); len(specs) != 1 || specs[0].GetMetricName() != MetricName || specs[0].GetTargetSizeFloat() != 1 || specs[0].GetTargetSize() != 1 {
		t.Fatalf("the spec is %v", spec)
	}

	r.produce("t", partitions, 2000)
	r.next(ref)
	if replicas, active := r.wanted(ref); replicas != 1 || !active {
		t.Fatalf("%d replicas, active %v, want the first one to start", replicas, active)
	}
	member := r.newClient(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit(), kgo.FetchMaxBytes(1))
	if _, err := r.kafka.WaitGroupStable(r.context, "g", 1); err != nil {
		t.Fatal(err)
	}
	commit := func(at int64) {
		t.Helper()
		offsets := map[int32]kgo.EpochOffset{}
		for p := range int32(partitions) {
			offsets[p] = kgo.EpochOffset{Epoch: -1, Offset: at}
		}
		failure := errors.New("no answer to the commit")
		member.CommitOffsetsSync(r.context, map[string]map[int32]kgo.EpochOffset{"t": offsets},
			func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
				failure = err
			})
		r.check(failure)
	}
	// One worker processes 20 records of each partition in 10 s: 16 a second. The backlog of 16,000 needs
	// more than the maximum.
	for i := range int64(4) {
		commit(20 * (i + 1))
		r.next(ref)
	}
	if replicas, active := r.wanted(ref); replicas != 6 || !active {
		t.Fatalf("%d replicas, active %v, want all 6: %s", replicas, active, r.object(ref).now().answer.reason)
	}
	if lag := r.lag(ref); lag != partitions*(2000-80) {
		t.Errorf("lag %d", lag)
	}
	commit(2000)
	r.next(ref)
	r.next(ref)
	if replicas, active := r.wanted(ref); replicas != 0 || active {
		t.Fatalf("%d replicas, active %v, after the backlog is gone", replicas, active)
	}
}

func TestInvalidMetadataIsInvalidArgument(t *testing.T) {
	r := newRig(t, Options{})
	ref := r.ref(map[string]string{"policy": "Magic", "interval": "1ms"})
	_, errSpec := r.keda.GetMetricSpec(r.context, ref)
	_, errActive := r.keda.IsActive(r.context, ref)
	_, errMetrics := r.metrics(ref)
	stream, err := r.keda.StreamIsActive(r.context, ref)
	r.check(err)
	_, errStream := stream.Recv()
	for _, err := range []error{errSpec, errActive, errMetrics, errStream} {
		st := status.Convert(err)
		if st.Code() != codes.InvalidArgument || !strings.Contains(st.Message(), `policy = "Magic"`) || !strings.Contains(st.Message(), "Drain or Lambda") {
			t.Fatalf("the error is %v", err)
		}
		var named []string
		for _, detail := range st.Details() {
			for _, v := range detail.(*errdetails.BadRequest).GetFieldViolations() {
				named = append(named, v.GetField())
			}
		}
		if !slices.Equal(named, []string{"policy", "interval"}) {
			t.Errorf("the details name %v", named)
		}
	}
	_, err = r.keda.GetMetrics(r.context, &externalscaler.GetMetricsRequest{ScaledObjectRef: r.ref(nil), MetricName: "lag"})
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), MetricName) {
		t.Errorf("another metric: %v", err)
	}
	if r.loops() != 0 {
		t.Errorf("%d loops for metadata that cannot be used", r.loops())
	}
}

func TestBrokersThatDoNotAnswer(t *testing.T) {
	r := newRig(t, Options{}, kfake.SeedTopics(2, "t")).connect()
	r.produce("t", 2, 10)
	ref := r.ref(map[string]string{"maxAge": "25s"})
	if replicas, active := r.wanted(ref); replicas != 1 || !active {
		t.Fatalf("%d replicas, active %v", replicas, active)
	}
	r.kafka.Close()
	for range 2 { // 10 s, 20 s
		r.next(ref)
		if replicas, active := r.wanted(ref); replicas != 1 || !active {
			t.Fatalf("%d replicas, active %v: the last answer should stay", replicas, active)
		}
	}
	r.next(ref) // 30 s
	_, err := r.metrics(ref)
	if st := status.Convert(err); st.Code() != codes.Unavailable || !strings.Contains(st.Message(), "1 replicas, is 30s old, over maxAge 25s") {
		t.Errorf("over maxAge: %v", err)
	}
	if _, err := r.keda.IsActive(r.context, ref); status.Code(err) != codes.Unavailable {
		t.Errorf("over maxAge: %v", err)
	}
	// No broker ever answered.
	other := r.ref(map[string]string{"consumerGroup": "other"})
	if _, err := r.metrics(other); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "look up the topics") {
		t.Errorf("no broker at all: %v", err)
	}
}

func TestStreamPushesChanges(t *testing.T) {
	r := newRig(t, Options{}, kfake.SeedTopics(2, "t")).connect()
	ref := r.ref(nil)
	stream, err := r.keda.StreamIsActive(r.context, ref)
	r.check(err)
	expect := func(want bool) {
		t.Helper()
		response, err := stream.Recv()
		r.check(err)
		if response.GetResult() != want {
			t.Fatalf("pushed %v, want %v", response.GetResult(), want)
		}
	}
	expect(false)
	r.next(ref) // no change, nothing pushed
	r.produce("t", 2, 1)
	r.next(ref)
	expect(true)
	r.commit("g", "t", 2, 1, "")
	r.next(ref) // commits moved
	r.next(ref)
	expect(false)

	r.scaler.Close()
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable || errors.Is(err, io.EOF) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := r.metrics(ref); status.Code(err) != codes.Unavailable {
		t.Errorf("after Close: %v", err)
	}
}

func TestIdleObjectsAreEvicted(t *testing.T) {
	r := newRig(t, Options{IdleAfter: time.Minute, MaximumObjects: 1}, kfake.SeedTopics(2, "t"))
	ref := r.ref(nil)
	r.wanted(ref)
	if _, err := r.metrics(r.ref(map[string]string{"consumerGroup": "other"})); status.Code(err) != codes.ResourceExhausted {
		t.Fatalf("one too many: %v", err)
	}
	o := r.object(ref)
	for range 5 { // asked from time to time
		r.clock.advance(40 * time.Second)
		r.wanted(ref)
	}
	if r.object(ref) != o {
		t.Fatal("evicted although it was asked for")
	}
	ctx, cancel := context.WithCancel(r.context)
	stream, err := r.keda.StreamIsActive(ctx, ref)
	r.check(err)
	_, err = stream.Recv()
	r.check(err)
	for range 4 { // no calls, but a stream is open
		was := o.now().readings
		r.clock.advance(50 * time.Second)
		_, err := o.wait(r.context, func(s state) bool { return s.readings > was })
		r.check(err)
	}
	cancel()
	for err == nil { // the loop ends by itself
		was := o.now().readings
		r.clock.advance(30 * time.Second)
		_, err = o.wait(r.context, func(s state) bool { return s.readings > was })
	}
	if !errors.Is(err, errEvicted) {
		t.Fatal(err)
	}
	if replicas, active := r.wanted(ref); replicas != 0 || active || r.object(ref) == o {
		t.Error("asked again, it should be followed anew")
	}
}

func TestOneLoopForManyCallers(t *testing.T) {
	r := newRig(t, Options{}, kfake.SeedTopics(2, "t"))
	ref := r.ref(nil)
	errs := make(chan error, 20)
	for range cap(errs) {
		go func() {
			_, err := r.keda.IsActive(r.context, ref)
			errs <- err
		}()
	}
	for range cap(errs) {
		r.check(<-errs)
	}
	if n := r.loops(); n != 1 {
		t.Errorf("%d loops", n)
	}
	if n := r.object(ref).now().readings; n != 1 {
		t.Errorf("%d readings for calls within one interval", n)
	}
}

// TestCredentials makes the scaler log in with a secret from a file, over TLS, and changes the password.
func TestCredentials(t *testing.T) {
	pki := newPKI(t)
	r := newRig(t, Options{Secrets: NamespacedFiles(pki.dir)}, kfake.SeedTopics(1, "t"), kfake.TLS(pki.server),
		kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "scaler", "right"))
	secret := filepath.Join(pki.dir, "shop", "kafka.json")
	write := func(password string) {
		t.Helper()
		r.check(os.WriteFile(secret, []byte(`{"username":"scaler","password":"`+password+`"}`), 0o600))
	}
	write("wrong-guess")
	ref := r.ref(map[string]string{
		"sourceAccessType": "SASL_SCRAM_512_AUTH", "sourceAccessURI": "file:kafka.json", "serverRootCACertificate": "file:ca.json",
	})
	_, err := r.metrics(ref)
	if status.Code(err) != codes.Unavailable || strings.Contains(err.Error(), "wrong-guess") {
		t.Fatalf("with a wrong password: %v", err)
	}
	write("right")
	r.next(ref)
	if replicas, active := r.wanted(ref); replicas != 0 || active {
		t.Errorf("%d replicas, active %v", replicas, active)
	}

	ref.Namespace = "other"
	if _, err := r.metrics(ref); status.Code(err) != codes.FailedPrecondition || strings.Contains(err.Error(), "right") {
		t.Errorf("another namespace's secret: %v", err)
	}
	for _, namespace := range []string{"", "..", "../shop", "shop/..", "."} {
		if NamespacedFiles(pki.dir)(namespace) != nil {
			t.Errorf("namespace %q has secrets", namespace)
		}
	}
	plain := r.ref(map[string]string{"consumerGroup": "plain"})
	if _, err := r.metrics(plain); status.Code(err) != codes.Unavailable {
		t.Errorf("without credentials: %v", err)
	}
}
