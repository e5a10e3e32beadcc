package integration

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	awssns "github.com/aws/aws-sdk-go-v2/service/sns"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/internal/awstest"
	"github.com/esm-go/esm/internal/kafkatest"
)

// sent is a failure as stored by its destination.
type sent struct {
	document   []byte
	attributes map[string]string
	key        string // the message's or the object's
}

// kept is a destination for a mapping, and a function that reads it.
type kept struct {
	name string
	read func(t testing.TB) []sent
	all  []sent
}

// now also reads what has arrived since.
func (k *kept) now(t testing.TB) []sent {
	t.Helper()
	k.all = append(k.all, k.read(t)...)
	return k.all
}

// offsets counts how often the destination holds each record, by partition and offset.
func (k *kept) offsets(t testing.TB) map[int32]map[int64]int {
	t.Helper()
	got := map[int32]map[int64]int{}
	for _, s := range k.now(t) {
		all, err := s.offsets()
		if err != nil {
			t.Fatalf("%s: %v", s.document, err)
		}
		for _, o := range all {
			if got[o.Partition] == nil {
				got[o.Partition] = map[int64]int{}
			}
			for _, run := range o.Runs {
				for at := run.First; at <= run.Last; at++ {
					got[o.Partition][at]++
				}
			}
		}
	}
	return got
}

func (s *sent) offsets() ([]destination.Offsets, error) {
	if text := s.attributes[destination.AttributeOffsets]; text != "" {
		return destination.ParseOffsets(text)
	}
	d, err := destination.Parse(s.document)
	if err != nil {
		return nil, err
	}
	f := destination.Failure{Event: d.Event}
	return f.Offsets(), nil
}

// newsOf returns a function that reads what has arrived in a topic since its last call.
func newsOf(c *kafkatest.Client, topic string) func(testing.TB) []sent {
	next := map[int32]int64{}
	return func(t testing.TB) (all []sent) {
		t.Helper()
		ends, begin, left := c.EndOffsets(t, topic), map[int32]kgo.Offset{}, int64(0)
		for p, end := range ends {
			if left += end - next[p]; end > next[p] {
				begin[p] = kgo.NewOffset().At(next[p])
			}
		}
		if left == 0 {
			return nil
		}
		cl := c.Connect(t, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: begin}))
		defer cl.Close()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for left > 0 && ctx.Err() == nil {
			cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				if r.Offset >= ends[r.Partition] {
					return
				}
				s := sent{document: r.Value, key: string(r.Key), attributes: map[string]string{}}
				for _, h := range r.Headers {
					s.attributes[h.Key] = string(h.Value)
				}
				all, left = append(all, s), left-1
			})
		}
		maps.Copy(next, ends)
		return all
	}
}

// queue creates an SQS queue; read removes its messages.
func queue(t testing.TB, cfg aws.Config) *kept {
	t.Helper()
	client := awssqs.NewFromConfig(cfg)
	arn, url := awstest.Queue(t, cfg, nil)
	return &kept{name: arn, read: func(t testing.TB) (all []sent) {
		t.Helper()
		for {
			in, err := client.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10,
				MessageAttributeNames: []string{"All"}})
			if err != nil {
				t.Fatal(err)
			}
			if len(in.Messages) == 0 {
				return all
			}
			for _, m := range in.Messages {
				s := sent{document: []byte(*m.Body), attributes: map[string]string{}}
				for name, a := range m.MessageAttributes {
					s.attributes[name] = *a.StringValue
				}
				all = append(all, s)
				if _, err := client.DeleteMessage(t.Context(), &awssqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}}
}

// topicOf creates an SNS topic, read through a subscribed queue.
func topicOf(t testing.TB, cfg aws.Config) *kept {
	t.Helper()
	q, client := queue(t, cfg), awssns.NewFromConfig(cfg)
	made, err := client.CreateTopic(t.Context(), &awssns.CreateTopicInput{Name: aws.String(awstest.Name(t))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Subscribe(t.Context(), &awssns.SubscribeInput{TopicArn: made.TopicArn, Protocol: aws.String("sqs"), Endpoint: &q.name}); err != nil {
		t.Fatal(err)
	}
	return &kept{name: *made.TopicArn, read: func(t testing.TB) (all []sent) {
		t.Helper()
		for _, s := range q.read(t) {
			var envelope struct {
				Message           string
				MessageAttributes map[string]struct{ Value string }
			}
			if err := json.Unmarshal(s.document, &envelope); err != nil {
				t.Fatal(err)
			}
			s = sent{document: []byte(envelope.Message), attributes: map[string]string{}}
			for name, a := range envelope.MessageAttributes {
				s.attributes[name] = a.Value
			}
			all = append(all, s)
		}
		return all
	}}
}

// bucket creates an S3 bucket; read removes its objects.
func bucket(t testing.TB, cfg aws.Config) *kept {
	t.Helper()
	name, client := awstest.Bucket(t, cfg)
	return &kept{name: "arn:aws:s3:::" + name, read: func(t testing.TB) (all []sent) {
		t.Helper()
		for {
			list, err := client.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: &name})
			if err != nil {
				t.Fatal(err)
			}
			if len(list.Contents) == 0 {
				return all
			}
			for _, o := range list.Contents {
				got, err := client.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: &name, Key: o.Key})
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(got.Body)
				_ = got.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, sent{document: body, attributes: got.Metadata, key: *o.Key})
				if _, err := client.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: &name, Key: o.Key}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}}
}

// check compares a failure with what AWS writes.
func (k *kept) check(t *testing.T, s sent, topic, bootstrap, payload string) {
	t.Helper()
	var document map[string]any
	if err := json.Unmarshal(s.document, &document); err != nil {
		t.Fatal(err)
	}
	info, _ := document["KafkaBatchInfo"].(map[string]any)
	if size, ok := info["payloadSize"].(float64); !ok || size != float64(len(payload)) {
		t.Errorf("payloadSize %v, want %d", info["payloadSize"], len(payload))
	}
	delete(info, "payloadSize")
	var want any
	switch {
	case strings.HasPrefix(k.name, "kafka:"):
		_ = json.Unmarshal([]byte(payload), &want)
		if s.key != "key-7" || s.attributes["trace"] != "\x00\xc8" {
			t.Errorf("key %q, headers %q", s.key, s.attributes)
		}
	case strings.Contains(k.name, ":s3:"):
		want = payload
		if prefix := "aws/lambda/" + s.attributes[destination.AttributeMapping] + "/" + topic + "-0/2"; !strings.HasPrefix(s.key, prefix) {
			t.Errorf("key %q, want %s…", s.key, prefix)
		}
	default:
		if s.attributes[destination.AttributeOffsets] != topic+" 0:7" {
			t.Errorf("%v", s.attributes)
		}
	}
	a, _ := json.MarshalIndent(blank(document), "", " ")
	b, _ := json.MarshalIndent(documents(k, topic, bootstrap, want), "", " ")
	if string(a) != string(b) {
		t.Errorf("the document is\n%s\nwant\n%s", a, b)
	}
	if strings.Contains(string(s.document), leak) || len(s.attributes[destination.AttributeID]) != 36 {
		t.Errorf("%s %v", s.document, s.attributes)
	}
}
