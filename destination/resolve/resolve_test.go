package resolve_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/goleak"

	"github.com/esm-go/esm/destination"
	"github.com/esm-go/esm/destination/resolve"
	"github.com/esm-go/esm/destination/s3"
	"github.com/esm-go/esm/driver"
	"github.com/esm-go/esm/driver/franz"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestResolve(t *testing.T) {
	source := destination.Source{Topics: []string{"orders"}, BootstrapServers: []string{"127.0.0.1:1"}, ClientID: "c"}
	cfg := aws.Config{Region: "eu-central-1"}
	all := resolve.New(resolve.WithAWS(cfg), resolve.WithPathStyle(), resolve.WithS3(s3.WithPrefix("p/")), resolve.WithKafka(franz.Driver(), nil))
	elsewhere := resolve.New(resolve.WithKafka(franz.Driver(), &driver.ProducerConfig{BootstrapServers: []string{"127.0.0.1:2"}}))
	for _, test := range []struct {
		r         *resolve.Resolver
		name, why string
		unknown   bool
	}{
		{all, "arn:aws:sqs:eu-central-1:012345678901:q", "", false},
		{all, "arn:aws:sns:eu-central-1:012345678901:t", "", false},
		{all, "arn:aws:s3:::bucket", "", false},
		{all, "kafka://failed", "", false},
		{all, "kafka://orders", "failed records would come back", false},
		{elsewhere, "kafka://orders", "", false}, // on another cluster
		{resolve.New(), "kafka://failed", "resolve.WithKafka", true},
		{all, "arn:aws:lambda:eu-central-1:012345678901:function:f", "an on-failure destination is", false},
	} {
		d, err := test.r.Resolve(t.Context(), test.name, source)
		if (err == nil) != (test.why == "") || err != nil && !strings.Contains(err.Error(), test.why) || errors.Is(err, destination.ErrNotResolved) != test.unknown || (d == nil) != (err != nil) {
			t.Errorf("%s: %v, %v", test.name, d, err)
			continue
		}
		if err == nil && fmt.Sprint(d) != test.name {
			t.Errorf("%s is %s", test.name, d)
		}
		if c, ok := d.(destination.Closer); ok {
			if err := c.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}
	}
}
