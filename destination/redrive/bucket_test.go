package redrive_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/esm-go/esm/destination/redrive"
	"github.com/esm-go/esm/destination/s3"
	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/awstest"
)

// filled creates a bucket with n failures of 10 records each, and returns the records.
func filled(t *testing.T, cfg aws.Config, n int) (bucket string, records []event.KafkaRecord) {
	t.Helper()
	bucket, _ = awstest.Bucket(t, cfg)
	to, err := s3.New(t.Context(), "arn:aws:s3:::"+bucket, s3.WithConfig(cfg), s3.WithClientOptions(awstest.PathStyle))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		var batch []event.KafkaRecord
		for k := range 10 {
			batch = append(batch, record("orders", 20*i+2*k))
		}
		records = append(records, batch...)
		sendAll(t, to, failureOf(batch...))
	}
	return bucket, records
}

func openBucket(t *testing.T, cfg aws.Config, bucket string, after redrive.AfterRedrive) redrive.Source {
	t.Helper()
	s, err := redrive.FromBucket(t.Context(), redrive.BucketConfig{AWS: cfg, Bucket: bucket, After: after, Client: []func(*awss3.Options){awstest.PathStyle}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func count(t *testing.T, cfg aws.Config, bucket, prefix string) int {
	t.Helper()
	out, err := awss3.NewFromConfig(cfg, awstest.PathStyle).ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Contents)
}

func eachS3(t *testing.T, test func(t *testing.T, cfg aws.Config)) {
	t.Helper()
	t.Run("gofakes3", func(t *testing.T) {
		server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
		defer server.Close()
		test(t, awstest.Config(t, server.URL))
	})
	awstest.Each(t, test)
}

func TestBucket(t *testing.T) {
	eachS3(t, func(t *testing.T, cfg aws.Config) {
		for _, after := range []redrive.AfterRedrive{"", redrive.Tag, redrive.Delete} {
			if after == redrive.Tag && strings.Contains(t.Name(), "gofakes3") {
				continue // gofakes3 does not store tags
			}
			bucket, records := filled(t, cfg, 20)
			l := log{fails: func(r event.KafkaRecord) bool { return string(r.Key) == "key-8" }}
			report, err := run(t, openBucket(t, cfg, "arn:aws:s3:::"+bucket, after), redrive.Handler(l.handle), redrive.Options{BatchSize: 50})
			if err != nil || report.Failures[redrive.Redriven] != 19 || report.Failures[redrive.Returned] != 1 {
				t.Errorf("%q: %+v, %v", after, report, err)
			}
			if report, err = run(t, openBucket(t, cfg, bucket, after), redrive.Handler(l.handle), redrive.Options{DryRun: true}); err != nil || report.Read() != 1 {
				t.Errorf("%q dry: %+v, %v", after, report, err)
			}
			l.fails = nil
			redrives := 0
			o := redrive.Options{OnItem: func(s redrive.Settled) { redrives += s.Redrives }}
			if report, err = run(t, openBucket(t, cfg, bucket, after), redrive.Handler(l.handle), o); err != nil || report.Read() != 1 || redrives != 1 {
				t.Errorf("%q mended: %+v, %v, %d redrives", after, report, err, redrives)
			}
			l.has(t, records...)
			want := map[redrive.AfterRedrive][2]int{"": {0, 20}, redrive.Tag: {20, 0}, redrive.Delete: {0, 0}}[after]
			if got := [2]int{count(t, cfg, bucket, "aws/"), count(t, cfg, bucket, "redriven/aws/")}; got != want {
				t.Errorf("%q: %v objects under aws/ and redriven/aws/, want %v", after, got, want)
			}
			if report, err = run(t, openBucket(t, cfg, bucket, after), redrive.Handler(l.handle), o); err != nil || report.Read() != 0 {
				t.Errorf("%q at the end: %+v, %v", after, report, err)
			}
		}
	})
}

// TestBucketInterrupted: more objects than one listing returns, in three runs, two of which are stopped.
func TestBucketInterrupted(t *testing.T) {
	server := httptest.NewServer(gofakes3.New(s3mem.New()).Server())
	defer server.Close()
	cfg := awstest.Config(t, server.URL)
	const n = 1200
	bucket, records := filled(t, cfg, n)
	var l log
	for _, stop := range []int{3 * n, 6 * n, 0} {
		ctx, cancel := context.WithCancel(t.Context())
		l.after = func(taken int) {
			if stop > 0 && taken >= stop {
				cancel()
			}
		}
		_, err := redrive.Run(ctx, openBucket(t, cfg, bucket, redrive.Delete), redrive.Handler(l.handle), redrive.Options{})
		if stop > 0 && !errors.Is(err, context.Canceled) || stop == 0 && err != nil {
			t.Error(err)
		}
		cancel()
	}
	l.has(t, records...)
	for r, times := range l.got {
		if times > 1 {
			t.Errorf("%d times: %s", times, r)
		}
	}
}

func TestBucketRefuses(t *testing.T) {
	for why, config := range map[string]redrive.BucketConfig{
		"not the ARN of a bucket": {Bucket: "arn:aws:sqs:eu-central-1:012345678901:q"},
		"move, tag and delete":    {Bucket: "b", After: "burn"},
		"choose another MoveTo":   {Bucket: "b", Prefix: "redriven/x"},
	} {
		if _, err := redrive.FromBucket(t.Context(), config); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", fmt.Sprintf("%+v", config), err)
		}
	}
}
