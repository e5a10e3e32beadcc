package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/s3"
	"github.com/esm-go/esm/destination/sqs"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/awstest"
	"github.com/esm-go/esm/internal/kafkatest"
)

// programEnv makes the test binary run as the program.
const programEnv = "ESM_TEST_PROGRAM"

// interrupted runs the program, interrupts it, then kills it, and brings n records back to f. Further runs bring back
// what the kill left hidden.
func interrupted(t *testing.T, f *repaired, n int, env []string, args ...string) {
	t.Helper()
	run := func(at int, signal syscall.Signal) (code int, output string) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], append(args, "-to", f.URL)...)
		cmd.Env = append(append(os.Environ(), programEnv+"=1"), env...)
		var text bytes.Buffer
		cmd.Stdout, cmd.Stderr = &text, &text
		started := make(chan struct{})
		f.mu.Lock()
		f.after = func(taken int) {
			if <-started; at > 0 && taken >= at {
				_ = cmd.Process.Signal(signal)
			}
		}
		f.mu.Unlock()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		close(started)
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode(), text.String()
	}
	if code, out := run(n/3, syscall.SIGINT); code != 1 || !strings.Contains(out, "The same command continues") {
		t.Errorf("interrupted: %d\n%s", code, out)
	}
	if first := f.taken(); first < n/3 || first > n/2 {
		t.Errorf("%d records were brought back before the interruption", first)
	}
	if code, out := run(2*n/3, syscall.SIGKILL); code != -1 {
		t.Errorf("killed: %d\n%s", code, out)
	}
	for end := time.Now().Add(2 * time.Minute); ; {
		code, out := run(0, 0)
		if code != 0 || time.Now().After(end) {
			t.Fatalf("%d, %d of %d records\n%s", code, f.taken(), n, out)
		}
		if f.taken() == n && strings.HasPrefix(out, "0 failures read") {
			break
		}
	}
	twice := 0
	for _, times := range f.got {
		twice += times - 1
	}
	if twice > 400 { // the batch that was killed and the one after it
		t.Errorf("%d records were brought back twice", twice)
	}
}

func (f *repaired) taken() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.got)
}

func TestKafkaRedriveInterrupted(t *testing.T) {
	const n = 10_000
	c := brokers.Cluster(t).Client
	topic := fillTopic(t, c, 4, n)
	interrupted(t, newRepaired(t), n, nil, "redrive", "-from", "kafka://"+topic, "-bootstrap-servers", strings.Join(c.Bootstrap(), ","))
}

// batches writes n records to a topic with two partitions and sends them in failures of a hundred.
func batches(t *testing.T, c *kafkatest.Client, to destination.Destination, n int) {
	t.Helper()
	topic := c.NewTopic(t, 2)
	records := make([]event.KafkaRecord, 0, n)
	c.ProduceN(t, topic, n, func(i int) *kgo.Record {
		r := event.KafkaRecord{Topic: topic, Partition: int32(i % 2), Offset: int64(i / 2), Timestamp: 1_700_000_000_000 + int64(i),
			Key: fmt.Append(nil, "key-", i), Value: fmt.Append(nil, `{"n":`, i, `}`)}
		records = append(records, r)
		return kafkatest.At(r.Partition, &kgo.Record{Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp)})
	})
	s := destination.NewSender(to, destination.SenderConfig{})
	var wg sync.WaitGroup
	for at := 0; at < n; at += 100 {
		f := failure(0)
		f.Event.Records = make(map[string][]event.KafkaRecord)
		for _, r := range records[at : at+100] {
			key := event.PartitionKey(r.Topic, r.Partition)
			f.Event.Records[key] = append(f.Event.Records[key], r)
		}
		wg.Add(1)
		s.Send(t.Context(), f, func(err error) {
			defer wg.Done()
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func awsEnv(cfg aws.Config) []string {
	return []string{"AWS_ENDPOINT_URL=" + *cfg.BaseEndpoint, "AWS_REGION=" + awstest.Region, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=x"}
}

func TestRedriveQueueInterrupted(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		t.Parallel()
		const n = 10_000
		c := kafkatest.Fake(t).Client
		arn, _ := awstest.Queue(t, cfg, nil)
		to, err := sqs.New(t.Context(), arn, sqs.WithConfig(cfg))
		if err != nil {
			t.Fatal(err)
		}
		batches(t, c, to, n)
		interrupted(t, newRepaired(t), n, awsEnv(cfg), "redrive", "-from", arn, "-bootstrap-servers", strings.Join(c.Bootstrap(), ","), "-visibility", "3s")
	})
}

func TestRedriveBucketInterrupted(t *testing.T) {
	t.Parallel()
	awstest.Each(t, func(t *testing.T, cfg aws.Config) {
		t.Parallel()
		const n = 10_000
		c := kafkatest.Fake(t).Client
		name, _ := awstest.Bucket(t, cfg)
		to, err := s3.New(t.Context(), "arn:aws:s3:::"+name, s3.WithConfig(cfg), s3.WithClientOptions(awstest.PathStyle))
		if err != nil {
			t.Fatal(err)
		}
		batches(t, c, to, n)
		interrupted(t, newRepaired(t), n, awsEnv(cfg), "redrive", "-from", "s3://"+name, "-s3-path-style")
	})
}
