package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/internal/kafkatest"
)

// broker is what the contestants read from: an existing cluster, an Apache Kafka started for the run, or the
// in-process one.
type broker struct {
	name      string
	bootstrap []string
	admin     *kadm.Client
	client    *kgo.Client
	fake      bool
	close     func()
}

func connect(b *broker) (*broker, error) {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(b.bootstrap...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(128<<10),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(20*time.Millisecond),
		kgo.MaxBufferedBytes(64<<20),
		kgo.MaxBufferedRecords(200_000),
		kgo.UnknownTopicRetries(-1),
		kgo.MetadataMinAge(100*time.Millisecond),
	)
	if err != nil {
		b.close()
		return nil, err
	}
	b.client, b.admin = cl, kadm.NewClient(cl)
	end := b.close
	b.close = func() { cl.Close(); end() }
	return b, nil
}

// startKafka starts an Apache Kafka for the run.
func startKafka() (*broker, error) {
	dir, err := os.MkdirTemp("", "esm-bench-")
	if err != nil {
		return nil, err
	}
	remove := func() { _ = os.RemoveAll(dir) } // a folder inside the temporary folder
	c, err := kafkatest.Launch(dir, kafkatest.Property("log.retention.ms", "-1"))
	if err != nil {
		remove()
		return nil, err
	}
	return connect(&broker{
		name: "Apache Kafka " + c.Version(), bootstrap: c.Bootstrap(),
		close: func() { c.End(); remove() },
	})
}

// startFake starts franz-go's in-process Kafka. With a value size it answers every fetch from one canned
// batch, without end.
func startFake(valueBytes int) (*broker, error) {
	opts := []kfake.Opt{kfake.NumBrokers(1)}
	if valueBytes > 0 {
		opts = append(opts, kfake.SyntheticFetch(kfake.SyntheticBatch{RecordBytes: valueBytes, Records: max((128<<10)/valueBytes, 1)}))
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, err
	}
	return connect(&broker{name: "kfake, synthetic fetch", bootstrap: c.ListenAddrs(), fake: true, close: c.Close})
}

func openKafka(bootstrap []string) (*broker, error) {
	if len(bootstrap) == 0 {
		return startKafka()
	}
	return connect(&broker{name: "the cluster at " + bootstrap[0], bootstrap: bootstrap, close: func() {}})
}

// topic creates a topic, or uses an existing one, and fills it up to a number of records.
func (b *broker) topic(ctx context.Context, name string, partitions, valueBytes int, records int64) error {
	const most = 5000 // Apache Kafka's controller rejects requests that create 10,000 records or more
	_, err := b.admin.CreateTopic(ctx, int32(min(partitions, most)), 1, nil, name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create %s: %w", name, err)
	}
	for n := most; err == nil && n < partitions; {
		n = min(n+most, partitions)
		grown, err := b.admin.UpdatePartitions(ctx, n, name)
		if err == nil {
			err = grown.Error()
		}
		if err != nil {
			return fmt.Errorf("grow %s to %d partitions: %w", name, n, err)
		}
	}
	if b.fake {
		return nil
	}
	have, err := b.count(ctx, name, partitions)
	if err != nil {
		return err
	}
	values := make([][]byte, 512)
	for i := range values {
		values[i] = make([]byte, valueBytes)
		_, _ = rand.Read(values[i]) // never fails
	}
	var first kgo.FirstErrPromise
	slab := make([]kgo.Record, 0)
	for i := have; i < records; i++ {
		if len(slab) == 0 {
			slab = make([]kgo.Record, 1024)
		}
		r := &slab[0]
		slab = slab[1:]
		r.Topic, r.Partition, r.Value = name, int32(i/64)%int32(partitions), values[i%512]
		b.client.Produce(ctx, r, first.Promise())
	}
	return first.Err()
}

// count waits until all partitions of the topic have leaders, and counts its records.
func (b *broker) count(ctx context.Context, name string, partitions int) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for {
		ends, err := b.admin.ListEndOffsets(ctx, name)
		if err == nil {
			err = ends.Error()
		}
		if err == nil && len(ends[name]) >= partitions {
			var n int64
			ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
			return n, nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return 0, errors.Join(ctx.Err(), err)
		}
	}
}

// groupName returns a new name for each run.
func groupName() string { return "esm-bench-" + rand.Text()[:8] }
