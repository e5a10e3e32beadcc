package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/esm-go/esm/internal/awstest"
	"github.com/esm-go/esm/internal/kafkatest"
	"github.com/esm-go/esm/internal/secretserver"
)

// TestServeAWS runs the program with a function on AWS Lambda and secrets in AWS Secrets Manager, over its TLS
// listener. The broker requires TLS and a login from those secrets: a record that arrives at Lambda proves that all of
// it works.
func TestServeAWS(t *testing.T) {
	test := func(t *testing.T, secrets aws.Config) {
		pki := kafkatest.NewPKI(t)
		certificate, key := pki.Issue(t, "broker")
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"), kfake.EnableSASL(), kfake.Superuser("PLAIN", "alice", "swordfish"),
			kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cluster.Close)
		client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.SASL(plain.Auth{User: "alice", Pass: "swordfish"}.AsMechanism()),
			kgo.DialTLSConfig(&tls.Config{RootCAs: pki.Pool(), MinVersion: tls.VersionTLS12}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("to Lambda")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		secret := func(value any) string {
			t.Helper()
			document, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			made, err := secretsmanager.NewFromConfig(secrets).CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
				Name: aws.String(awstest.Name(t)), SecretString: aws.String(string(document)),
			})
			if err != nil {
				t.Fatal(err)
			}
			return *made.ARN
		}
		login, ca := secret(map[string]string{"username": "alice", "password": "swordfish"}), secret(map[string]string{"certificate": string(pki.CA())})

		type call struct{ path, value string }
		calls := make(chan call, 10)
		lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/configuration") {
				_, _ = io.WriteString(w, `{"FunctionName":"audit","Timeout":3}`)
				return
			}
			var event struct {
				Records map[string][]struct{ Value string }
			}
			body, _ := io.ReadAll(r.Body)
			c := call{path: r.URL.Path}
			if err := json.Unmarshal(body, &event); err == nil && len(event.Records["t-0"]) == 1 && strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256") {
				value, _ := base64.StdEncoding.DecodeString(event.Records["t-0"][0].Value)
				c.value = string(value)
			}
			calls <- c
			w.Header().Set("X-Amz-Executed-Version", "$LATEST")
			_, _ = io.WriteString(w, "null")
		}))
		t.Cleanup(lambda.Close)
		t.Setenv("AWS_ENDPOINT_URL_LAMBDA", lambda.URL)
		t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", *secrets.BaseEndpoint)
		t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-of-the-test")
		t.Setenv("AWS_REGION", awstest.Region)
		t.Setenv("AWS_EC2_METADATA_DISABLED", "true")

		directory := t.TempDir()
		const function = "arn:aws:lambda:eu-central-1:123456789012:function:audit"
		certificate, key = pki.Issue(t, "localhost")
		s := serve(t, "-store", filepath.Join(directory, "mappings"), "-functions", write(t, filepath.Join(directory, "functions.yaml"),
			"functions:\n  - name: "+function+"\n    lambda: "+function+"\nsecrets: {aws: true}\n"),
			"-tls-cert", write(t, filepath.Join(directory, "tls.crt"), string(certificate)), "-tls-key", write(t, filepath.Join(directory, "tls.key"), string(key)),
			"-stop-timeout", "10s")
		if !strings.HasPrefix(s.url, "https://") {
			t.Fatal("it serves", s.url)
		}
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pki.Pool(), MinVersion: tls.VersionTLS12}}
		defer transport.CloseIdleConnections()
		https := &http.Client{Transport: transport}
		body := fmt.Sprintf(`{"FunctionName":%q,"Topics":["t"],"StartingPosition":"TRIM_HORIZON","SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":[%q]}},
			"SourceAccessConfigurations":[{"Type":"BASIC_AUTH","URI":%q},{"Type":"SERVER_ROOT_CA_CERTIFICATE","URI":%q}]}`, function, cluster.ListenAddrs()[0], login, ca)
		response, err := https.Post(s.url+"/2015-03-31/event-source-mappings", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusAccepted {
			t.Fatal(response.Status, string(answer))
		}
		c := <-calls
		if c.value != "to Lambda" || !strings.HasPrefix(c.path, "/2015-03-31/functions/") || !strings.HasSuffix(c.path, "/invocations") {
			t.Errorf("Lambda was called with %+v", c)
		}
		if plain, err := http.Get("http" + strings.TrimPrefix(s.url, "https") + "/healthz"); err == nil {
			_ = plain.Body.Close()
			if plain.StatusCode == http.StatusOK {
				t.Error("the TLS listener answers without TLS")
			}
		}
		if runtime.GOOS == "windows" {
			return
		}
		if err := s.signal(t, syscall.SIGTERM); err != nil {
			t.Error("stopped, it ended with", err)
		}
		if log := s.stderr.String(); strings.Contains(log, "swordfish") || strings.Contains(log, "s3cr3t-of-the-test") {
			t.Error("a secret is in the log:", log)
		}
	}
	t.Run("this project's double", func(t *testing.T) {
		server := httptest.NewServer(new(secretserver.Server))
		t.Cleanup(server.Close)
		test(t, awstest.Config(t, server.URL))
	})
	awstest.Each(t, test)
}

// TestServeMetrics scrapes the metrics, and checks who else has access.
func TestServeMetrics(t *testing.T) {
	url, got := events(t)
	cluster := kafkatest.Fake(t).Client
	topic := cluster.NewTopic(t, 1)
	cluster.Produce(t, &kgo.Record{Topic: topic, Value: []byte("a record")})
	directory := t.TempDir()
	s := serve(t, "-store", filepath.Join(directory, "mappings"), "-plaintext", "-functions",
		write(t, filepath.Join(directory, "functions.yaml"), "functions:\n  - name: orders\n    url: "+url+"\n"))
	body := fmt.Sprintf(`{"FunctionName":"orders","Topics":[%q],"SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":[%q]}}}`, topic, cluster.Bootstrap()[0])
	response, err := http.Post(s.url+"/2015-03-31/event-source-mappings", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	<-got
	scrape := func(host string) (int, string, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.url+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		text, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(text), response.Header.Get("Content-Type")
	}
	await(t, "the record in the metrics", func() bool {
		code, text, kind := scrape("")
		return code == http.StatusOK && kind == "text/plain; version=0.0.4; charset=utf-8" && strings.Contains(text, "# TYPE esm_polled_records_total counter\n") &&
			strings.Contains(text, `esm_polled_records_total{function_name="orders",`) && strings.Contains(text, `esm_state{function_name="orders",`)
	})
	if code, text, _ := scrape("evil.example"); code != http.StatusForbidden || strings.Contains(text, "esm_") {
		t.Error("by another name it answers", code, text)
	}
}
