package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/esm-go/esm/event"
	"github.com/esm-go/esm/internal/awstest"
	"github.com/esm-go/esm/internal/functest"
	"github.com/esm-go/esm/internal/kafkatest"
)

// TestRedriveToFunction brings failures back through an unchanged Python function, which records its input and reports
// one record in batchItemFailures: only that one goes back, and the others arrive once. The file's other function does
// not start.
func TestRedriveToFunction(t *testing.T) {
	python := functest.Python(t)
	c, directory := kafkatest.Fake(t).Client, t.TempDir()
	journal := filepath.Join(directory, "journal")
	write(t, filepath.Join(directory, "app.py"), `import base64, os
def handler(event, context):
    failures = []
    with open(os.environ["JOURNAL"], "a") as f:
        for records in event["records"].values():
            for r in records:
                key = base64.b64decode(r["key"]).decode()
                if key == "key-3":
                    failures.append({"itemIdentifier": {"partition": f"{r['topic']}-{r['partition']}", "offset": r["offset"]}})
                else:
                    f.write(key + "\n")
    return {"batchItemFailures": failures}
`)
	functions := write(t, filepath.Join(directory, "functions.yaml"), fmt.Sprintf(`functions:
  - name: orders
    timeout: 30s
    runtime: {command: [%s, -m, awslambdaric, app.handler], environment: {JOURNAL: %s}}
  - name: other
    runtime: {command: [touch, %s]}
`, python, journal, filepath.Join(directory, "started")))
	topic := fillTopic(t, c, 2, 30)
	code, out, errs := program(t, "redrive", "-from", "kafka://"+topic, "-bootstrap-servers", strings.Join(c.Bootstrap(), ","), "-to", "function:orders", "-functions", functions)
	if code != 0 || !strings.Contains(out, "30 failures read, 29 brought back, 1 failed again and are back") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
	written, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	keys := strings.Fields(string(written))
	slices.Sort(keys)
	if all := len(keys); all != 29 || len(slices.Compact(keys)) != 29 || slices.Contains(keys, "key-3") {
		t.Errorf("the function took %d: %v", all, keys)
	}
	if _, err := os.Stat(filepath.Join(directory, "started")); err == nil {
		t.Error("a function that nothing is brought back to was started")
	}
	if code, _, errs := program(t, "redrive", "-from", "kafka://"+topic, "-bootstrap-servers", strings.Join(c.Bootstrap(), ","), "-to", "function:nothing", "-functions", functions); code != 1 ||
		!strings.Contains(errs, "-to function:nothing") || !strings.Contains(errs, "names orders, other") {
		t.Errorf("%d %s", code, errs)
	}
}

// TestRedriveToLambda brings failures back through a function on AWS Lambda that is throttled at first.
func TestRedriveToLambda(t *testing.T) {
	var calls, taken atomic.Int64
	lambda := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/configuration") {
			_, _ = io.WriteString(w, `{"FunctionName":"audit","Timeout":3}`)
			return
		}
		body, err := io.ReadAll(r.Body)
		var e event.KafkaEvent
		if err != nil || e.UnmarshalJSON(body) != nil || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256") {
			t.Errorf("%v %s", err, body)
		}
		if calls.Add(1) < 8 { // the SDK retries some times by itself
			w.Header().Set("X-Amzn-Errortype", "TooManyRequestsException")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		taken.Add(int64(e.Len()))
		_, _ = io.WriteString(w, "null")
	}))
	t.Cleanup(lambda.Close)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL_LAMBDA": lambda.URL, "AWS_REGION": awstest.Region, "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
	c := kafkatest.Fake(t).Client
	topic := fillTopic(t, c, 2, 30)
	code, out, errs := program(t, "redrive", "-from", "kafka://"+topic, "-bootstrap-servers", strings.Join(c.Bootstrap(), ","), "-to", "arn:aws:lambda:eu-central-1:123456789012:function:audit")
	if code != 0 || !strings.Contains(out, "30 failures read, 30 brought back") || taken.Load() != 30 || calls.Load() < 8 {
		t.Errorf("%d, %d taken in %d calls\n%s%s", code, taken.Load(), calls.Load(), out, errs)
	}
}
