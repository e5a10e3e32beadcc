package s3_test

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.uber.org/goleak"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/s3"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/awstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each runs a test on gofakes3 in this process, and on the doubles.
func each(t *testing.T, test func(t *testing.T, cfg aws.Config)) {
	t.Helper()
	t.Run("gofakes3", func(t *testing.T) {
		server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
		defer server.Close()
		test(t, awstest.Config(t, server.URL))
	})
	awstest.Each(t, test)
}

func open(t *testing.T, cfg aws.Config, bucket string, opts ...s3.Option) *s3.Destination {
	t.Helper()
	d, err := s3.New(t.Context(), "arn:aws:s3:::"+bucket, append([]s3.Option{s3.WithConfig(cfg), s3.WithClientOptions(awstest.PathStyle)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func keys(t *testing.T, client *awss3.Client, bucket string) []string {
	t.Helper()
	out, err := client.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, o := range out.Contents {
		all = append(all, *o.Key)
	}
	return all
}

func TestSend(t *testing.T) {
	each(t, func(t *testing.T, cfg aws.Config) {
		name, client := awstest.Bucket(t, cfg)
		d := open(t, cfg, name, s3.WithEncryption(types.ServerSideEncryptionAes256, ""))
		if err := d.Check(t.Context()); err != nil {
			t.Error(err)
		}
		f := awstest.Failure(2)
		if err := d.Send(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		want := "aws/lambda/14e0db71-5d35-4eb5-b481-8945cf9d10c2/orders-0/2023/11/14/2023-11-14T22.13.20-" + f.ID()
		if got := keys(t, client, name); len(got) != 1 || got[0] != want {
			t.Fatalf("keys %q, want %q", got, want)
		}
		got, err := client.GetObject(t.Context(), &awss3.GetObjectInput{Bucket: &name, Key: &want})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = got.Body.Close() }()
		body, err := io.ReadAll(got.Body)
		if err != nil || string(body) != string(f.Document()) {
			t.Errorf("got %s, %v\nwant %s", body, err, f.Document())
		}
		metadata := make(map[string]string)
		for k, v := range got.Metadata {
			metadata[strings.ToLower(k)] = v
		}
		if metadata["esm-id"] != f.ID() || metadata["esm-mapping"] != f.MappingUUID || aws.ToString(got.ContentType) != "application/json" {
			t.Errorf("metadata %v, type %v", got.Metadata, aws.ToString(got.ContentType))
		}
	})
}

// TestWrittenOnce: a failure that is sent again, because its answer was lost or after a crash, is one object.
func TestWrittenOnce(t *testing.T) {
	each(t, func(t *testing.T, cfg aws.Config) {
		name, client := awstest.Bucket(t, cfg)
		faulty, network := awstest.WithFaults(t, cfg, awstest.Fault{Lost: true}, awstest.Fault{Lost: true}, awstest.Fault{Lost: true})
		if err := open(t, faulty, name).Send(t.Context(), awstest.Failure(1)); err == nil {
			t.Error("a Send without an answer counts as acknowledged")
		}
		again := awstest.Failure(1)
		again.Time = again.Time.Add(time.Hour)
		if err := open(t, faulty, name).Send(t.Context(), again); err != nil {
			t.Errorf("the second Send: %v", err)
		}
		if got := keys(t, client, name); len(got) != 1 || network.Requests() != 4 {
			t.Errorf("%d requests left %q", network.Requests(), got)
		}
		other := awstest.Failure(1)
		first := &other.Event.Records["orders-0"][0]
		first.Headers = append(first.Headers, event.Header{Key: destination.AttributeRedrives, Value: []byte("1")})
		if err := open(t, cfg, name).Send(t.Context(), other); err != nil {
			t.Error(err)
		}
		if got := keys(t, client, name); len(got) != 2 {
			t.Errorf("another failure is not an object of its own: %q", got)
		}
	})
}

// TestWithoutConditions covers stores that do not support If-None-Match.
func TestWithoutConditions(t *testing.T) {
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	defer server.Close()
	cfg := awstest.Config(t, server.URL)
	name, client := awstest.Bucket(t, cfg)
	unable, network := awstest.WithFaults(t, cfg, awstest.Fault{Status: 501, Body: `<Error><Code>NotImplemented</Code></Error>`})
	if err := open(t, unable, name).Send(t.Context(), awstest.Failure(1)); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, client, name); len(got) != 1 || network.Requests() != 2 {
		t.Errorf("%d requests left %q", network.Requests(), got)
	}
}

func TestMissingBucket(t *testing.T) {
	each(t, func(t *testing.T, cfg aws.Config) {
		d := open(t, cfg, "missing-"+awstest.Name(t))
		for name, err := range map[string]error{"Send": d.Send(t.Context(), awstest.Failure(1)), "Check": d.Check(t.Context())} {
			var e *destination.Error
			if !errors.As(err, &e) || e.Reason != destination.ReasonNotFound || !strings.Contains(err.Error(), "create the bucket") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestAccessDenied(t *testing.T) {
	cfg, _ := awstest.WithFaults(t, awstest.Config(t, "http://127.0.0.1:1"), awstest.Fault{Status: 403, Body: `<Error><Code>AccessDenied</Code></Error>`}, awstest.Fault{Status: 403})
	d := open(t, cfg, "bucket")
	var e *destination.Error
	if err := d.Send(t.Context(), awstest.Failure(1)); !errors.As(err, &e) || e.Reason != destination.ReasonAccessDenied || !strings.Contains(err.Error(), "s3:PutObject") {
		t.Errorf("Send: %v", err)
	}
	if err := d.Check(t.Context()); err != nil {
		t.Errorf("Check without s3:ListBucket: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, name := range []string{"kafka://t", "arn:aws:sqs:eu-central-1:012345678901:q", "x"} {
		if _, err := s3.New(t.Context(), name, s3.WithConfig(aws.Config{Region: "r"})); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("New(%q): %v", name, err)
		}
	}
	if _, err := s3.New(t.Context(), "arn:aws:s3:::bucket", s3.WithConfig(aws.Config{})); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Errorf("without a region: %v", err)
	}
}
