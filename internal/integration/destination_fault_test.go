package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/internal/awstest"
)

// poisonous fails every record.
func poisonous(context.Context, esm.KafkaEvent) error { return errors.New("poison") }

// AWS does not answer, throttles, denies access, and accepts what it is sent without answering. Everything
// that a mapping gives up still arrives; duplicates have the same id, and an object exists once.
func TestDestinationFaults(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		eachDestination(t, e, func(t *testing.T, k *kept, cfg aws.Config) {
			if cfg.BaseEndpoint == nil {
				t.Skip("a topic's are in TestMissingDestination, and in destination/kafka")
			}
			t.Parallel()
			e := *e
			e.group = awstest.Name(t)
			var faults []awstest.Fault
			for _, f := range []awstest.Fault{
				{Status: http.StatusServiceUnavailable, Body: "<Error><Code>SlowDown</Code></Error>"},
				{Status: http.StatusBadRequest, Body: `{"__type":"ThrottlingException"}`},
				{Status: http.StatusForbidden, Body: `{"__type":"AccessDeniedException"}`},
				{Lost: true},
			} {
				faults = append(faults, slices.Repeat([]awstest.Fault{f}, 5)...) // the SDK itself tries three times
			}
			broken, network := awstest.WithFaults(t, cfg, faults...)
			topic := e.NewTopic(t, 2)
			e.fillAll(t, topic, 2, 30)
			m := e.failing(topic, k)
			m.BatchSize, m.MaximumRetryAttempts = 10, new(0)
			p := e.run(t, m, poisonous, awsDestinations(broken))
			eventually(t, "it shows", func() bool {
				return strings.HasPrefix(p.runner.Status().LastProcessingResult, "PROBLEM: on-failure destination "+k.name)
			}, p)
			e.committed(t, topic, map[int32]int64{0: 30, 1: 30}, p)
			eventually(t, "it is over", func() bool { return len(p.runner.Status().Conditions) == 0 }, p)
			p.endClean()
			if network.Requests() < len(faults)+6 {
				t.Errorf("%d requests", network.Requests())
			}
			ids := map[string]string{}
			for _, s := range k.now(t) {
				at, err := s.offsets()
				if err != nil {
					t.Fatal(err)
				}
				text, id := destination.FormatOffsets(at), s.attributes[destination.AttributeID]
				if before, again := ids[text]; again && before != id {
					t.Errorf("%s is there as %s and as %s", text, before, id)
				} else if again && strings.Contains(k.name, ":s3:") {
					t.Errorf("%s is there twice", text)
				}
				ids[text] = id
			}
			for i := range int32(2) {
				if got := slices.Sorted(maps.Keys(k.offsets(t)[i])); !slices.Equal(got, span(0, 30)) {
					t.Errorf("partition %d: %v", i, got)
				}
			}
		})
	})
}

// A destination that does not exist is reported at the start, before there is a failure, and does not hold up
// records that are handled. What waits for it arrives when it is created.
func TestMissingDestination(t *testing.T) {
	onFake(t, func(t *testing.T, e *env) {
		test := func(t *testing.T, name string, option esm.Option, create func()) {
			t.Parallel()
			e := *e
			e.group = awstest.Name(t)
			topic := e.NewTopic(t, 2)
			m := e.failing(topic, &kept{name: name})
			p := e.run(t, m, func(ctx context.Context, event esm.KafkaEvent) error {
				if len(event.Records[topic+"-0"]) > 0 {
					return poisonous(ctx, event)
				}
				return nil
			}, option).ready()
			eventually(t, "it shows at the start", func() bool {
				return strings.HasPrefix(p.runner.Status().LastProcessingResult, "PROBLEM: on-failure destination "+name)
			}, p)
			e.fillAll(t, topic, 2, 5)
			e.committed(t, topic, map[int32]int64{0: 0, 1: 5}, p)
			create()
			e.committed(t, topic, map[int32]int64{0: 5, 1: 5}, p)
			eventually(t, "it is over", func() bool { return len(p.runner.Status().Conditions) == 0 }, p)
			p.endClean()
		}
		t.Run("kafka", func(t *testing.T) {
			test(t, "kafka://made-later", esm.WithClientID("c"), func() { e.CreateTopic(t, "made-later", 1) })
		})
		awstest.Each(t, func(t *testing.T, cfg aws.Config) {
			account := strings.Split(queue(t, cfg).name, ":")[4]
			at := awsDestinations(cfg)
			t.Run("sqs", func(t *testing.T) {
				name := awstest.Name(t)
				test(t, fmt.Sprintf("arn:aws:sqs:%s:%s:%s", awstest.Region, account, name), at, func() {
					if _, err := awssqs.NewFromConfig(cfg).CreateQueue(t.Context(), &awssqs.CreateQueueInput{QueueName: &name}); err != nil {
						t.Error(err)
					}
				})
			})
			t.Run("sns", func(t *testing.T) {
				name := awstest.Name(t)
				test(t, fmt.Sprintf("arn:aws:sns:%s:%s:%s", awstest.Region, account, name), at, func() {
					if _, err := awssns.NewFromConfig(cfg).CreateTopic(t.Context(), &awssns.CreateTopicInput{Name: &name}); err != nil {
						t.Error(err)
					}
				})
			})
			t.Run("s3", func(t *testing.T) {
				name := awstest.Name(t)
				test(t, "arn:aws:s3:::"+name, at, func() {
					client := awss3.NewFromConfig(cfg, func(o *awss3.Options) { o.UsePathStyle = true })
					if _, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &name,
						CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: awstest.Region}}); err != nil {
						t.Error(err)
					}
				})
			})
		})
	})
}
