package keda

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/internal/kafkatest"
)

// TestKafkaReadings reads groups of both protocols on Apache Kafka, in every situation that must not mislead
// a reading.
func TestKafkaReadings(t *testing.T) {
	c := kafkatest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, protocol := range []struct {
		name string
		opts []kgo.Opt
	}{{"classic", nil}, {"KIP-848", []kgo.Opt{kgo.ServerSideBalancer()}}} {
		t.Run(protocol.name, func(t *testing.T) {
			topic := c.NewTopic(t, 4)
			group := fmt.Sprintf("g-%d", time.Now().UnixNano())
			cfg := mustParse(t, map[string]string{
				"bootstrapServers": strings.Join(c.Bootstrap(), ","), "consumerGroup": group, "topics": topic,
			})
			client, err := newClient(cfg, &auth.Credentials{})
			if err != nil {
				t.Fatal(err)
			}
			r := newReader(cfg)
			r.use(client)
			defer r.drop()
			now, m := epoch, meter{cfg: cfg}
			read := func() (*reading, summary) {
				t.Helper()
				now = now.Add(10 * time.Second)
				got, err := r.read(ctx, now)
				if err != nil {
					t.Fatal(err)
				}
				_, sum := m.observe(got)
				return got, sum
			}

			if got, sum := read(); len(got.members) != 0 || !got.settled || len(got.partitions) != 4 || sum.lag != 0 {
				t.Errorf("a group that does not exist: %+v, lag %d", got, sum.lag)
			}
			c.ProduceN(t, topic, 400, func(i int) *kgo.Record { return kafkatest.At(int32(i%4), &kgo.Record{Value: []byte("x")}) })
			if _, sum := read(); sum.lag != 400 || sum.arrived != 400 {
				t.Errorf("produced 400: lag %d, arrived %d", sum.lag, sum.arrived)
			}
			writer := c.Connect(t, kgo.TransactionalID(group))
			if err := errors.Join(writer.BeginTransaction(), writer.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr()); err != nil {
				t.Fatal(err)
			}
			if _, sum := read(); sum.lag != 400 {
				t.Errorf("with a record that is not committed: lag %d, want 400", sum.lag)
			}
			if err := writer.EndTransaction(ctx, kgo.TryAbort); err != nil {
				t.Fatal(err)
			}

			members := make([]*kgo.Client, 2)
			for i := range members {
				members[i] = c.Connect(t, append([]kgo.Opt{kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit()}, protocol.opts...)...)
			}
			for seen := 0; seen < 4; {
				seen = 0
				got, _ := read()
				for _, one := range got.members {
					if got.settled && len(got.members) == 2 && len(one.partitions) == 2 {
						seen += 2
					}
				}
			}
			for _, one := range members {
				handled := 0
				for handled < 200 {
					fetches := one.PollFetches(ctx)
					if err := fetches.Err0(); err != nil {
						t.Fatal(err)
					}
					handled += fetches.NumRecords()
				}
				if err := one.CommitUncommittedOffsets(ctx); err != nil {
					t.Fatal(err)
				}
			}
			// The aborted record and its marker are at the end of one partition, and the client may have
			// committed before or after them.
			if _, sum := read(); sum.lag > 2 || sum.done < 400 {
				t.Errorf("after the group caught up: lag %d, done %d", sum.lag, sum.done)
			}
			for _, one := range members {
				one.Close()
			}
			if got, sum := read(); len(got.members) != 0 || sum.lag > 2 {
				t.Errorf("nobody there: %d members, lag %d", len(got.members), sum.lag)
			}

			c.DeleteTopic(t, topic)
			for { // ZooKeeper's brokers continue deleting after they have answered
				_, err := c.Admin().CreateTopic(ctx, 4, 1, nil, topic)
				if err == nil {
					break
				}
				if !errors.Is(err, kerr.TopicAlreadyExists) {
					t.Fatal(err)
				}
			}
			c.WaitLeaders(t, topic, 4)
			again := c.Connect(t)
			for range 8 {
				if err := again.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			if _, sum := read(); sum.lag != 8 || sum.done != 0 {
				t.Errorf("made again: lag %d, done %d, want all 8 and nothing done", sum.lag, sum.done)
			}
		})
	}

	t.Run("over gRPC", func(t *testing.T) {
		topic := c.NewTopic(t, 2)
		c.ProduceN(t, topic, 10, func(int) *kgo.Record { return &kgo.Record{Value: []byte("x")} })
		r := newRig(t, Options{})
		ref := r.ref(map[string]string{"bootstrapServers": strings.Join(c.Bootstrap(), ","), "topics": topic, "consumerGroup": "over-grpc"})
		if replicas, active := r.wanted(ref); replicas != 1 || !active {
			t.Errorf("%d replicas, active %v", replicas, active)
		}
		ref.ScalerMetadata["topics"] = "no-such-topic"
		if _, err := r.metrics(ref); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "no-such-topic") {
			t.Errorf("a topic that does not exist: %v", err)
		}
	})
}
