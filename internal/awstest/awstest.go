// Package awstest gives tests the AWS services to talk to: two doubles of different authors, moto and ministack, so that
// a test passes only where both agree with it. They are found at ESM_MOTO and ESM_MINISTACK (http://host:port), where
// .ci/run starts them. A double that is not there skips its subtest, and fails it where CI=true is set.
package awstest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Region is that of the doubles' resources.
const (
	Region = "eu-central-1"
	secret = "s3cr3t-of-aws"
)

// Each runs a test on each double.
func Each(t *testing.T, test func(t *testing.T, cfg aws.Config)) {
	t.Helper()
	for _, double := range []struct{ name, env, start string }{
		{"moto", "ESM_MOTO", "moto_server -H 127.0.0.1 -p PORT"},
		{"ministack", "ESM_MINISTACK", "BIND_HOST=127.0.0.1 GATEWAY_PORT=PORT ministack"},
	} {
		t.Run(double.name, func(t *testing.T) {
			url := os.Getenv(double.env)
			if url == "" {
				why := fmt.Sprintf("%s is not set: start %s and set it to http://127.0.0.1:PORT", double.env, double.start)
				if os.Getenv("CI") == "true" {
					t.Fatal(why)
				}
				t.Skip(why)
			}
			test(t, Config(t, url))
		})
	}
}

// Config returns the SDK's configuration for a service at a URL.
func Config(t testing.TB, url string) aws.Config {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return aws.Config{Region: Region, BaseEndpoint: &url,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", secret, ""),
		HTTPClient:  steady{&http.Client{Transport: transport, Timeout: 30 * time.Second}}}
}

// steady sends a copy of a request's body. The SDK closes the body when the answer begins; on a machine that is busy the
// transport may not have seen its end then, breaks the connection, and the SDK sends the request again. Tests that
// count messages would find two.
type steady struct{ client *http.Client }

// Do sends the request.
func (s steady) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return s.client.Do(r)
}

// Name returns a name of its own for a queue, topic or bucket.
func Name(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("esm-%d", time.Now().UnixNano())
}
