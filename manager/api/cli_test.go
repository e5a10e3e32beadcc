package api_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esm-go/esm/esmtest"
)

// client returns the path of a real AWS client below ESM_AWS_CLIENTS, where .ci/run installs them. Without it the test
// is skipped; in CI it fails.
func client(t *testing.T, path ...string) string {
	t.Helper()
	directory := os.Getenv("ESM_AWS_CLIENTS")
	if directory == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("ESM_AWS_CLIENTS is not set: .ci/run clients sets it")
		}
		t.Skip("needs the real AWS clients: .ci/run clients installs them, ESM_AWS_CLIENTS names the directory")
	}
	file := filepath.Join(append([]string{directory}, path...)...)
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	return file
}

// environment returns the environment of a client with the tests' credentials, and without those of the machine.
func environment(more ...string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "AWS_ACCESS_KEY_ID=" + testKey, "AWS_SECRET_ACCESS_KEY=" + testSecret,
		"AWS_REGION=" + testRegion, "AWS_DEFAULT_REGION=" + testRegion, "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1",
		"AWS_CONFIG_FILE=/nonexistent", "AWS_SHARED_CREDENTIALS_FILE=/nonexistent",
	}
	return append(env, more...)
}

// aws runs "aws lambda …" with arguments split as in a shell.
func (r *rig) aws(command string) (map[string]any, string) {
	r.t.Helper()
	binary := client(r.t, "awscli", "bin", "aws")
	shell := exec.Command("bash", "-c", "aws() { "+binary+` "$@" --endpoint-url `+r.url+"; }\n"+command)
	shell.Env = environment()
	var stdout, stderr bytes.Buffer
	shell.Stdout, shell.Stderr = &stdout, &stderr
	if err := shell.Run(); err != nil {
		if stderr.Len() == 0 {
			r.t.Fatal(err)
		}
		return nil, strings.TrimSpace(stderr.String())
	}
	answer := map[string]any{}
	if stdout.Len() > 0 {
		if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil {
			r.t.Fatalf("%v: %s", err, stdout.String())
		}
	}
	return answer, ""
}

// must is aws for a command that must succeed.
func (r *rig) must(command string) map[string]any {
	r.t.Helper()
	answer, complaint := r.aws(command)
	if complaint != "" {
		r.t.Fatalf("%s: %s", command, complaint)
	}
	return answer
}

func TestCLI(t *testing.T) {
	r := newRig(t)
	created := r.must(`aws lambda create-event-source-mapping --function-name orders --topics topic --batch-size 7 --source-access-configurations Type=BASIC_AUTH,URI=` + secretARN +
		` --self-managed-event-source '{"Endpoints":{"KAFKA_BOOTSTRAP_SERVERS":["kafka:1000"]}}' --tags team=x`)
	if created["State"] != "Creating" || created["BatchSize"] != 7.0 || created["FunctionArn"] != accountARN+"function:orders" {
		t.Errorf("created %v", created)
	}
	id, _ := created["UUID"].(string)
	within(t, "Enabled", func() bool {
		return r.must("aws lambda get-event-source-mapping --uuid " + id)["State"] == "Enabled"
	})
	r.broker.Produce("topic", esmtest.Values("a", "b")...)
	if e := <-r.handled; e.Len() == 0 {
		t.Error("an empty event")
	}
	within(t, "OK", func() bool {
		return r.must("aws lambda get-event-source-mapping --uuid " + id)["LastProcessingResult"] == "OK"
	})
	if list := r.must("aws lambda list-event-source-mappings --function-name orders")["EventSourceMappings"]; len(list.([]any)) != 1 {
		t.Errorf("listed %v", list)
	}
	if got := r.must("aws lambda update-event-source-mapping --batch-size 9 --uuid " + id); got["State"] != "Updating" || got["BatchSize"] != 9.0 {
		t.Errorf("updated %v", got)
	}
	if got := r.must("aws lambda update-event-source-mapping --no-enabled --uuid " + id); got["State"] != "Disabling" {
		t.Errorf("disabled %v", got)
	}
	within(t, "Disabled", func() bool {
		return r.must("aws lambda get-event-source-mapping --uuid " + id)["State"] == "Disabled"
	})
	if got := r.must("aws lambda delete-event-source-mapping --uuid " + id); got["State"] != "Deleting" {
		t.Errorf("deleted %v", got)
	}
	within(t, "its end", func() bool {
		_, complaint := r.aws("aws lambda get-event-source-mapping --uuid " + id)
		return strings.Contains(complaint, "(ResourceNotFoundException) when calling the GetEventSourceMapping operation: The resource you requested does not exist.")
	})
}
