// Package awstest connects tests to AWS services: to two independent test doubles, moto and ministack, so that a test
// passes only if both agree with it. Their addresses are in ESM_MOTO and ESM_MINISTACK (http://host:port); .ci/run
// starts them. If a double is missing, its subtest is skipped, or fails if CI=true is set.
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

// Region is the region of the doubles' resources.
const (
	Region = "eu-central-1"
	secret = "s3cr3t-of-aws"
)

// Each runs a test with each double.
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

// steady sends a copy of a request's body. The SDK closes the body when the answer begins. On a busy machine the
// transport may not have seen the body's end by then; it breaks the connection, and the SDK sends the request again.
// Tests that count messages would then find two.
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

// Name returns a unique name for a queue, topic or bucket.
func Name(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("esm-%d", time.Now().UnixNano())
}
