package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/internal/functest"
	"github.com/esm-go/esm/internal/kafkatest"
)

// TestServe uses the program with the real aws command as a user does, and kills it in between.
func TestServe(t *testing.T) { tryService(t, kafkatest.Fake(t).Client) }

func TestKafkaServe(t *testing.T) { tryService(t, kafkatest.Start(t).Client) }

func tryService(t *testing.T, cluster *kafkatest.Client) {
	url, got := events(t)
	directory := t.TempDir()
	functions := write(t, filepath.Join(directory, "functions.yaml"), "functions:\n  - name: orders\n    url: "+url+"\n")
	args := []string{"-store", filepath.Join(directory, "mappings"), "-functions", functions, "-plaintext", "-stop-timeout", "10s", "-poller-log", filepath.Join(directory, "poller.log")}
	s := serve(t, args...)
	await(t, "readiness", func() bool { return s.status(t, "/readyz") == http.StatusOK })
	if code := s.status(t, "/healthz"); code != http.StatusOK {
		t.Error("/healthz answers", code)
	}
	topic := cluster.NewTopic(t, 1)
	produced := 0
	handled := func(t *testing.T) {
		t.Helper()
		cluster.Produce(t, &kgo.Record{Topic: topic, Value: fmt.Append(nil, "record ", produced)})
		produced++
		select {
		case e := <-got:
			if !strings.Contains(e, `"eventSource":"SelfManagedKafka"`) {
				t.Error("the function got", e)
			}
		case <-time.After(time.Minute):
			t.Fatal("the function got nothing")
		}
	}
	created := s.aws(t, "create-event-source-mapping", "--function-name", "orders", "--topics", topic, "--logging-config", `{"SystemLogLevel":"INFO"}`, "--self-managed-event-source",
		`{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["`+strings.Join(cluster.Bootstrap(), `","`)+`"]}}`)
	id, _ := created["UUID"].(string)
	s.awaitState(t, id, "Enabled")
	handled(t)
	await(t, "the poller log", func() bool {
		written, err := os.ReadFile(filepath.Join(directory, "poller.log"))
		return err == nil && strings.Contains(string(written), `"eventType":"POLLER_STATUS_EVENT"`) && strings.Contains(string(written), topic+"-0")
	})
	if updated := s.aws(t, "update-event-source-mapping", "--uuid", id, "--batch-size", "7", "--no-enabled"); updated["BatchSize"] != 7.0 {
		t.Error("updated:", updated)
	}
	s.awaitState(t, id, "Disabled") // so it has left the group: a killed member stays until its session ends, after 45 s
	if err := s.signal(t, syscall.SIGKILL); err == nil {
		t.Error("killed, it ended well")
	}
	s = serve(t, args...)
	await(t, "readiness", func() bool { return s.status(t, "/readyz") == http.StatusOK })
	if kept := s.aws(t, "get-event-source-mapping", "--uuid", id); kept["State"] != "Disabled" || kept["BatchSize"] != 7.0 {
		t.Error("after the kill it is", kept)
	}
	s.aws(t, "update-event-source-mapping", "--uuid", id, "--enabled")
	s.awaitState(t, id, "Enabled")
	handled(t)
	s.aws(t, "update-event-source-mapping", "--uuid", id, "--no-enabled")
	s.awaitState(t, id, "Disabled")
	s.aws(t, "delete-event-source-mapping", "--uuid", id)
	await(t, "the end of the mapping", func() bool {
		return len(s.aws(t, "list-event-source-mappings")["EventSourceMappings"].([]any)) == 0
	})
	if runtime.GOOS == "windows" {
		return // Windows has no signal that a process can handle
	}
	if err := s.signal(t, syscall.SIGTERM); err != nil {
		t.Error("stopped, it ended with", err)
	}
}

// TestServeRefuses tries invalid configurations. Each error has file, line and field, or the flag.
func TestServeRefuses(t *testing.T) {
	directory := t.TempDir()
	good := write(t, filepath.Join(directory, "good.yaml"), "functions: []\n")
	keys := write(t, filepath.Join(directory, "keys"), "AKIAEXAMPLE:secret\n")
	for _, test := range []struct {
		name, functions string
		args, want      []string
	}{
		{name: "no functions", functions: "secrets: {}\n", want: []string{":1: functions: is missing"}},
		{name: "empty", functions: "", want: []string{":1: functions: is missing"}},
		{name: "no YAML", functions: "functions: [\n", want: []string{"functions.yaml: yaml: line 1"}},
		{name: "unknown names", functions: "functions:\n  - name: a\n    uri: http://x\nsecret: 1\n",
			want: []string{":3: functions[0].uri: is not known here; there are lambda, name, runtime, timeout, url", ":2: functions[0]: want one of", ":4: secret: is not known"}},
		{name: "wrong kinds", functions: "functions:\n  - {name: [a], url: http://x, timeout: soon}\n  - 7\nsecrets: {env: maybe}\nallowed: {servers: x}\n",
			want: []string{":2: functions[0].name: want a text", ":2: functions[0].timeout: want a duration", ":3: functions[1]: want names", ":4: secrets.env: want true or false", ":5: allowed.servers: want a list"}},
		{name: "twice", functions: "functions:\n  - {name: a, url: \"http://x\"}\n  - {name: a, url: \"http://y\"}\n", want: []string{`:3: functions[1].name: "a" is already the function in line 2`}},
		{name: "two targets", functions: "functions:\n  - {name: a, url: \"http://x\", lambda: b}\n", want: []string{"want one of runtime, url and lambda"}},
		{name: "bad targets", functions: "functions:\n  - {name: a, url: \"ftp://x\"}\n  - {name: b, runtime: {command: [no-such-program-anywhere]}}\n  - {name: c, runtime: {}}\n",
			want: []string{":4: functions[2].runtime.command: is missing"}},
		{name: "bad targets alone", functions: "functions:\n  - {name: a, url: \"ftp://x\"}\n  - {name: b, runtime: {command: [no-such-program-anywhere]}}\n",
			want: []string{":2: functions[0]: ", ":3: functions[1]: runtime: Command: "}},
		{name: "no file", args: []string{"-functions", filepath.Join(directory, "missing.yaml")}, want: []string{"missing.yaml"}},
		{name: "no store", args: []string{"-store", "", "-functions", good}, want: []string{"-store is missing"}},
		{name: "no time", args: []string{"-functions", good, "-stop-timeout", "1ms"}, want: []string{"-stop-timeout"}},
		{name: "an address", args: []string{"-functions", good, "-listen", "9001"}, want: []string{"-listen"}},
		{name: "open to all", args: []string{"-functions", good, "-listen", "0.0.0.0:0"}, want: []string{"-api-keys", "-tls-cert", "-console-login", "-host NAME"}},
		{name: "open to all behind loopback", args: []string{"-functions", good, "-behind-proxy"}, want: []string{"-api-keys", "-console-login", "-host NAME"}},
		{name: "no TLS", args: []string{"-functions", good, "-listen", ":0", "-api-keys", keys, "-no-console", "-host", "a"}, want: []string{"-tls-cert"}},
		{name: "bad keys", args: []string{"-functions", good, "-api-keys", write(t, filepath.Join(directory, "nokeys"), "# none yet\nAKIAEXAMPLE\n")}, want: []string{"-api-keys: entry 1"}},
		{name: "no poller log", args: []string{"-functions", good, "-poller-log", filepath.Join(directory, "missing", "log")}, want: []string{"-poller-log: open"}},
		{name: "bad login", args: []string{"-functions", good, "-console-login", write(t, filepath.Join(directory, "login"), "alice\n")}, want: []string{"-console-login: want one line"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"serve", "-listen", "127.0.0.1:0", "-store", filepath.Join(t.TempDir(), "mappings")}, test.args...)
			if test.args == nil {
				args = append(args, "-functions", write(t, filepath.Join(t.TempDir(), "functions.yaml"), test.functions))
			}
			var stdout, stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if code := dispatch(ctx, args, streams{strings.NewReader(""), &stdout, &stderr}); code == exitOK {
				t.Errorf("it ended well, and said %s", stdout.String())
			}
			for _, want := range test.want {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("it did not say %q but\n%s", want, stderr.String())
				}
			}
		})
	}
}

func TestCheck(t *testing.T) {
	directory := t.TempDir()
	const template = `Parameters:
  Topic: {Type: String}
Resources:
  Orders:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: orders
      BatchSize: 20000
      Topics: [!Ref Topic]
      SelfManagedEventSource: {Endpoints: {KafkaBootstrapServers: ["broker:9092"]}}
`
	broken := write(t, filepath.Join(directory, "template.yaml"), template)
	fixed := write(t, filepath.Join(directory, "fixed.yaml"), strings.ReplaceAll(template, "20000", "20"))
	for _, test := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"-parameter", "Topic=orders", fixed}, exitOK, []string{"differs on Lambda: Orders: SourceAccessConfigurations"}},
		{[]string{"-strict", "-parameter", "Topic=orders", fixed}, exitFailed, []string{"differs on Lambda"}},
		{[]string{"-parameter", "Topic=orders", broken}, exitFailed, []string{broken + ":8: error: Orders: BatchSize = 20000"}},
		{[]string{fixed}, exitFailed, []string{"Topic"}},
		{[]string{"-"}, exitFailed, []string{"-:2: error: BatchSize"}},
		{nil, exitUsage, []string{"no file"}},
		{[]string{filepath.Join(directory, "missing")}, exitFailed, []string{"missing"}},
		{[]string{"-parameter", "x", fixed}, exitUsage, []string{"NAME=VALUE"}},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			var out bytes.Buffer
			in := strings.NewReader("{\"FunctionName\":\"f\",\n\"BatchSize\":-1,\"Topics\":[\"t\"],\"SelfManagedEventSource\":{\"Endpoints\":{\"KAFKA_BOOTSTRAP_SERVERS\":[\"b:1\"]}}}")
			if code := dispatch(context.Background(), append([]string{"check"}, test.args...), streams{in, &out, &out}); code != test.code {
				t.Errorf("it ended with %d, not %d", code, test.code)
			}
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("it did not say %q but\n%s", want, out.String())
				}
			}
		})
	}
}

// TestServeAccess checks who has access if keys and a login are set.
func TestServeAccess(t *testing.T) {
	directory := t.TempDir()
	s := serve(t, "-store", filepath.Join(directory, "mappings"), "-functions", write(t, filepath.Join(directory, "functions.yaml"), "functions: []\n"),
		"-api-keys", write(t, filepath.Join(directory, "keys"), "# ours\nAKIAEXAMPLE:secret\n"), "-console-login", write(t, filepath.Join(directory, "login"), "alice:swordfish\n"))
	await(t, "readiness", func() bool { return s.status(t, "/readyz") == http.StatusOK })
	for path, want := range map[string]int{
		"/2015-03-31/event-source-mappings": http.StatusForbidden, "/console/": http.StatusUnauthorized, "/console": http.StatusUnauthorized,
		"/console/add": http.StatusUnauthorized, "/healthz": http.StatusOK, "/nothing": http.StatusForbidden, "/metrics": http.StatusUnauthorized,
	} {
		if code := s.status(t, path); code != want {
			t.Errorf("%s answers %d, not %d", path, code, want)
		}
	}
	for password, want := range map[string]int{"swordfish": http.StatusOK, "Swordfish": http.StatusUnauthorized, "": http.StatusUnauthorized} {
		request, err := http.NewRequest(http.MethodGet, s.url+"/console/", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("alice", password)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("with %q the console answers %d", password, response.StatusCode)
		}
	}
}

// TestServeRuntime runs an unchanged Python function, in a directory next to the functions file, and stops its process.
func TestServeRuntime(t *testing.T) {
	python := functest.Python(t)
	cluster := kafkatest.Fake(t).Client
	directory := t.TempDir()
	if err := os.Mkdir(filepath.Join(directory, "orders"), 0o700); err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(directory, "journal")
	write(t, filepath.Join(directory, "orders", "app.py"), `import os
def handler(event, context):
    with open(os.environ["JOURNAL"], "a") as f:
        f.write(f"{os.getpid()} {event['eventSource']}\n")
`)
	topic := cluster.NewTopic(t, 1)
	cluster.Produce(t, &kgo.Record{Topic: topic, Value: []byte("a record")})
	functions := write(t, filepath.Join(directory, "functions.yaml"), fmt.Sprintf(
		"functions:\n  - name: orders\n    timeout: 20s\n    runtime: {command: [%s, -m, awslambdaric, app.handler], directory: ./orders, environment: {JOURNAL: %s}, workers: 2}\n", python, journal))
	s := serve(t, "-store", filepath.Join(directory, "mappings"), "-functions", functions, "-plaintext", "-stop-timeout", "10s")
	body := fmt.Sprintf(`{"FunctionName":"orders","Topics":[%q],"SelfManagedEventSource":{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":[%q]}}}`, topic, cluster.Bootstrap()[0])
	response, err := http.Post(s.url+"/2015-03-31/event-source-mappings", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Fatal(response.Status)
	}
	var pid int
	await(t, "the function's journal", func() bool {
		data, err := os.ReadFile(journal)
		if err != nil {
			return false
		}
		n, _ := fmt.Sscanf(string(data), "%d SelfManagedKafka\n", &pid)
		return n == 1
	})
	if runtime.GOOS == "windows" {
		return
	}
	if err := s.signal(t, syscall.SIGTERM); err != nil {
		t.Error("stopped, it ended with", err)
	}
	if p, err := os.FindProcess(pid); err == nil && p.Signal(syscall.Signal(0)) == nil {
		t.Errorf("the function's process %d lives on", pid)
	}
}
